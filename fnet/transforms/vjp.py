"""Reverse mode: record primitives on a tape, then pull cotangents back through their VJP rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, ParamSpec, TypeVar, overload

import numpy as np

from fnet import tree
from fnet.device_array import DeviceArray
from fnet.errors import DerivativeError, ShapeError, StructureError
from fnet.transforms.linear_maps import add, as_dtype, zeros_like
from fnet.transforms.operand import array_behind, beside, is_operand, is_weak
from fnet.transforms.ownership import Own
from fnet.transforms.primitive import Primitive, missing_rule, spec_of
from fnet.transforms.tracer import Origin, Tracer, next_level, outlived

P = ParamSpec("P")
R = TypeVar("R")
A = TypeVar("A")
Pull = Callable[[Any], tuple[Any, ...]]
Argnums = int | tuple[int, ...]


class _Record:
    """One primitive call on the tape."""

    __slots__ = ("args", "outputs", "params", "primal", "primitive")

    def __init__(self, primitive: Primitive, args: tuple, primal: Any, params: dict, outputs: list[_VJPTracer]) -> None:
        self.primitive, self.args, self.primal, self.params, self.outputs = primitive, args, primal, params, outputs


class _VJPTracer(Tracer):
    __slots__ = ("primal",)

    trace: _Tape

    def __init__(self, trace: _Tape, primal: Any, weak: bool) -> None:
        self.trace, self.primal = trace, primal
        self.shape, self.dtype, self.weak = primal.shape, primal.dtype, weak

    def concrete(self, use: str) -> Any:
        return self.primal.concrete(use) if isinstance(self.primal, Tracer) else self.primal

    def origin(self) -> Origin | None:
        for record in reversed(self.trace.records):
            if any(output is self for output in record.outputs):
                return record.primitive, record.args, record.params
        return None


class _Tape:
    """The trace of one `vjp`: interprets by computing the primal and recording the call.

    copying: others may write into arrays that are not its own before it is pulled, so it records copies of them.
    """

    def __init__(self, copying: bool) -> None:
        self.level = next_level()
        self.records: list[_Record] = []
        self.copying = copying
        self.closed = False

    def argument(self, x: Any) -> Any:
        """What stands for an argument; one that has no derivative stands for itself."""
        spec = spec_of(x)
        return _VJPTracer(self, as_primal(x), spec.weak) if spec.differentiable else x

    def process(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        if self.closed:
            raise outlived(primitive.name)
        multiple = primitive.multiple
        primitive = primitive.taped or primitive
        if self.copying:
            args = tuple([np.array(a) if isinstance(a, np.ndarray) else a for a in args])
        primal = primitive(*self.primals(args), **params)
        outputs, traced = [], []
        for result in primal if primitive.multiple else (primal,):
            if result.dtype.kind == "f":
                tracer = _VJPTracer(self, result, is_weak(result))
                outputs.append(tracer)
                traced.append(tracer)
            else:
                traced.append(result)
        self.records.append(_Record(primitive, args, primal, params, outputs))
        return tuple(traced) if multiple else traced[0]

    def primals(self, args: tuple[Any, ...]) -> list[Any]:
        """What the tracers of this tape stand for."""
        return [a.primal if type(a) is _VJPTracer and a.trace is self else a for a in args]

    def owns(self, value: Any) -> bool:
        return type(value) is _VJPTracer and value.trace is self

    def pull(self, cotangents: dict[int, Any]) -> dict[int, Any]:
        """Propagate cotangents, keyed by the id of the tracer they belong to, back to the beginning of the tape."""
        for record in reversed(self.records):
            for output in record.outputs:
                if id(output) in cotangents:
                    break
            else:
                continue
            for arg, cotangent in zip(record.args, self._input_cotangents(record, cotangents), strict=True):
                if self.owns(arg) and cotangent is not None:
                    known = cotangents.get(id(arg))
                    cotangents[id(arg)] = cotangent if known is None else add(known, cotangent)
        return cotangents

    def place_of(self, result: Any) -> Any:
        """The array behind a result; under jit, where it has none, an array of a device that is computed with."""
        found = array_behind(result)
        if found is None:
            behind = (array_behind(arg) for record in self.records for arg in record.args)
            found = next((array for array in behind if isinstance(array, DeviceArray)), None)
        return found

    def arrays(self) -> list[Any]:
        """What the tape keeps for other calls of the pullback: a rule may hand one of them on as it is."""
        kept: list[Any] = []
        for record in self.records:
            kept += record.args
            kept += record.primal if record.primitive.multiple else (record.primal,)
        return kept

    def _input_cotangents(self, record: _Record, cotangents: dict[int, Any]) -> tuple[Any, ...]:
        primitive = record.primitive
        if primitive.vjp is None:
            raise missing_rule(primitive, "vjp")
        primals = self.primals(record.args)
        if primitive.multiple:
            by_primal = {id(t.primal): cotangents.get(id(t)) for t in record.outputs}
            g: Any = tuple(by_primal.get(id(p)) for p in record.primal)
        else:
            g = cotangents[id(record.outputs[0])]
        selection = {"wanted": tuple(map(self.owns, record.args))} if primitive.selective else {}
        pulled = tuple(primitive.vjp(g, record.primal, *primals, **selection, **record.params))
        if len(pulled) != len(primals):
            raise DerivativeError(
                f"the vjp rule of primitive '{primitive.name}' must return one cotangent (or None) for each of its "
                f"{len(primals)} inputs, it returned {len(pulled)}."
            )
        return pulled


@overload
def vjp(f: Callable[..., R], *primals: Any, has_aux: Literal[False] = False) -> tuple[R, Pull]: ...


@overload
def vjp(f: Callable[..., tuple[R, A]], *primals: Any, has_aux: Literal[True]) -> tuple[R, Pull, A]: ...


def vjp(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """Value of `f` and the function that pulls a cotangent of the value back to the arguments.

    ``pull(g) = (g^T df/dx_1, ..., g^T df/dx_n)``, each shaped like its argument, arrays of their own, as the value is.

    >>> import numpy as np, fnet
    >>> y, pull = fnet.vjp(lambda x: x * x, np.array([1.0, 3.0]))
    >>> pull(np.array([1.0, 1.0]))[0]
    array([2., 6.])

    Writing into an array that `f` read does not change what `pull` returns later.
    Returns ``(y, pull)``, or ``(y, pull, aux)`` when `f` returns ``(y, aux)`` and `has_aux` is true.
    Integer and boolean leaves get the cotangent None. Source: reverse mode after autograd's tape.
    """
    copies = tree.map(lambda x: np.array(x) if isinstance(x, np.ndarray) else x, primals)
    return pullback(f, *copies, has_aux=has_aux, copying=True)


def pullback(f: Callable, *primals: Any, has_aux: bool = False, copying: bool = False) -> tuple[Any, ...]:
    """`vjp` whose `primals` nobody writes into before the pull; nor other arrays that `f` reads, but for `copying`."""
    tape = _Tape(copying)
    leaves, structure = tree.flatten(primals)
    traced = [tape.argument(x) for x in leaves]
    try:
        result = f(*tree.unflatten(structure, traced))
    finally:
        tape.closed = True
    result, aux = split_aux(result, has_aux)
    outputs, out_structure = tree.flatten(result, is_none)
    own_value = Own((*leaves, *tape.arrays()))  # the caller may write into it before it pulls
    primal_outputs = [own_value(o.primal) if tape.owns(o) else o for o in outputs]

    def pull(cotangent: Any) -> Any:
        given = tree.flatten_like(out_structure, cotangent, is_none)
        cotangents: dict[int, Any] = {}
        for output, g in zip(outputs, given, strict=True):
            if tape.owns(output) and g is not None:
                _check_cotangent(output.spec, g)
                g = beside(as_dtype(g, output.dtype), tape.place_of(output.primal))
                known = cotangents.get(id(output))
                cotangents[id(output)] = g if known is None else add(known, g)
        cotangents = tape.pull(cotangents)
        own = Own((*given, *leaves, *tape.arrays()))
        pulled = [
            (own(cotangents[id(t)]) if id(t) in cotangents else zeros_like(t.primal)) if tape.owns(t) else None
            for t in traced
        ]
        return tree.unflatten(structure, pulled)

    value = tree.unflatten(out_structure, primal_outputs)
    if not has_aux:
        return value, pull
    return value, pull, tree.map(lambda a: own_value(a.primal) if tape.owns(a) else a, aux)


def checked_argnums(argnums: Argnums, args: tuple[Any, ...]) -> tuple[int, ...]:
    """The numbers of the arguments meant; raises `StructureError` for one that is not given."""
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    if any(not -len(args) <= n < len(args) for n in numbers):
        raise StructureError(f"argnums={argnums} names a positional argument, but only {len(args)} were given.")
    return numbers


def value_and_grad(f: Callable[P, R], argnums: Argnums = 0, has_aux: bool = False) -> Callable[P, tuple[R, Any]]:
    """Transform a scalar function into one that returns ``(value, gradient)``.

    The gradient has the tree structure and dtypes of argument `argnums` (a tuple of them for a tuple).
    With `has_aux`, `f` returns ``(value, aux)`` and the result is ``((value, aux), gradient)``.

    >>> import numpy as np, fnet
    >>> fnet.value_and_grad(lambda w: np.sum(w ** 2))(np.array([1.0, 2.0]))
    (array(5.), array([2., 4.]))
    """

    def transformed(*args: P.args, **kwargs: P.kwargs) -> Any:
        numbers = checked_argnums(argnums, args)
        chosen = [args[n] for n in numbers]
        for leaf in tree.leaves(chosen):
            if not spec_of(leaf).differentiable:
                raise _not_floating(tuple(chosen))

        def of_chosen(*values: Any) -> Any:
            full: Any = list(args)
            for number, value in zip(numbers, values, strict=True):
                full[number] = value
            return f(*full, **kwargs)

        value, pull, *aux = pullback(of_chosen, *chosen, has_aux=has_aux, copying=True)
        check_scalar(value)
        gradients = pull(np.ones((), spec_of(value).dtype))
        gradient = gradients[0] if isinstance(argnums, int) else gradients
        return ((value, aux[0]), gradient) if has_aux else (value, gradient)

    return transformed


@overload
def grad(f: Callable[P, Any], argnums: Argnums = 0, has_aux: Literal[False] = False) -> Callable[P, Any]: ...


@overload
def grad(
    f: Callable[P, tuple[Any, A]], argnums: Argnums = 0, *, has_aux: Literal[True]
) -> Callable[P, tuple[Any, A]]: ...


def grad(f: Callable[P, Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[P, Any]:
    """Transform a scalar function into its gradient (``(gradient, aux)`` with `has_aux`); see `value_and_grad`.

    >>> import numpy as np, fnet
    >>> fnet.grad(lambda x: np.tanh(x) ** 2)(0.0)
    array(0.)
    """
    both = value_and_grad(f, argnums, has_aux)

    def transformed(*args: P.args, **kwargs: P.kwargs) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return transformed


def is_none(x: Any) -> bool:
    """Whether a leaf is None, which trees otherwise hold as an empty node."""
    return x is None


def as_primal(x: Any) -> Any:
    """Python numbers and NumPy scalars as arrays; arrays and tracers as they are."""
    return x if is_operand(x) else np.asarray(x)


def _not_floating(arguments: tuple[Any, ...]) -> DerivativeError:
    path, spec = next(
        (path, spec_of(leaf)) for path, leaf in tree.leaves_with_path(arguments) if not spec_of(leaf).differentiable
    )
    return DerivativeError(
        f"grad needs floating-point arguments, but leaf '{path}' is {spec}. "
        f"Convert it with .astype('float32'), or leave it out with fnet.tree.partition."
    )


def split_aux(result: Any, has_aux: bool) -> tuple[Any, Any]:
    """What `f` returned as (value, aux), aux None without `has_aux`."""
    if not has_aux:
        return result, None
    if not (isinstance(result, tuple) and len(result) == 2):
        raise StructureError(f"has_aux=True expects f to return (value, aux); it returned {type(result).__name__}.")
    return result


def check_scalar(value: Any) -> None:
    """Refuse what has no gradient: anything but one scalar."""
    if isinstance(value, tuple | list | dict):
        raise StructureError(
            f"grad needs a function that returns one scalar, but it returned a {type(value).__name__}. "
            f"Return the loss alone, or (loss, aux) with has_aux=True."
        )
    if value is None:
        raise StructureError("grad needs a function that returns one scalar, but it returned None. Add a return.")
    spec = spec_of(value)
    if spec.shape or not spec.differentiable:
        raise ShapeError(
            f"grad needs a scalar floating-point value, but the function returned {spec}. "
            f"Reduce it first, e.g. with np.mean or np.sum."
        )


def _check_cotangent(expected: Any, g: Any) -> None:
    if spec_of(g).shape != expected.shape:
        raise ShapeError(f"the cotangent must be shaped like the output: expected {expected}, received {spec_of(g)}.")
