"""How a plan runs on the CPU: walked, or as one native function where that pays."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fnet.compile.memory import ARENA, FIXED, STATE
from fnet.compile.plan import Plan
from fnet.compile.walk import Kernels, Walker
from fnet.device import Block
from fnet.errors import ValueRangeError

if TYPE_CHECKING:
    from fnet.devices.cpu.native import Native

HOT_RUNS = 16
PATIENCE = 0.0035  # seconds of walking for each call of a plan: a twentieth of what compiling it takes

# Where a plan touches less memory than this, in bytes, walking it (4 us and 0.6 us a call) takes a sixth of the time or
# more. Native code for more calls would take long to compile (70 ms a call).
LIGHT_TRAFFIC, LIGHT_TRAFFIC_PER_CALL = 5 << 19, 1 << 17
MOST_CALLS = 96


class Executor:
    """Runs one plan; see `fnet.device.Runner`.

    A plan starts under the walker. If its calls touch so little memory that walking costs a good part of the time, it
    is compiled to one native function once it has been walked for longer than `PATIENCE`, or, where an earlier process
    has done so, after `HOT_RUNS` runs ("auto").
    active: the `Walker` or `Native` that ran last, None before the first run in these blocks.
    """

    def __init__(self, plan: Plan, executor: str) -> None:
        self.plan = plan
        self.runs = 0
        self.walked = 0.0
        self.native: Native | None = None
        self.active: Walker | Native | None = None
        self._executor = executor
        self._blocks: dict[str, Block] = {}
        self._kernels = Kernels(plan)
        calls = len(plan.calls)
        light = calls <= MOST_CALLS and plan.traffic < LIGHT_TRAFFIC + calls * LIGHT_TRAFFIC_PER_CALL
        self._is_open = light and executor == "auto"  # whether native code may still be chosen
        self._is_hot = executor == "native"
        self._patience = PATIENCE * calls

    @property
    def is_atomic(self) -> bool:
        return self.native is not None or self._kernels.are_compiled

    @property
    def is_settled(self) -> bool:
        """Whether what runs the plan is called past Numba's dispatch: after its first run."""
        return self.native.is_direct if self.native is not None else self._kernels.are_direct

    def bind(self, place: str, block: Block) -> None:
        self._blocks[place] = block
        if self.native is not None:
            self.native.bind(place, block)
        else:
            self.active = None

    def run(self, repeat: int, inputs: list[Any], outputs: list[Any]) -> None:
        active = self.active
        if active is None:
            active = self.active = self._made()
        if self._is_open:
            self._run_and_choose(active, repeat, inputs, outputs)
        else:
            active.run(repeat, inputs, outputs)

    def _run_and_choose(self, active: Walker | Native, repeat: int, inputs: list[Any], outputs: list[Any]) -> None:
        """A run that counts for the choice of native code; the first one, which compiles kernels, takes no time."""
        begin = time.perf_counter()
        known = self._kernels.are_direct
        active.run(repeat, inputs, outputs)
        self.walked += time.perf_counter() - begin if known else 0.0
        before, self.runs = self.runs, self.runs + repeat
        if self.runs > HOT_RUNS and (self.walked > self._patience or (before <= HOT_RUNS and self._is_known())):
            self._is_open, self._is_hot, self.active = False, True, None

    def _is_known(self) -> bool:
        from fnet.devices.cpu.native import is_known

        return is_known(self.plan)

    def _made(self) -> Walker | Native:
        if not self._is_hot:
            if not self._kernels.are_direct:
                from fnet.devices.cpu.ahead import compile_kernels

                compile_kernels(self.plan)
            return self._walker()
        from fnet.devices.cpu.native import Native, unreachable

        own = unreachable(self.plan)
        if own is None:
            self.native = Native(self.plan, *(self._blocks[place] for place in (ARENA, FIXED, STATE)))
            return self.native
        if self._executor == "native":
            raise ValueRangeError(
                f"generated code cannot import the compiled kernel '{own}'. Define it with @numba.njit at the top of "
                f"an importable module, or leave executor='auto'."
            )
        return self._walker()

    def _walker(self) -> Walker:
        return Walker(self.plan, self._kernels, self._blocks)
