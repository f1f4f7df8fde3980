"""A jitted function for one kind of arguments: its program, and how trees map to inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fnet import tree
from fnet.compile.build import build
from fnet.compile.program import Program
from fnet.compile.workspace import Workspace
from fnet.context import Context, Level, Observed, in_force, within
from fnet.garbage import collection_put_off
from fnet.transforms.call import Call
from fnet.transforms.donation import feeding, follow
from fnet.transforms.signature import Label, Signature
from fnet.transforms.stage import stage
from fnet.transforms.steady import Fresh, Held, Parts, Steady, rebuilt

if TYPE_CHECKING:
    from fnet.transforms.steady_call import SteadyCall


MANY = 512
"""After so many steady calls of `repeat` a function is written for them. The first one of a process takes 16 ms."""


class Specialised:
    """What `jit` makes of `f` for calls like `call`, under a precision level; `device` is where its arrays are.

    reads: the attribute of a context that must be this level for a call: "jit_level" where `f` reads hidden values,
    else "precision". fast: makes a steady call at once, where such a function has been written; fast_repeat: many in a
    row. used: grows with every use.
    """

    @collection_put_off()
    def __init__(
        self,
        f: Callable[..., Any],
        call: Call,
        donate: frozenset[Label],
        signature: Signature,
        executor: str,
        workspace: Workspace,
        level: Level,
    ) -> None:
        self.workspace, self.level, self.used = workspace, level, 0
        self._names = [signature.name(label) for label in call.labels]
        self._is_by_position = not call.by_keyword
        self._static, self._spans, self._specs = call.static, call.spans, call.specs()
        observed = Observed(level, None if in_force().jit_level is None else in_force().position)
        with within(observed):
            graph, self._result = stage(call.applied(f), self._specs, call.rebuilt)
        self.reads = "jit_level" if observed.is_read else "precision"
        self.feeding = feeding(self._result, [v.spec for v in graph.outputs], call.donated(donate, signature))
        self._updated = {p: path for p, path in self.feeding.paths.items() if self._spans[p][0] < self._spans[p][1]}
        self.device = call.device(signature, graph.held)
        self.program = Program(build(graph, self.device, self.feeding.inputs), workspace, executor, graph.held)
        self.steady: Steady | None = None
        self.fast: Callable[[tuple[Any, ...]], Any] | None = None
        self.fast_repeat: Callable[[tuple[Any, ...], int], Any] | None = None
        self._steady_calls: dict[bool, SteadyCall] = {}
        self._repeats = 0

    def is_for(self, context: Context) -> bool:
        """Whether calls in this context may run the program."""
        return self.level is getattr(context, self.reads)

    def run(self, args: tuple[Any, ...], leaves: list[Any], repeat: int = 1) -> Any:
        """Run in place if the call is steady, else on new trees: donated leaves are copied into a fresh state block."""
        return self.workspace.alone(self._run, args, leaves, repeat)

    def run_steady(self, args: tuple[Any, ...]) -> Any:
        """Run in place if the call is steady, else None: nothing is flattened or bound, only new arrays are passed."""
        return self.workspace.alone(self._run_steady, args)

    def repeat_steady(self, args: tuple[Any, ...], count: int) -> Any:
        """The same many times in a row."""
        return self.workspace.alone(self._run_steady, args, count, True)

    def release(self) -> None:
        """Hold the donated arrays no longer: the next call copies what it is given."""
        self.workspace.alone(self._release)

    def _run(self, args: tuple[Any, ...], leaves: list[Any], repeat: int) -> Any:
        result = self._run_steady(args, repeat, repeat > 1)
        if result is not None:
            return result
        self._end_steady()
        ready = self.device.ready
        inputs = [ready(x, s.dtype) for x, s in zip(leaves, self._specs, strict=True)]
        if self.feeding.inputs:
            self.program.donate(inputs)
        outputs = self.program.run(inputs, repeat)
        for k, buffer in enumerate(self.program.plan.kept):
            if buffer is not None:
                outputs[k] = self.program.kept_array(k)
        result = tree.unflatten(self._result, outputs)
        self.steady = self._steady(args, result)
        return result

    def _run_steady(self, args: tuple[Any, ...], repeat: int = 1, is_repeated: bool = False) -> Any:
        steady = self.steady
        if steady is None or not self.is_for(in_force()) or not steady.matches(args):
            return None
        outputs = self.program.run(steady.inputs(args, len(self._specs)), repeat)
        self._repeats += is_repeated
        if not is_repeated or self._repeats > MANY:
            self._write_steady_call(steady, is_repeated)
        return steady.result(outputs)

    def _write_steady_call(self, steady: Steady, repeats: bool) -> None:
        """Write the shortest call for what runs the plan now, unless that has been done."""
        if not self.program.runner.is_settled:
            return
        if repeats in self._steady_calls and self._steady_calls[repeats].guard.is_current():
            return
        from fnet.transforms.steady_call import SteadyCall, guard_of

        guard = guard_of(steady, self.program)
        if guard is not None:
            made = SteadyCall(steady, self.reads, self.level, self.program, self, guard, repeats)
            # What is edited while this is written must not be taken for what was returned.
            if all(held.is_same() for held in steady.held.values()):
                self._steady_calls[repeats] = made
                if repeats:
                    self.fast_repeat = made.call
                else:
                    self.fast = made.call

    def _end_steady(self) -> None:
        for made in self._steady_calls.values():
            made.guard.end()
        self._steady_calls.clear()
        self.steady = self.fast = self.fast_repeat = None
        self._repeats = 0

    def _release(self) -> None:
        self._end_steady()
        self.program.release()

    def _steady(self, args: tuple[Any, ...], result: Any) -> Steady | None:
        """What the next call looks like if it is steady; None where a steady call is not possible.

        It is where nothing can interrupt an update, and where the rest of the result and of the arguments are arrays,
        or tuples, lists and dicts of them.
        """
        if not self._is_by_position or (self._updated and not self.program.runner.is_atomic):
            return None
        known = {path: self._spans[p][1] - self._spans[p][0] for p, path in self._updated.items()}
        fresh = Fresh(self.device.array, known)
        if not fresh.add(result):
            return None
        parts = Parts(self.device.array)
        numbers: list[int] = []
        for position, span in enumerate(self._spans):
            if position in self._static:
                parts.objects.append(((position,), args[position]))
            elif position not in self._updated:
                if not parts.add(args[position], (position,)):
                    return None
                numbers += range(*span)
        trees = {p: follow(result, path) for p, path in self._updated.items()}
        returned = rebuilt(
            result, {path: trees[p] for p, path in self._updated.items()} | {path: None for path, *_ in fresh.arrays}
        )
        held = {p: Held(part, self.device) for p, part in trees.items()}
        pairs = list(self._updated.items())
        return Steady(self._names, returned, pairs, held, self.device, self.program.state, parts, numbers, fresh.arrays)
