"""Hooks of callbacks in `evaluate`, in the validation of `fit`, and in `predict`; only where a callback has some."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import numpy as np

from fnet import tree
from fnet.keras.callbacks import Callback
from fnet.keras.progress import in_keras_order
from fnet.train.examine import Examined
from fnet.train.interrupt import Interrupt
from fnet.train.loop import Pass
from fnet.train.programs import Programs
from fnet.train.sources.source import Source
from fnet.train.state import TrainState
from fnet.train.steps import Evaluation, evaluation_step, numbers
from fnet.train.trainer import Trainer

if TYPE_CHECKING:
    from fnet.keras.models.trained import Trained

Evaluate = Callable[..., dict[str, float] | None]


class InferenceHooks:
    """Calls the hooks of some callbacks. what: "test" or "predict"."""

    def __init__(self, what: str, callbacks: Sequence[Callback], model: Trained) -> None:
        self.what, self.callbacks, self.model = what, callbacks, model
        self.batch = 0

    @classmethod
    def of(cls, what: str, callbacks: Sequence[Any], model: Trained) -> InferenceHooks | None:
        """Those of the callbacks that have such hooks; None without any."""
        hooks = [f"on_{what}_{when}" for when in ("begin", "end", "batch_begin", "batch_end")]
        own = [one for one in callbacks if isinstance(one, Callback) and any(_has(one, hook) for hook in hooks)]
        return cls(what, own, model) if own else None

    @property
    def see_batches(self) -> bool:
        """Whether a callback has a hook of batches."""
        return any(_has(one, f"on_{self.what}_batch_{when}") for one in self.callbacks for when in ("begin", "end"))

    def begin(self) -> None:
        """Before the first batch."""
        self.batch = 0
        for one in self.callbacks:
            one.set_model(self.model)
            getattr(one, f"on_{self.what}_begin")({})

    def end(self, logs: dict[str, Any]) -> None:
        """After the last batch."""
        for one in self.callbacks:
            getattr(one, f"on_{self.what}_end")(logs)

    def batch_begins(self) -> None:
        """Before a batch."""
        for one in self.callbacks:
            getattr(one, f"on_{self.what}_batch_begin")(self.batch, {})

    def batch_ended(self, logs: dict[str, Any]) -> None:
        """After a batch."""
        for one in self.callbacks:
            getattr(one, f"on_{self.what}_batch_end")(self.batch, logs)
        self.batch += 1

    def around(self, evaluate: Evaluate) -> Evaluate:
        """The function of an evaluation, with what comes before and after it."""

        def hooked(
            params: Any, state: Any, interrupt: Interrupt | None = None, more: bool = False
        ) -> dict[str, float] | None:
            self.model.hold_trained(params, state)
            self.begin()
            found = evaluate(params, state, interrupt, more)
            if found is not None:
                self.end(in_keras_order(found))
            return found

        return hooked

    def by_batches(
        self, passes: Pass, start: Any, source: Source, results: Callable[[Any], dict[str, Any]]
    ) -> Evaluate:
        """The function of an evaluation, batch by batch. start: the tree that its steps take and return."""

        def evaluate(
            params: Any, state: Any, interrupt: Interrupt | None = None, more: bool = False
        ) -> dict[str, float] | None:
            totals, epoch = start.totals, source.in_order(more)
            if epoch.has(0):
                self.batch_begins()
            chunks = epoch.chunks(0, interrupt=interrupt)
            with closing(passes.run(start._replace(params=params, state=state), chunks, lambda: 1)) as done:
                for _, carry in done:
                    totals = carry.totals
                    self.batch_ended(in_keras_order(results(totals)))
                    if interrupt is not None and interrupt.requested:
                        return None
                    if epoch.has(self.batch):
                        self.batch_begins()
            return results(totals)

        return evaluate


class HookedPrograms(Programs):
    """The compiled functions of a trainer, with hooks of callbacks around them while there are `hooks`."""

    hooks: InferenceHooks | None = None

    def evaluation(self, examined: Examined, ts: TrainState, source: Source, used: ExitStack) -> Evaluate:
        hooks = self.hooks
        if hooks is None:
            return super().evaluation(examined, ts, source, used)
        if not hooks.see_batches:
            return hooks.around(super().evaluation(examined, ts, source, used))
        measures, empty = examined
        start = Evaluation(ts.params, ts.state, np.zeros((), np.int64), empty)
        passes = self._pass(evaluation_step, measures, source.sample, used)
        return hooks.around(hooks.by_batches(passes, start, source, lambda totals: numbers(measures, totals)))

    def prediction(self, x: Any) -> Any:
        predict, hooks = super().prediction(x), self.hooks
        if hooks is None or not hooks.see_batches:
            return predict

        def hooked(network: Any, *leaves: Any) -> Any:
            hooks.batch_begins()
            network, *parts = predict(network, *leaves)
            hooks.batch_ended({"outputs": parts[0] if len(parts) == 1 else list(tree.map(np.asarray, parts))})
            return (network, *parts)

        return hooked


class HookedTrainer(Trainer):
    """A trainer whose evaluations and predictions call hooks of callbacks while there are `hooks`."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._programs = self.hooked = HookedPrograms(self._net, self._optimizer)

    @property
    def hooks(self) -> InferenceHooks | None:
        return self.hooked.hooks

    @hooks.setter
    def hooks(self, hooks: InferenceHooks | None) -> None:
        self.hooked.hooks = hooks


def _has(callback: Callback, hook: str) -> bool:
    return getattr(type(callback), hook) is not getattr(Callback, hook)
