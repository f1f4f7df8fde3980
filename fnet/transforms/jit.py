"""`jit`: trace once per kind of arguments, plan once, then only run kernels."""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np

from fnet import tree
from fnet.compile.build import build
from fnet.compile.collection import collection_put_off
from fnet.compile.program import Program, check_executor
from fnet.errors import DtypeError, StructureError, ValueRangeError, did_you_mean
from fnet.precision import current_precision, on_change
from fnet.spec import ArraySpec
from fnet.transforms.primitive import spec_of
from fnet.transforms.stage import stage
from fnet.transforms.steady import Parts, Results, Steady, follow, rebuilt, steady_call
from fnet.transforms.tracer import Tracer

Names = str | int | Sequence[str | int]


@overload
def jit(f: Callable[..., Any], *, donate: Names = (), static: Names = (), executor: str = "auto") -> Jitted: ...


@overload
def jit(
    f: None = None, *, donate: Names = (), static: Names = (), executor: str = "auto"
) -> Callable[[Callable[..., Any]], Jitted]: ...


def jit(f: Callable[..., Any] | None = None, *, donate: Names = (), static: Names = (), executor: str = "auto") -> Any:
    """Compile `f`: a pure function of trees of arrays becomes one flat plan of kernel calls.

    donate: arguments (names or positions) whose arrays the call may reuse for its results. Trees that a call returned
        and that come back in are recognised by identity and updated in place: copy what you want to keep, and build
        a new tree to change one. Arrays given for the first time are copied, so the caller's own are never touched.
    static: arguments that are ordinary Python values; `f` is traced anew for each distinct (hashable) value.
    executor: "walk" runs the plan from Python, "native" compiles it to one function, "auto" chooses.
    Returns a callable with the signature of `f` and a method ``plan(*args)`` that shows the kernels.
    Python control flow runs while tracing; a branch on a traced value raises `TracingError`.

    >>> import numpy as np, fnet
    >>> f = fnet.jit(lambda x: np.sum(x * x))
    >>> f(np.array([1.0, 2.0]))
    array(5.)
    """
    if f is None:
        return functools.partial(jit, donate=donate, static=static, executor=executor)
    return functools.update_wrapper(Jitted(f, donate, static, executor), f)


_ALL: weakref.WeakSet[Jitted] = weakref.WeakSet()


@on_change
def _forget_latest() -> None:
    """The way of the last call is no longer the way of the next one."""
    for jitted in list(_ALL):
        jitted._latest = None


class Jitted:
    """A compiled function; see `jit`."""

    def __init__(self, f: Callable[..., Any], donate: Names, static: Names, executor: str) -> None:
        self._f = f
        self._parameters = _parameters(f)
        self._donate = self._positions(donate, "donate")
        self._static = self._positions(static, "static")
        self._executor = check_executor(executor)
        self._compiled: dict[Any, _Compiled] = {}
        self._latest: _Compiled | None = None
        _ALL.add(self)
        if self._donate & self._static:
            raise ValueRangeError("an argument cannot be both donated and static.")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        latest = self._latest
        if latest is not None and not kwargs:
            result = latest.call(args)
            if result is not None:
                return result
        args = self._bind(args, kwargs)
        leaves, structures = self._flatten(args)
        if any(isinstance(x, Tracer) for x in leaves):
            return self._f(*args)
        compiled = self._specialise(args, leaves, structures)
        self._latest = compiled
        return compiled.run(args, leaves)

    def repeat(self, count: int, *args: Any) -> Any:
        """Call `count` times in a row, feeding donated results back in, without returning to Python in between.

        Results that are not donated arguments are those of the last call.
        """
        if count < 1:
            raise ValueRangeError(f"repeat needs a count of at least 1, received {count}.")
        if self._latest is not None:
            result = self._latest.run_steady(args, count)
            if result is not None:
                return result
        leaves, structures = self._flatten(args)
        self._latest = compiled = self._specialise(args, leaves, structures)
        return compiled.run(args, leaves, count)

    def plan(self, *args: Any, **kwargs: Any) -> Any:
        """The plan for these arguments: print it to see kernels, shapes and bytes."""
        return self.compiled(*args, **kwargs).program.plan

    def compiled(self, *args: Any, **kwargs: Any) -> _Compiled:
        """The specialisation for these arguments, made if need be, without running it."""
        args = self._bind(args, kwargs)
        leaves, structures = self._flatten(args)
        return self._specialise(args, leaves, structures)

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Keyword arguments in their positions; defaults that nothing overrides stay the function's own constants."""
        if not kwargs:
            return args
        if self._parameters is None:
            raise StructureError("this function takes no keyword arguments under fnet.jit: its signature is unknown.")
        bound = self._parameters.bind(*args, **kwargs)
        if bound.kwargs:
            raise StructureError(
                f"keyword-only arguments ({', '.join(bound.kwargs)}) are not supported by jit. Make them positional."
            )
        names = list(self._parameters.parameters)
        given = max(names.index(name) for name in bound.arguments) + 1
        bound.apply_defaults()
        return bound.args[: max(given, len(args))]

    def _flatten(self, args: tuple[Any, ...]) -> tuple[list[Any], tuple[Any, ...]]:
        leaves: list[Any] = []
        structures: list[Any] = []
        for position, arg in enumerate(args):
            if position in self._static:
                structures.append(arg)
                continue
            found, structure = tree.flatten(arg)
            leaves += found
            structures.append(structure)
        return leaves, tuple(structures)

    def _specialise(self, args: tuple[Any, ...], leaves: list[Any], structures: tuple[Any, ...]) -> _Compiled:
        kinds = tuple([(x.dtype, x.shape) if type(x) is np.ndarray else self._spec(x, args) for x in leaves])
        try:
            found = self._compiled.get((structures, kinds, current_precision()))
        except TypeError as error:
            raise StructureError(
                f"static arguments must be hashable: {error}. Pass a tuple instead of a list."
            ) from None
        if found is None:
            specs = tuple(self._spec(x, args) for x in leaves)
            found = _Compiled(self._f, args, specs, self._static, self._donate, self._executor)
            self._compiled[structures, kinds, current_precision()] = found
        return found

    def _spec(self, leaf: Any, args: tuple[Any, ...]) -> ArraySpec:
        if isinstance(leaf, Tracer | np.ndarray | np.generic | bool | int | float):
            return spec_of(leaf)
        path = next(p for p, x in tree.leaves_with_path(args) if x is leaf)
        raise DtypeError(
            f"fnet.jit received a {type(leaf).__name__} in argument '{path}'; expected arrays and numbers in trees. "
            f"Name the argument in static= if it is a setting."
        )

    def _positions(self, names: Names, option: str) -> frozenset[int]:
        chosen = (names,) if isinstance(names, str | int) else tuple(names)
        known = list(self._parameters.parameters) if self._parameters else []
        positions = set()
        for name in chosen:
            if isinstance(name, int):
                positions.add(name)
            elif name in known:
                positions.add(known.index(name))
            else:
                raise ValueRangeError(
                    f"{option}={name!r} is not an argument of the function.{did_you_mean(name, known)}"
                )
        return frozenset(positions)


class _Compiled:
    """One specialisation of a jitted function: a program, and how trees map to its inputs and outputs."""

    @collection_put_off()
    def __init__(
        self,
        f: Callable[..., Any],
        args: tuple[Any, ...],
        specs: tuple[ArraySpec, ...],
        static: frozenset[int],
        donate: frozenset[int],
        executor: str,
    ) -> None:
        self._spans: list[tuple[int, int]] = []
        structures, start = [], 0
        for position, arg in enumerate(args):
            structure = None if position in static else tree.structure(arg)
            stop = start + (structure.num_leaves if structure is not None else 0)
            structures.append(structure)
            self._spans.append((start, stop))
            start = stop

        def rebuild(traced: list[Any]) -> tuple[Any, ...]:
            return tuple(
                args[p] if s is None else tree.unflatten(s, traced[a:b])
                for p, (s, (a, b)) in enumerate(zip(structures, self._spans, strict=True))
            )

        graph, self._result = stage(f, specs, rebuild)
        donated = frozenset(i for p in donate if p < len(args) for i in range(*self._spans[p]))
        self.program = Program(build(graph, donated), executor)
        self._specs = specs
        self._static = static
        self._donate = sorted(p for p in donate if p < len(args))
        self.lock = self.program.lock
        self.steady: Steady | None = None
        self.call: Callable[[tuple[Any, ...]], Any] = self.run_steady

    def run(self, args: tuple[Any, ...], leaves: list[Any], repeat: int = 1) -> Any:
        """Run on new trees: donated leaves are copied into a fresh state block."""
        with self.lock:
            inputs = [_usable(x, s) for x, s in zip(leaves, self._specs, strict=True)]
            if self._donate:
                self.program.donate(inputs)
            outputs = self.program.run(inputs, repeat)
            for k, buffer in enumerate(self.program.plan.kept):
                if buffer is not None:
                    outputs[k] = self.program.kept_array(k)
            result = tree.unflatten(self._result, outputs)
            self.steady, self.call = self._steady(args, result), self.run_steady
            return result

    def run_steady(self, args: tuple[Any, ...], repeat: int = 1) -> Any:
        """Run in place if the call is steady, else None: nothing is flattened or bound, only new arrays are passed."""
        with self.lock:
            steady = self.steady
            if steady is None or not steady.matches(args):
                return None
            outputs = self.program.run(steady.inputs(args, len(self._specs)), repeat)
            if self.program.native is not None and self.program.native.is_direct:
                self.call = steady_call(steady, self.program.native, self)
            return steady.result(outputs)

    def _steady(self, args: tuple[Any, ...], result: Any) -> Steady | None:
        """What the next call looks like if it is steady; None where a steady call is not possible.

        It is where donated trees come back whole, and where the rest of the result and of the arguments are arrays, or
        tuples, lists and dicts of them.
        """
        donated = {p: (*self._spans[p], tree.structure(args[p])) for p in self._donate}
        results = Results(self.program.plan.kept, donated)
        if not results.add(result) or results.donated:
            return None
        parts = Parts()
        numbers: list[int] = []
        for position, span in enumerate(self._spans):
            if position in self._donate:
                continue
            if position in self._static or not parts.add(args[position], (position,)):
                return None
            numbers += range(*span)
        known = {path: follow(result, path) for _, path in results.pairs}
        returned = rebuilt(result, known | {path: None for path, _, _, _ in results.fresh})
        return Steady(len(args), returned, results.pairs, parts, numbers, results.fresh)


def _usable(x: Any, spec: ArraySpec) -> np.ndarray:
    """An array that kernels can read: of the native type, row-major, aligned and writeable (it is never written)."""
    if type(x) is np.ndarray and x.flags.carray:
        return x
    array = np.asarray(x, spec.dtype, order="C")
    return array if array.flags.carray else np.array(array, order="C")


def _parameters(f: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(f)
    except (TypeError, ValueError):
        return None
