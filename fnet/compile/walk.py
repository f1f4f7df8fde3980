"""The Python walker: runs a plan call by call, with no compile time beyond that of the kernels."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from itertools import starmap
from operator import call
from typing import Any

from fnet.compile.memory import INPUT
from fnet.compile.plan import Plan, Slot
from fnet.device import Block, Device


class Kernels:
    """The kernels of a plan in the order of its calls; once they have run, the shortest ways to call them.

    are_direct: whether these have been found; are_compiled: whether every kernel has one.
    """

    def __init__(self, plan: Plan) -> None:
        self.device: Device = plan.device
        self.calls: list[Callable[..., Any]] = [call.kernel for call in plan.calls]
        self.are_direct = False
        self.are_compiled = False

    def resolve(self, steps: list[tuple[Any, ...]]) -> None:
        """Find the shortest ways for the arguments in `steps`, each (kernel, *arguments)."""
        found = [self.device.direct(kernel, args) for kernel, *args in steps]
        self.are_compiled = all(code is not kernel for code, kernel in zip(found, self.calls, strict=True))
        self.calls, self.are_direct = found, True


class Walker:
    """A plan bound to its blocks of memory; inputs and outputs change from run to run.

    Compiled kernels are called in a row without a return to Python, so that Ctrl-C finds a run done or not begun.
    """

    def __init__(self, plan: Plan, kernels: Kernels, blocks: Mapping[str, Block]) -> None:
        self._kernels = kernels
        self._flat = kernels.device.flat
        self._args: list[list[Any]] = []
        self._moving: dict[int, list[tuple[int, Slot]]] = {}
        for number, made in enumerate(plan.calls):
            args: list[Any] = []
            for i, arg in enumerate(made.args):
                if not isinstance(arg, Slot):
                    args.append(arg)
                elif arg.buffer.place in blocks:
                    offset = arg.buffer.offset + arg.skip
                    args.append(self._flat(blocks[arg.buffer.place], offset, arg.count, arg.dtype))
                else:
                    self._moving.setdefault(number, []).append((i, arg))
                    args.append(None)
            self._args.append(args)
        self._bind()

    def run(self, repeat: int, inputs: list[Any], outputs: list[Any]) -> None:
        steps, kernels, flat = self._steps.copy(), self._kernels, self._flat
        for number, slots in self._moving.items():
            args = self._args[number].copy()
            for i, slot in slots:
                array = (inputs if slot.buffer.place == INPUT else outputs)[slot.buffer.index]
                args[i] = flat(array, slot.skip, slot.count, slot.dtype)
            steps[number] = (kernels.calls[number], *args)
        for _ in range(repeat):
            deque(starmap(call, steps), maxlen=0)
        if not kernels.are_direct:
            kernels.resolve(steps)
            self._bind()

    def _bind(self) -> None:
        self._steps = [(kernel, *args) for kernel, args in zip(self._kernels.calls, self._args, strict=True)]
