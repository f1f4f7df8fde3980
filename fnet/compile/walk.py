"""The Python walker: runs a plan call by call, with no compile time beyond that of the kernels."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import starmap
from operator import call
from typing import Any

import numpy as np

from fnet.compile.direct import direct
from fnet.compile.memory import ARENA, FIXED, INPUT, STATE
from fnet.compile.plan import Plan, Slot


class Kernels:
    """The kernels of a plan in the order of its calls; once they have run, their machine code."""

    def __init__(self, plan: Plan) -> None:
        self.calls: list[Callable[..., Any]] = [call.kernel for call in plan.calls]
        self.are_direct = False
        self.are_compiled = False

    def resolve(self, steps: list[tuple[Any, ...]]) -> None:
        """Find the machine code for the arguments in `steps`, each (kernel, *arguments)."""
        found = [direct(kernel, args) for kernel, *args in steps]
        self.are_compiled = all(code is not kernel for code, kernel in zip(found, self.calls, strict=True))
        self.calls, self.are_direct = found, True


class Walker:
    """A plan bound to its blocks of memory; inputs and outputs change from run to run.

    Compiled kernels are called in a row without a return to Python, so that Ctrl-C finds a run done or not begun.
    """

    def __init__(
        self, plan: Plan, kernels: Kernels, arena: np.ndarray, fixed: np.ndarray, state: np.ndarray | None
    ) -> None:
        self._kernels = kernels
        blocks = {ARENA: arena, FIXED: fixed, STATE: state}
        self._args: list[list[Any]] = []
        self._moving: dict[int, list[tuple[int, Slot]]] = {}
        for number, made in enumerate(plan.calls):
            args: list[Any] = []
            for i, arg in enumerate(made.args):
                block = blocks.get(arg.buffer.place) if isinstance(arg, Slot) else None
                if not isinstance(arg, Slot):
                    args.append(arg)
                elif block is not None:
                    args.append(_window(block[arg.buffer.offset :], arg))
                else:
                    self._moving.setdefault(number, []).append((i, arg))
                    args.append(None)
            self._args.append(args)
        self._bind()

    @property
    def is_atomic(self) -> bool:
        """Whether nothing can come between two calls of a run."""
        return self._kernels.are_compiled

    def run(self, repeat: int, inputs: list[np.ndarray], outputs: list[np.ndarray | None]) -> None:
        steps, kernels = self._steps.copy(), self._kernels
        for number, slots in self._moving.items():
            args = self._args[number].copy()
            for i, slot in slots:
                array = (inputs if slot.buffer.place == INPUT else outputs)[slot.buffer.index]
                args[i] = _window(array, slot)
            steps[number] = (kernels.calls[number], *args)
        for _ in range(repeat):
            deque(starmap(call, steps), maxlen=0)
        if not kernels.are_direct:
            kernels.resolve(steps)
            self._bind()

    def _bind(self) -> None:
        self._steps = [(kernel, *args) for kernel, args in zip(self._kernels.calls, self._args, strict=True)]


def _window(array: Any, slot: Slot) -> np.ndarray:
    """What a slot shows of a contiguous array: of that dtype, or of bytes."""
    flat = array.reshape(-1)
    if flat.dtype is not slot.dtype:
        return flat.view(np.uint8)[slot.skip : slot.skip + slot.nbytes].view(slot.dtype)
    if slot.count == flat.size:
        return flat
    start = slot.skip // flat.itemsize
    return flat[start : start + slot.count]
