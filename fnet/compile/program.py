"""A plan that can be run: its memory, and its donated state."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from fnet.compile.memory import ARENA, FIXED, STATE
from fnet.compile.plan import Plan
from fnet.compile.workspace import Workspace
from fnet.device import Array, Block
from fnet.errors import ValueRangeError

EXECUTORS = ("auto", "walk", "native")


def check_executor(name: str) -> str:
    """`name` if it is one of `EXECUTORS`; "auto" yields to the environment variable ``FNET_EXECUTOR``."""
    if name == "auto":
        name = os.environ.get("FNET_EXECUTOR", "auto")
    if name not in EXECUTORS:
        raise ValueRangeError(f"executor must be one of {', '.join(EXECUTORS)}; received {name!r}.")
    return name


class Program:
    """Runs one plan, in the arena of a workspace that it shares with others; whoever calls it is alone there.

    state: the block of donated arrays that the program holds; runner: what the device runs the plan by. held: the
    arrays that are the last inputs of the plan in every run.
    """

    def __init__(self, plan: Plan, workspace: Workspace, executor: str = "auto", held: Sequence[Array] = ()) -> None:
        self.plan = plan
        self.device = device = plan.device
        self.workspace = workspace
        self.runner = device.runner(plan, executor)
        self.state: Block = None
        self._held, self._given = held, len(plan.inputs) - len(held)
        self._is_in_arena = False
        self._fresh = [(k, s.shape, s.dtype) for k, s in enumerate(plan.outputs) if plan.kept[k] is None]
        self._no_outputs: list[Any] = [None] * len(plan.outputs)
        fixed = device.block(plan.fixed_bytes)
        for buffer in plan.constants:
            assert buffer.constant is not None
            window = device.window(fixed, buffer.offset, buffer.constant.shape, buffer.constant.dtype)
            device.assign(window, buffer.constant)
        self.runner.bind(FIXED, fixed)
        self.release()
        workspace.tenants.add(self)

    def move(self, arena: Block) -> None:
        """Work in another arena from now on, if it is large enough: a guarded call does not ask where it works."""
        if self.device.size_of(arena) >= self.plan.arena_bytes:
            self.runner.bind(ARENA, arena)
            self._is_in_arena = True

    def donate(self, leaves: list[Any]) -> None:
        """Copy the donated inputs into a new state block; arrays handed out before stay as they are."""
        device = self.device
        state = device.block(self.plan.state_bytes)
        for i, buffer in self.plan.state.items():
            spec = self.plan.inputs[i]
            device.assign(device.window(state, buffer.offset, spec.shape, spec.dtype), leaves[i])
        self._hold(state)

    def release(self) -> None:
        """Hold the donated arrays, which are as they were, and the arena no longer: until a run no call is guarded."""
        self._hold(self.device.block(0))
        self._is_in_arena = False
        self.runner.bind(ARENA, self.device.block(0))

    def run(self, inputs: list[Any], repeat: int = 1) -> list[Any]:
        """Run the plan `repeat` times; returns the outputs that are arrays of their own, None for kept ones."""
        if not self._is_in_arena:
            self.move(self.workspace.at_least(self.device, self.plan.arena_bytes))
        outputs, empty = self._no_outputs.copy(), self.device.empty
        for k, shape, dtype in self._fresh:
            outputs[k] = empty(shape, dtype)
        self.runner.run(repeat, [*inputs[: self._given], *self._held] if self._held else inputs, outputs)
        return outputs

    def kept_array(self, k: int) -> Array:
        """Output k where it was left in the state block."""
        buffer, spec = self.plan.kept[k], self.plan.outputs[k]
        assert buffer is not None
        return self.device.window(self.state, buffer.offset, spec.shape, spec.dtype)

    def _hold(self, state: Block) -> None:
        self.state = state
        self.runner.bind(STATE, state)
