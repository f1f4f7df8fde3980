"""What a callback sees of a training run, and what it may ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fnet import tree
from fnet.arguments import number
from fnet.errors import StructureError, ValueRangeError, did_you_mean
from fnet.networks.layer import Layer
from fnet.networks.samples import Samples
from fnet.train.checks import check_state
from fnet.train.history import History
from fnet.train.position import RunPosition, check_identity
from fnet.train.state import TrainState, copied
from fnet.transfer import to_host


@dataclass
class Run:
    """A training run, as a callback sees it: all are the numbers of the moment at which a hook is called.

    net: the network. trainer: the `Trainer` whose `fit` it is. history: the record of the finished epochs. first, last:
    the run has the epochs `first` to ``last - 1``, of `steps` steps of `batch_size` samples each; steps is None where
    it is not known. directions: whether "up" or "down" is better, by the name of a loss or metric; None where it is not
    known.
    epoch: counted from 0. batch: how many steps of the epoch are done. interrupted: whether Ctrl-C ended the run.
    error: the error that ends it.
    """

    net: Layer
    trainer: Any
    history: History
    first: int
    last: int
    steps: int | None
    batch_size: int
    directions: Mapping[str, str | None]
    _current: Callable[[], TrainState]
    _rate: Callable[[], float]
    _totals: Callable[[], dict[str, Any]]
    _schedule: Callable[[Any], Any] | None
    _inputs: Callable[[], Any]
    _identity: Callable[[], dict[str, str]]
    epoch: int = 0
    batch: int = 0
    interrupted: bool = False
    error: BaseException | None = None
    stopping: bool = field(default=False, init=False)
    asked_state: TrainState | None = field(default=None, init=False)
    asked_rate: float | None = field(default=None, init=False)
    asked_position: RunPosition | None = field(default=None, init=False)
    receivers: list[Callable[[RunPosition], None]] = field(default_factory=list, init=False)
    _ts: TrainState | None = field(default=None, init=False)
    _logs: dict[str, Any] | None = field(default=None, init=False)

    @property
    def ts(self) -> TrainState:
        """The `TrainState`, with arrays of its own: what later steps do does not change it."""
        if self.asked_state is not None:
            return self.asked_state
        if self._ts is None:
            self._ts = copied(self._current())
        return self._ts

    @property
    def weights(self) -> tuple[Any, Any]:
        """The parameters and the state of the network, with arrays of their own."""
        ts = self._current() if self.asked_state is None else self.asked_state
        return copied((ts.params, ts.state))

    @property
    def step(self) -> int:
        """The number of updates done, of earlier calls of `fit` too."""
        return int(self._current().step)

    @property
    def logs(self) -> dict[str, Any]:
        """The numbers of the epoch so far; after it, those that the history has, and in `on_train_end` the last ones.

        What a callback adds after an epoch is recorded in the history.
        """
        if self._logs is None:
            self._logs = self._totals()
        return self._logs

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step; setting it changes that.

        Raises `StructureError` where the optimizer has a schedule, or none.
        """
        return self._rate() if self.asked_rate is None else self.asked_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        number("learning_rate", "learning_rate", value, "[0, inf)")
        self._rate()  # tells an optimizer without one
        self.asked_rate = float(value)

    @property
    def scheduled_rate(self) -> float | None:
        """As `learning_rate`, also where a schedule of the optimizer gives it; None where there is neither."""
        if self._schedule is not None:
            return float(to_host(self._schedule(self.step)))
        try:
            return self.learning_rate
        except StructureError:
            return None

    @property
    def inputs(self) -> Any:
        """The tree of `Samples` that the network is trained on: shapes without the batch axis, and dtypes."""
        return tree.map(lambda leaf: Samples(tuple(leaf.shape[1:]), np.dtype(leaf.dtype)), self._inputs())

    def stop(self) -> None:
        """End the training: the epoch ends after this batch, with its validation, and is the last one."""
        self.stopping = True

    def replace(self, ts: TrainState) -> None:
        """Go on from another state, a `TrainState` like the present one."""
        self.asked_state = check_state(ts)

    def hand_position(self, receiver: Callable[[RunPosition], None]) -> None:
        """Call ``receiver(position)`` when all callbacks have had this hook and what they ask for is done.

        It is for `on_epoch_end` and `on_train_batch_end`. The arrays of the position are valid in that call only.
        """
        self.receivers.append(receiver)

    def go_on(self, position: RunPosition) -> None:
        """Go on from a position of a run with the same arguments, in another process; for `on_train_begin`.

        All callbacks then remember what they did there. Raises `StructureError` that says what differs in the
        arguments.
        """
        check_identity(position.identity, self._identity())
        self.asked_position = position

    def direction(self, monitor: str) -> str:
        """Whether "up" or "down" is better for a loss or a metric, or for its ``val_`` name.

        Raises `ValueRangeError` where that is not known.
        """
        name = monitor.removeprefix("val_")
        known = self.directions.get(name)
        if known is None:
            names = [] if name in self.directions else [*self.directions, *(f"val_{each}" for each in self.directions)]
            nearest = did_you_mean(monitor, names) if names else ""
            raise ValueRangeError(
                f"which way '{monitor}' gets better is not known: it is the name of no loss, and of no metric with a "
                f"direction.{nearest} Pass mode='min' or mode='max'."
            )
        return known

    def answered(self) -> None:
        """What was asked for is done."""
        self.asked_state = self.asked_rate = self._ts = None

    def moved(self, logs: dict[str, Any] | None = None) -> None:
        """Steps were done, or an epoch begins or ends: forget what was seen before. logs: of the finished epoch."""
        self._ts, self._logs = None, logs
