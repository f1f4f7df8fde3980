"""Primitives, the one vocabulary that every transform interprets, and how a call of one finds its interpreter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fnet.compile.eager import evaluate
from fnet.errors import DerivativeError
from fnet.spec import ArraySpec, check_array, check_dtype
from fnet.transforms.tracer import Tracer

Rule = Callable[..., Any]


class Primitive:
    """An operation with its rules; call it on arrays or traced values.

    abstract(*specs, **params) -> ArraySpec (a tuple of them when `multiple`): the shape rule.
    Exactly one of these says how it is computed:
      lower(emit, inputs, outputs, **params): emits kernel calls, see `fnet.compile.emit`;
      template: text of a scalar expression for an elementwise primitive, e.g. ``"exp_{t}({0})"``;
      view(array, **params): a NumPy function that returns a view of its argument;
      reduction: the name of a fold ("sum", "max", "min", "prod") over ``params["axes"]``.
    vjp(g, y, *inputs, **params) -> one cotangent (or None) for each input, in terms of other primitives.
    jvp(tangents, y, *inputs, **params) -> tangent of y; a tangent is None where the input does not vary.
    taped: another primitive that runs in its place where `vjp` records it: with the same results, followed by what the
    vjp rule of the other needs besides.
    """

    __slots__ = (
        "abstract",
        "epilogues",
        "gradient_of",
        "jvp",
        "lower",
        "multiple",
        "name",
        "reduction",
        "seen_through",
        "strided",
        "taped",
        "template",
        "view",
        "vjp",
    )

    def __init__(
        self,
        name: str,
        abstract: Rule,
        *,
        lower: Rule | None = None,
        template: str | None = None,
        view: Rule | None = None,
        reduction: str | None = None,
        vjp: Rule | None = None,
        jvp: Rule | None = None,
        multiple: bool = False,
        strided: bool = False,
        taped: Primitive | None = None,
    ) -> None:
        self.name = name
        self.abstract = abstract
        self.lower = lower
        self.template = template
        self.view = view
        self.reduction = reduction
        self.vjp = vjp
        self.jvp = jvp
        self.multiple = multiple
        self.strided = strided
        self.taped = taped
        # Set on primitives that graph passes know: activations that can follow at once, given as ``activation=``; and
        # of which primitive with epilogues this one is the gradient, called as (*its inputs, ..., g).
        self.epilogues: tuple[str, ...] = ()
        self.gradient_of: Primitive | None = None
        # Whether one asks for what it was given, see `Tracer.origin`: transforms that keep no calls keep those.
        self.seen_through = view is not None

    def __call__(self, *args: Any, **params: Any) -> Any:
        return bind(self, args, params)

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"


def primitive(
    name: str,
    *,
    shape: Rule,
    kernel: Callable[..., None],
    sizes: Rule | None = None,
    vjp: Rule | None = None,
    jvp: Rule | None = None,
    multiple: bool = False,
) -> Primitive:
    """A primitive of your own, computed by your own kernel; it works in every transform for which it has rules.

    shape(*specs, **params) -> `ArraySpec` of the result (a tuple of them with `multiple`).
    kernel(*inputs, *outputs, *sizes): a void function, usually ``@numba.njit(cache=True)`` at module level; every
        array is flat (one dimension, C order), so pass the sizes it needs.
    sizes(*specs, **params) -> integers for the kernel, by default none.
    vjp(g, y, *inputs, **params) -> one cotangent (None where there is none) for each input, from other operations;
        with `multiple` g and y are tuples, g with zeros for results that nothing depends on.
    jvp(tangents, y, *inputs, **params) -> the tangent of y; derived from `vjp` when it is not given.

    >>> import numba, numpy as np, fnet
    >>> @numba.njit
    ... def cube_kernel(x, y):
    ...     for i in range(x.size):
    ...         y[i] = x[i] ** 3
    >>> cube = fnet.primitive("cube", shape=lambda x: x, kernel=cube_kernel, vjp=lambda g, y, x: (g * 3 * x * x,))
    >>> fnet.grad(lambda x: np.sum(cube(x)))(np.array([1.0, 2.0]))
    array([ 3., 12.])
    """

    def lower(emit: Any, inputs: list[Any], outputs: list[Any], **params: Any) -> None:
        specs = [ArraySpec(r.shape, r.dtype) for r in inputs]
        emit.call(kernel, *inputs, *outputs, *(sizes(*specs, **params) if sizes else ()))

    rule = _with_zeros(vjp) if multiple and vjp is not None else vjp
    return Primitive(name, shape, lower=lower, vjp=rule, jvp=jvp, multiple=multiple)


def _with_zeros(vjp: Rule) -> Rule:
    """The rule, given zeros for the cotangents of results that nothing depends on."""

    def filled(g: tuple[Any, ...], y: tuple[Any, ...], *inputs: Any, **params: Any) -> Any:
        specs = map(spec_of, y)
        known = (np.zeros(s.shape, s.dtype) if part is None else part for part, s in zip(g, specs, strict=True))
        return vjp(tuple(known), y, *inputs, **params)

    return filled


def bind(primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """Let the innermost transform among the arguments interpret the call, or compute it at once."""
    trace = None
    for arg in args:
        if isinstance(arg, Tracer) and (trace is None or arg.trace.level > trace.level):
            trace = arg.trace
    if trace is None:
        return evaluate(primitive, args, params)
    return trace.process(primitive, args, params)


def spec_of(value: Any) -> ArraySpec:
    """The `ArraySpec` of an array, a traced value, a NumPy scalar or a Python number (which is weak)."""
    if isinstance(value, Tracer):
        return value.spec
    if isinstance(value, np.ndarray | np.generic):
        if type(value) is not np.ndarray:
            check_array(value)
        return ArraySpec(value.shape, check_dtype(value.dtype))
    array = np.asarray(value)
    return ArraySpec(array.shape, check_dtype(array.dtype), weak=isinstance(value, bool | int | float))


def missing_rule(primitive: Primitive, kind: str) -> DerivativeError:
    """The error for a primitive without the rule ("vjp" or "jvp") that a transform needs."""
    return DerivativeError(
        f"primitive '{primitive.name}' has no {kind} rule, so its {kind} is not defined. "
        f"Keep it out of the differentiated path, or give it one: fnet.primitive(..., {kind}=...)."
    )
