"""Forward mode: push tangents through primitives beside their values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fnet import tree
from fnet.errors import DerivativeError, ShapeError, StructureError
from fnet.transforms.linear_maps import as_dtype, zeros_like
from fnet.transforms.operand import is_weak
from fnet.transforms.ownership import Own
from fnet.transforms.primitive import Primitive, missing_rule, spec_of
from fnet.transforms.tracer import Origin, Tracer, next_level, outlived
from fnet.transforms.vjp import as_primal, grad, is_none, pullback

R = TypeVar("R")


class _JVPTracer(Tracer):
    __slots__ = ("call", "primal", "tangent")

    def __init__(
        self, trace: _Forward, primal: Any, tangent: Any, call: Origin | None = None, weak: bool = False
    ) -> None:
        super().__init__(trace, primal, weak)
        self.primal, self.tangent, self.call = primal, tangent, call

    def concrete(self, use: str) -> Any:
        return self.primal.concrete(use) if isinstance(self.primal, Tracer) else self.primal

    def origin(self) -> Origin | None:
        return self.call


class _Forward:
    """The trace of one `jvp`."""

    def __init__(self) -> None:
        self.level = next_level()
        self.closed = False

    def owns(self, value: Any) -> bool:
        return isinstance(value, _JVPTracer) and value.trace is self

    def process(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        if self.closed:
            raise outlived(primitive.name)
        primals = tuple(a.primal if self.owns(a) else a for a in args)
        tangents = tuple(a.tangent if self.owns(a) else None for a in args)
        value = primitive(*primals, **params)
        results = value if primitive.multiple else (value,)
        if not any(r.dtype.kind == "f" for r in results):
            return value
        if primitive.jvp is not None:
            tangent = primitive.jvp(tangents, value, *primals, **params)
        else:
            tangent = _transposed_twice(primitive, primals, tangents, params)
        if not primitive.multiple:
            call = (primitive, args, params) if primitive.seen_through else None
            return _JVPTracer(self, value, tangent, call, is_weak(value))
        pairs = zip(value, tangent, strict=True)
        return tuple(v if t is None else _JVPTracer(self, v, t, weak=is_weak(v)) for v, t in pairs)


def _transposed_twice(primitive: Primitive, primals: tuple, tangents: tuple, params: dict[str, Any]) -> Any:
    """A JVP from a VJP: ``g -> J^T g`` is linear in g, so pulling the tangents back through it gives ``J t``."""
    if primitive.vjp is None:
        raise missing_rule(primitive, "jvp")
    varying = [i for i, t in enumerate(tangents) if t is not None]

    def forward(*values: Any) -> Any:
        args = list(primals)
        for i, value in zip(varying, values, strict=True):
            args[i] = value
        return primitive(*args, **params)

    value, pull = pullback(forward, *(primals[i] for i in varying))
    zeros = tree.map(zeros_like, value)
    _, pull_back = pullback(pull, zeros)
    return pull_back(tuple(tangents[i] for i in varying))[0]


def jvp(f: Callable[..., R], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[R, R]:
    """Value of `f` at `primals` and its derivative in the direction `tangents` (trees of the same structure).

    ``(f(x), df/dx . t)``.

    >>> import numpy as np, fnet
    >>> fnet.jvp(np.sin, (np.array(0.0),), (np.array(2.0),))
    (array(0.), array(2.))
    """
    _check_arguments(primals, tangents)
    trace = _Forward()
    leaves, structure = tree.flatten(tuple(primals), is_none)
    traced: list[Any] = []
    for primal, tangent in zip(leaves, tree.flatten_like(structure, tuple(tangents), is_none), strict=True):
        if primal is None:
            traced.append(None)
            continue
        spec = spec_of(primal)
        if not spec.differentiable:
            if tangent is not None:
                raise DerivativeError(
                    f"a tangent was given for a {spec} input; give None where inputs are not floating."
                )
            traced.append(primal)
            continue
        received = None if tangent is None else spec_of(tangent)
        if received is None or received.shape != spec.shape:
            raise ShapeError(f"tangents must be shaped like primals: expected {spec}, received {received}.")
        traced.append(_JVPTracer(trace, as_primal(primal), as_dtype(tangent, spec.dtype), weak=spec.weak))
    try:
        outputs = f(*tree.unflatten(structure, traced))
    finally:
        trace.closed = True
    value = tree.map(lambda o: o.primal if trace.owns(o) else o, outputs)
    own = Own((*leaves, *tree.leaves(tangents), *tree.leaves(value)))
    return value, tree.map(lambda o: own(o.tangent) if trace.owns(o) else zeros_like(o), outputs)


def _check_arguments(primals: Any, tangents: Any) -> None:
    for what, given in (("primals", primals), ("tangents", tangents)):
        if type(given) not in (tuple, list):
            shape = f" of shape {given.shape}" if hasattr(given, "shape") else ""
            raise StructureError(
                f"jvp expects {what} in tuples, one entry for each argument of the function; received a "
                f"{type(given).__name__}{shape}. Write fnet.jvp(f, (x,), (t,))."
            )
    if len(primals) != len(tangents):
        raise StructureError(
            f"jvp expects tuples of one length, received {len(primals)} primals and {len(tangents)} tangents. "
            f"Give a tangent for each argument, None where it is not floating."
        )


def hessian_vector_product(f: Callable[..., Any], x: Any, v: Any, *args: Any) -> Any:
    """Product of the Hessian of the scalar function ``f(x, *args)`` in `x` with `v`, a tree like `x`.

    ``H v = d/de grad f(x + e v)`` at ``e = 0``, forward over reverse, so it costs a few evaluations of `f`.

    >>> import numpy as np, fnet
    >>> fnet.hessian_vector_product(lambda x: np.sum(x ** 3), np.array([1.0, 2.0]), np.array([1.0, 0.0]))
    array([6., 0.])
    """
    return jvp(lambda u: grad(f)(u, *args), (x,), (v,))[1]
