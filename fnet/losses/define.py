"""What all losses share: casting, alignment, sample weights, reduction. A loss itself is only its formula."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Literal

from fnet.errors import ValueRangeError, did_you_mean
from fnet.losses.align import pair, weights_for
from fnet.ops.arithmetic import divide, equal, multiply, where
from fnet.ops.reduce import mean
from fnet.ops.shape import broadcast_to
from fnet.ops.summation import sum
from fnet.transforms.primitive import spec_of

Loss = Callable[..., Any]
Align = Callable[[str, Any, Any], tuple[Any, Any]]
REDUCTIONS = ("mean", "sum_over_batch_size", "sum", "none", "mean_with_sample_weight")

_SHARED = """

    sample_weight: scalar or (B,) or one per value, multiplies the values; reduction: "mean" over the values whatever
    their weights (0 for an empty batch), "sum", "none", or "mean_with_sample_weight", ``sum(w v) / sum(w)``.
    Raises `ShapeError` when shapes do not match one to one.
"""


def define_loss(per: Literal["element", "row"], align: Align = pair) -> Callable[[Loss], Loss]:
    """Make a loss ``f(y_true, y_pred, *, sample_weight=None, reduction="mean", **options)`` of a formula.

    The formula ``(y_true, y_pred, **options) -> values`` gets arrays that `align` has brought together. With
    ``per="element"`` it gives one value for each element, (B, ..., D), and the loss of a row is their mean over the
    last axis; with ``per="row"`` it gives (B, ...) itself.
    """

    def decorate(formula: Loss) -> Loss:
        name = formula.__name__

        @functools.wraps(formula)
        def loss(
            y_true: Any, y_pred: Any, *, sample_weight: Any = None, reduction: str | None = "mean", **options: Any
        ) -> Any:
            values = formula(*align(name, y_true, y_pred), **options)
            if per == "element" and not (sample_weight is None and reduction in ("mean", "sum_over_batch_size")):
                values = mean(values, axis=-1)
            return reduce_values(name, values, sample_weight, reduction)

        loss.__doc__ = _with_shared_part(formula.__doc__ or "")
        loss.__signature__ = _signature(formula, loss)  # type: ignore[attr-defined]
        return loss

    return decorate


def reduce_values(name: str, values: Any, sample_weight: Any = None, reduction: str | None = "mean") -> Any:
    """Weight the values (B, ...) of a loss and reduce them to one number (keep them with "none").

    Source: Keras ``losses/loss.py``; there "mean" is called "sum_over_batch_size".
    """
    if reduction is not None and reduction not in REDUCTIONS:
        raise ValueRangeError(f"{name}: unknown reduction {reduction!r}.{did_you_mean(reduction, REDUCTIONS)}")
    weights = None if sample_weight is None else weights_for(name, sample_weight, values)
    if weights is not None:
        values = multiply(values, weights)
    if reduction in (None, "none"):
        return values
    if reduction == "sum" or spec_of(values).size == 0:
        return sum(values)
    if reduction == "mean_with_sample_weight" and weights is not None:
        return divide_or_zero(sum(values), sum(broadcast_to(weights, spec_of(values).shape)))
    return mean(values)


def divide_or_zero(a: Any, b: Any) -> Any:
    """``a / b``, and 0 where `b` is 0."""
    empty = equal(b, 0)
    return where(empty, 0, divide(a, where(empty, 1, b)))


def _with_shared_part(doc: str) -> str:
    """The docstring with the paragraph on weights, reduction and shapes after its first one."""
    head, gap, rest = doc.partition("\n\n")
    return head.rstrip() + _SHARED + (gap[1:] + rest if rest else "")


def _signature(formula: Loss, loss: Loss) -> inspect.Signature:
    """The arguments of the loss: y_true, y_pred, those all losses have, and the options of the formula."""
    shared = inspect.signature(loss, follow_wrapped=False).parameters.values()
    options = inspect.signature(formula).parameters.values()
    return inspect.Signature(
        [p for p in shared if p.kind is not p.VAR_KEYWORD] + [p for p in options if p.kind is p.KEYWORD_ONLY]
    )
