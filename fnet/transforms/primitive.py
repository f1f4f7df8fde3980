"""Primitives: the vocabulary that every transform interprets, and how a call finds the transform that interprets it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fnet.compile.eager import evaluate
from fnet.device import Rule as LoweringRule
from fnet.device_array import DeviceArray
from fnet.errors import DerivativeError
from fnet.spec import ArraySpec, as_array, check_array, check_dtype
from fnet.transforms.tracer import Tracer

Rule = Callable[..., Any]


class Primitive:
    """An operation with its rules; call it on arrays or traced values.

    abstract(*specs, **params) -> ArraySpec (a tuple of them when `multiple`): the shape rule.
    Exactly one of these says how it is computed:
      lowered: the family of primitives in whose file a device has its lowering rule, under the primitive's name;
      kernels: lowering rules by the name of the device, for a primitive of the user's own;
      template: text of a scalar expression for an elementwise primitive, e.g. ``"exp_{t}({0})"``;
      view(array, **params): a NumPy function that returns a view of its argument, or with `of_row_major` a view of
        a row-major argument;
      reduction: the name of a fold ("sum", "max", "min", "prod") over ``params["axes"]``.
    vjp(g, y, *inputs, **params) -> one cotangent (or None) for each input, in terms of other primitives.
    jvp(tangents, y, *inputs, **params) -> tangent of y; a tangent is None where the input does not vary.
    selective: whether the vjp rule takes ``wanted=``, which says for each input whether its cotangent is needed.
    taped: the primitive that `vjp` records instead of this one. Its first results are those of this one; the further
    ones are what its own vjp rule reads.
    """

    __slots__ = (
        "abstract",
        "jvp",
        "kernels",
        "lowered",
        "multiple",
        "name",
        "of_row_major",
        "reduction",
        "seen_through",
        "selective",
        "taped",
        "template",
        "unpicks",
        "view",
        "vjp",
    )

    def __init__(
        self,
        name: str,
        abstract: Rule,
        *,
        lowered: str | None = None,
        kernels: Mapping[str, LoweringRule] | None = None,
        template: str | None = None,
        view: Rule | None = None,
        of_row_major: bool = False,
        reduction: str | None = None,
        vjp: Rule | None = None,
        jvp: Rule | None = None,
        multiple: bool = False,
        selective: bool = False,
        taped: Primitive | None = None,
    ) -> None:
        self.name = name
        self.abstract = abstract
        self.lowered = lowered
        self.kernels = kernels
        self.template = template
        self.view = view
        self.of_row_major = of_row_major
        self.reduction = reduction
        self.vjp = vjp
        self.jvp = jvp
        self.multiple = multiple
        self.selective = selective
        self.taped = taped
        # The primitive that this one is the way back of: it picks elements of its input and says where they were. This
        # one is called as (g, where they were) and puts elements there.
        self.unpicks: Primitive | None = None
        # Whether others look through it to what it was given, see `Tracer.origin`. All transforms keep its calls.
        self.seen_through = view is not None

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Let the innermost transform among the arguments interpret the call, or compute it at once."""
        trace = None
        for arg in args:
            if isinstance(arg, Tracer) and (trace is None or arg.trace.level > trace.level):
                trace = arg.trace
        if trace is None:
            return evaluate(self, args, params)
        return trace.process(self, args, params)

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"


def spec_of(value: Any) -> ArraySpec:
    """The `ArraySpec` of an array, a traced value, a NumPy scalar or a Python number (which is weak)."""
    if isinstance(value, Tracer | DeviceArray):
        return value.spec
    if isinstance(value, np.ndarray | np.generic):
        if type(value) is not np.ndarray:
            check_array(value)
        return ArraySpec(value.shape, check_dtype(value.dtype))
    array = as_array(value)
    return ArraySpec(array.shape, check_dtype(array.dtype), weak=isinstance(value, bool | int | float))


def missing_rule(primitive: Primitive, kind: str) -> DerivativeError:
    """The error for a primitive without the rule ("vjp" or "jvp") that a transform needs."""
    return DerivativeError(
        f"primitive '{primitive.name}' has no {kind} rule, so its {kind} is not defined. "
        f"Keep it out of the differentiated path, or give it one: fnet.primitive(..., {kind}=...)."
    )
