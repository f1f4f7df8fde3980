"""A plan that can be run: its memory, its donated state, and the choice between the walker and native code."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

from fnet.compile.memory import ARENA, STATE, Buffer, allocate
from fnet.compile.plan import Plan
from fnet.compile.results import empty
from fnet.compile.walk import Kernels, Walker
from fnet.compile.workspace import Workspace
from fnet.errors import ValueRangeError
from fnet.spec import ArraySpec

EXECUTORS = ("auto", "walk", "native")
HOT_RUNS = 16
PATIENCE = 0.0035  # seconds of walking for each call of a plan: a twentieth of what compiling it takes

# Where a plan touches less memory than this, in bytes, walking it (4 us and 0.6 us a call) takes a fifth of the time or
# more. Native code for more calls would take long to compile (70 ms a call).
LIGHT_TRAFFIC, LIGHT_TRAFFIC_PER_CALL = 5 << 18, 1 << 17
MOST_CALLS = 96


def check_executor(name: str) -> str:
    """`name` if it is one of `EXECUTORS`; "auto" yields to the environment variable ``FNET_EXECUTOR``."""
    if name == "auto":
        name = os.environ.get("FNET_EXECUTOR", "auto")
    if name not in EXECUTORS:
        raise ValueRangeError(f"executor must be one of {', '.join(EXECUTORS)}; received {name!r}.")
    return name


class Program:
    """Runs one plan, in the arena of a workspace that it shares with others; whoever calls it is alone there.

    A plan starts under the walker. If its calls touch so little memory that walking costs a good part of the time, it
    is compiled to one native function once it has been walked for longer than `PATIENCE`, or, where an earlier process
    has done so, after `HOT_RUNS` runs ("auto").
    """

    def __init__(self, plan: Plan, workspace: Workspace, executor: str = "auto") -> None:
        self.plan = plan
        self.executor = executor
        self.workspace = workspace
        self.runs = 0
        self.walked = 0.0
        self.native: Any = None
        self._runner: Any = None
        self._kernels = Kernels(plan)
        self._fixed = allocate(plan.fixed_bytes)
        for buffer in plan.constants:
            assert buffer.constant is not None
            self._fixed[buffer.offset : buffer.offset + buffer.nbytes] = buffer.constant.reshape(-1).view(np.uint8)
        self._state = allocate(0)
        self._fresh = [(k, s.shape, s.dtype) for k, s in enumerate(plan.outputs) if plan.kept[k] is None]
        self._no_outputs: list[Any] = [None] * len(plan.outputs)
        calls = len(plan.calls)
        light = calls <= MOST_CALLS and plan.traffic < LIGHT_TRAFFIC + calls * LIGHT_TRAFFIC_PER_CALL
        self._is_open = light and executor == "auto"  # whether native code may still be chosen
        self._is_hot = executor == "native"
        self._patience = PATIENCE * calls
        workspace.tenants.add(self)

    @property
    def runner(self) -> Any:
        """What runs the plan: a `Walker` or a `Native`."""
        if self._runner is None:
            arena = self.workspace.at_least(self.plan.arena_bytes)
            self._runner = self.native or self._make_runner(arena)
        return self._runner

    @property
    def is_direct(self) -> bool:
        """Whether what runs the plan is called past Numba's dispatch: after its first run."""
        return self.native.is_direct if self.native is not None else self._kernels.are_direct

    @property
    def state(self) -> np.ndarray:
        """The block of donated arrays that the program holds."""
        return self._state

    def move(self, arena: np.ndarray) -> None:
        """Work in another arena from now on."""
        if self.native is not None:
            self.native.bind(ARENA, arena)
        self._runner = self.native if arena.nbytes >= self.plan.arena_bytes else None

    def donate(self, leaves: list[np.ndarray]) -> None:
        """Copy the donated inputs into a new state block; arrays handed out before stay as they are."""
        state = allocate(self.plan.state_bytes)
        for i, buffer in self.plan.state.items():
            _array(state, self.plan.inputs[i], buffer)[...] = leaves[i]
        self._bind(state)

    def release(self) -> None:
        """Hold the donated arrays no longer; they are as they were."""
        self._bind(allocate(0))

    def run(self, inputs: list[Any], repeat: int = 1) -> list[Any]:
        """Run the plan `repeat` times; returns the outputs that are arrays of their own, None for kept ones."""
        outputs = self._no_outputs.copy()
        for k, shape, dtype in self._fresh:
            outputs[k] = empty(shape, dtype)
        if self._is_open:
            self._run_and_choose(repeat, inputs, outputs)
        else:
            self.runner.run(repeat, inputs, outputs)
        return outputs

    def kept_array(self, k: int) -> np.ndarray:
        """Output k where it was left in the state block."""
        buffer = self.plan.kept[k]
        assert buffer is not None
        return _array(self._state, self.plan.outputs[k], buffer)

    def _bind(self, state: np.ndarray) -> None:
        self._state = state
        if self.native is not None:
            self.native.bind(STATE, state)
        self._runner = None

    def _run_and_choose(self, repeat: int, inputs: list[Any], outputs: list[Any]) -> None:
        """A run that counts for the choice of native code; the first one, which compiles kernels, takes no time."""
        begin = time.perf_counter()
        known = self._kernels.are_direct
        self.runner.run(repeat, inputs, outputs)
        self.walked += time.perf_counter() - begin if known else 0.0
        before, self.runs = self.runs, self.runs + repeat
        if self.runs > HOT_RUNS and (self.walked > self._patience or (before <= HOT_RUNS and self._is_known())):
            self._is_open, self._is_hot, self._runner = False, True, None

    def _is_known(self) -> bool:
        from fnet.compile.native import is_known

        return is_known(self.plan)

    def _make_runner(self, arena: np.ndarray) -> Any:
        if not self._is_hot:
            if not self._kernels.are_direct:
                from fnet.compile.ahead import compile_kernels

                compile_kernels(self.plan)
            return Walker(self.plan, self._kernels, arena, self._fixed, self._state)
        from fnet.compile.native import Native, unreachable

        own = unreachable(self.plan)
        if own is None:
            self.native = Native(self.plan, arena, self._fixed, self._state)
            return self.native
        if self.executor == "native":
            raise ValueRangeError(
                f"generated code cannot import the compiled kernel '{own}'. Define it with @numba.njit at the top of "
                f"an importable module, or leave executor='auto'."
            )
        return Walker(self.plan, self._kernels, arena, self._fixed, self._state)


def _array(state: np.ndarray, spec: ArraySpec, buffer: Buffer) -> np.ndarray:
    """A donated array on the block `state`."""
    return state[buffer.offset : buffer.offset + buffer.nbytes].view(spec.dtype).reshape(spec.shape)
