"""The Python walker: runs a plan call by call, with no compile time beyond that of the kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fnet.compile.direct import direct
from fnet.compile.memory import ARENA, INPUT, STATE
from fnet.compile.plan import Plan, Slot


class Walker:
    """A plan bound to an arena and a state block; inputs and outputs change from run to run."""

    def __init__(self, plan: Plan, arena: np.ndarray, state: np.ndarray) -> None:
        blocks = {ARENA: arena, STATE: state}
        self.calls: list[tuple[Callable, list[Any], list[tuple[int, Slot]]]] = []
        for call in plan.calls:
            args: list[Any] = []
            moving: list[tuple[int, Slot]] = []
            for i, arg in enumerate(call.args):
                if isinstance(arg, Slot) and arg.buffer.place in blocks:
                    block = blocks[arg.buffer.place]
                    args.append(_window(block[arg.buffer.offset :], arg))
                elif isinstance(arg, Slot):
                    moving.append((i, arg))
                    args.append(None)
                else:
                    args.append(arg)
            self.calls.append((call.kernel, args, moving))
        self._are_direct = False

    def run(self, repeat: int, inputs: list[np.ndarray], outputs: list[np.ndarray | None]) -> None:
        for _ in range(repeat):
            for kernel, args, moving in self.calls:
                for i, slot in moving:
                    array = (inputs if slot.buffer.place == INPUT else outputs)[slot.buffer.index]
                    args[i] = _window(array, slot)
                kernel(*args)
        if not self._are_direct:
            self._are_direct = True
            self.calls = [(direct(kernel, args), args, moving) for kernel, args, moving in self.calls]


def _window(array: Any, slot: Slot) -> np.ndarray:
    bytes_of = array if array.dtype == np.uint8 and array.ndim == 1 else array.reshape(-1).view(np.uint8)
    return bytes_of[slot.skip : slot.skip + slot.nbytes].view(slot.dtype)
