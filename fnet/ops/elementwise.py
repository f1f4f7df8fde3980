"""Elementwise operations: how one is defined, and NumPy-style broadcasting of its derivative rules.

The derivative of an elementwise operation is diagonal, so one rule per operand, linear in its first argument
(`rule(g, y, *operands)` computes ``g * dy/doperand``), serves both the VJP and the JVP.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fnet.spec import ArraySpec
from fnet.transforms.linear_maps import add, broadcast_shapes, repeated, sum_to, zeros_like
from fnet.transforms.primitive import Primitive

Rule = Callable[..., Any] | None
BOOL = np.dtype(bool)


def elementwise(
    name: str, template: str, *rules: Rule, dtype: np.dtype | None = None, operation: str | None = None
) -> Primitive:
    """A primitive computed by the scalar expression `template`; the result has the dtype of the last operand.

    operation: what errors call it, by default its name.
    """

    def abstract(*specs: ArraySpec) -> ArraySpec:
        return ArraySpec(broadcast_shapes(operation or name, *[s.shape for s in specs]), dtype or specs[-1].dtype)

    def vjp(g: Any, y: Any, *operands: Any) -> tuple[Any, ...]:
        return tuple(
            [
                sum_to(rule(g, y, *operands), x.shape) if rule is not None and x.dtype.kind == "f" else None
                for rule, x in zip(rules, operands, strict=True)
            ]
        )

    def jvp(tangents: tuple[Any, ...], y: Any, *operands: Any) -> Any:
        total = None
        for rule, t in zip(rules, tangents, strict=True):
            if t is not None and rule is not None:
                part = repeated(rule(t, y, *operands), y.shape)
                total = part if total is None else add(total, part)
        return zeros_like(y) if total is None else total

    differentiable = bool(rules)
    return Primitive(
        name, abstract, template=template, vjp=vjp if differentiable else None, jvp=jvp if differentiable else None
    )
