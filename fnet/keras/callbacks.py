"""Callbacks under Keras' names: those of `fnet.callbacks`, and classes of the user's own with Keras' hooks."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fnet import callbacks, tree
from fnet.train.callback import Callback as Functional
from fnet.train.run import Run

if TYPE_CHECKING:
    from fnet.keras.models.trained import Trained

_HOOKS = (
    "on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end", "on_train_batch_begin", "on_train_batch_end",
)  # fmt: skip


class Callback:
    """Hooks that do nothing; a callback of your own overrides some of them. `model` is the model that is trained.

    In a hook the weights of the model are those of the moment; `model.stop_training`, weights that are set, and
    ``model.optimizer.learning_rate`` have effect after it. Source: Keras ``Callback``.

    >>> class StopBelow(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         if logs["loss"] < 0.1:
    ...             self.model.stop_training = True
    """

    model: Any = None
    params: Mapping[str, Any] = MappingProxyType({})

    def set_model(self, model: Any) -> None:
        """Called before the training."""
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Called before the training, with the numbers of epochs and steps."""
        self.params = params

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Before the first epoch."""

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """After the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Before the first step of an epoch."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """After an epoch and its validation; `logs` are its numbers."""

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Before a step."""

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """After a step; `logs` are the means over the epoch so far."""

    def on_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """As `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """As `on_train_batch_end`."""


class Adapted(Functional):
    """A callback of Keras' kind as `fit` of `fnet.Trainer` calls it."""

    changes_learning_rate = True

    def __init__(self, callback: Callback, model: Trained) -> None:
        self._callback, self._model = callback, model

    @property
    def batch_interval(self) -> int | None:
        own = type(self._callback)
        hooks = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
        return 1 if any(getattr(own, hook) is not getattr(Callback, hook) for hook in hooks) else None

    def on_train_begin(self, run: Run) -> None:
        self._callback.set_model(self._model)
        self._callback.set_params({"epochs": run.last, "steps": run.steps, "verbose": 0})
        self._call(run, ("on_train_begin",), ())

    def on_train_end(self, run: Run) -> None:
        self._call(run, ("on_train_end",), (), run.logs)

    def on_epoch_begin(self, run: Run) -> None:
        self._call(run, ("on_epoch_begin",), (run.epoch,))

    def on_epoch_end(self, run: Run) -> None:
        self._call(run, ("on_epoch_end",), (run.epoch,), run.logs)

    def on_train_batch_begin(self, run: Run) -> None:
        self._call(run, ("on_train_batch_begin", "on_batch_begin"), (run.batch,))

    def on_train_batch_end(self, run: Run) -> None:
        self._call(run, ("on_train_batch_end", "on_batch_end"), (run.batch - 1,), run.logs)

    def _call(
        self, run: Run, hooks: tuple[str, ...], args: tuple[Any, ...], logs: dict[str, Any] | None = None
    ) -> None:
        """Call hooks that are overridden, with the model as it is now, and do what they ask for."""
        own = [hook for hook in hooks if getattr(type(self._callback), hook) is not getattr(Callback, hook)]
        if not own:
            return
        model = self._model
        weights = run.weights
        model.take(*weights)
        model.optimizer.held_by(run)
        before = model.stop_training
        try:
            for hook in own:
                getattr(self._callback, hook)(*args, {} if logs is None else logs)
        finally:
            model.optimizer.held_by(None)
        now = model.params, model.state
        same = all(a is b for a, b in zip(tree.leaves(now), tree.leaves(weights), strict=True))
        if not same:
            run.replace(run.ts._replace(params=now[0], state=now[1]))
        if model.stop_training and not before:
            run.stop()


def adapted(given: Any, model: Trained) -> list[Any]:
    """The callbacks as `fnet.Trainer` takes them."""
    several = [] if given is None else list(given) if isinstance(given, list | tuple) else [given]
    return [Adapted(one, model) if isinstance(one, Callback) else one for one in several]


def __getattr__(name: str) -> Any:
    return getattr(callbacks, name)
