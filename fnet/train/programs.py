"""What a trainer compiles: each function once, and the passes over data that its steps make."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Any

import numpy as np

from fnet import tree
from fnet.networks.layer import Layer
from fnet.optimizers import Optimizer
from fnet.train import steps
from fnet.train.examine import Examined
from fnet.train.interrupt import Interrupt
from fnet.train.loop import CompiledLoop, Pass
from fnet.train.measures import BoundMeasures
from fnet.train.sources.source import Source
from fnet.train.state import TrainState
from fnet.transforms.jit import Jitted, jit


class Programs:
    """The compiled functions for a network and its optimizer.

    compiled: by what they do and for what data.
    """

    def __init__(self, net: Layer, optimizer: Optimizer) -> None:
        self._net, self._optimizer = net, optimizer
        self.compiled: dict[Any, Jitted] = {}
        self._idle: dict[tuple[Any, int | None], CompiledLoop] = {}

    def training(self, measures: BoundMeasures, data: Any, used: ExitStack) -> Pass:
        """Passes of training over data like these, until `used` ends."""
        return self._pass(steps.training_step, measures, data, used)

    def evaluation(
        self, examined: Examined, ts: TrainState, source: Source, used: ExitStack
    ) -> Callable[..., dict[str, float] | None]:
        """The function ``(params, state, interrupt=None, more=False) -> results`` over data, None where interrupted.

        more: whether it is called again. used: ends when the function has been called for the last time.
        """
        measures, empty = examined
        start = steps.Evaluation(ts.params, ts.state, np.zeros((), np.int64), empty)
        passes = self._pass(steps.evaluation_step, measures, source.sample, used)

        def evaluate(
            params: Any, state: Any, interrupt: Interrupt | None = None, more: bool = False
        ) -> dict[str, float] | None:
            totals, chunks = start.totals, source.in_order(more).chunks(0, interrupt=interrupt)
            with closing(passes.run(start._replace(params=params, state=state), chunks)) as done:
                for _, carry in done:
                    totals = carry.totals
                    if interrupt is not None and interrupt.requested:
                        break
            return None if interrupt is not None and interrupt.requested else steps.numbers(measures, totals)

        return evaluate

    def gradient(self, measures: BoundMeasures, data: Any) -> Callable[..., Any]:
        """The function ``(ts, *leaves of data) -> gradient`` for one batch like `data`."""
        leaves, structure = tree.flatten(data)
        key = (steps.gradient_of_batch, measures.outputs, len(leaves[0]), structure)
        if key not in self.compiled:
            setup = steps.Setup(self._net, measures, self._optimizer)
            self.compiled[key] = jit(steps.gradient_of_batch(setup, structure))
        return self.compiled[key]

    def prediction(self, x: Any) -> Jitted:
        """The function ``((params, state), *leaves of x)`` of `steps.prediction` for samples like `x`."""
        structure = tree.structure(x)
        return self._carrying(("predict", structure), lambda: steps.prediction(self._net, structure))

    def _pass(self, make: Callable[..., Any], measures: BoundMeasures, data: Any, used: ExitStack) -> Pass:
        """Passes over data like these by the steps that `make` gives, until `used` ends."""
        structure = tree.structure(data)

        def step(size: int | None) -> Jitted:
            setup = steps.Setup(self._net, measures, self._optimizer)
            return self._carrying((make, measures.outputs, size, structure), lambda: make(setup, size, structure))

        return used.enter_context(closing(Pass(step, self._idle, (make, measures.outputs, structure))))

    def _carrying(self, key: Any, make: Callable[[], Callable[..., Any]]) -> Jitted:
        """The compiled function of this key; its first argument is carried."""
        if key not in self.compiled:
            self.compiled[key] = jit(make(), donate=0)
        return self.compiled[key]
