"""Losses of overlapping sets, for segmentation: one minus a ratio of sums over all elements at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fnet.losses.align import mask_for
from fnet.losses.define import LOSSES, Loss, define_loss, loss_constructor
from fnet.losses.rule import Reduction
from fnet.losses.values import EPSILON
from fnet.masking import join_mask
from fnet.ops.arithmetic import divide, multiply, subtract, where
from fnet.ops.reduce import any
from fnet.ops.summation import sum

Axes = int | Sequence[int] | None


def _kept(ndim: int, options: Mapping[str, Any]) -> Sequence[int]:
    axis = options["axis"]
    summed = range(ndim) if axis is None else [a % ndim for a in ((axis,) if isinstance(axis, int) else axis)]
    return [a for a in range(ndim) if a not in summed]


def _dice(y_true: Any, y_pred: Any, *, axis: Axes, mask: Any) -> Any:
    y, p, valid = _where_valid("dice", y_true, y_pred, mask, axis)
    both = sum(multiply(y, p), axis)
    return join_mask(subtract(1, divide(both * 2, sum(y, axis) + sum(p, axis) + EPSILON)), valid)


@LOSSES.named()
@define_loss("Dice", per="row", axes=_kept, formula=_dice)
def dice(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, reduction: Reduction = "mean", axis: Axes = None
) -> Any:
    """``1 - 2 sum(y p) / (sum(y) + sum(p) + 1e-7)``; y_true, y_pred: (B, ..., C) -> scalar.

    axis: what the sums run over, everything by default; for a value per sample all axes but the first.
    Source: Keras ``Dice``; Milletari et al. 2016.

    >>> round(float(dice([[1.0, 0.0]], [[1.0, 1.0]])), 4)  # 1 - 2/3
    0.3333
    """


@loss_constructor
def Dice(axis: Axes = None, reduction: Reduction = "mean", *, name: str | None = None) -> Loss:
    """`dice` with these options and this name."""
    return dice


def _tversky(y_true: Any, y_pred: Any, *, alpha: float, beta: float, axis: Axes, mask: Any) -> Any:
    y, p, valid = _where_valid("tversky", y_true, y_pred, mask, axis)
    both, true, predicted = sum(multiply(y, p), axis), sum(y, axis), sum(p, axis)
    wrong = subtract(predicted, both) * float(alpha) + subtract(true, both) * float(beta)
    return join_mask(subtract(1, divide(both, both + wrong + EPSILON)), valid)


@LOSSES.named()
@define_loss("Tversky", per="row", axes=_kept, formula=_tversky)
def tversky(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: Any = None,
    reduction: Reduction = "mean",
    alpha: float = 0.5,
    beta: float = 0.5,
    axis: Axes = None,
) -> Any:
    """``1 - s / (s + alpha f + beta m + 1e-7)``; y_true, y_pred: (B, ..., C) -> scalar.

    ``s = sum(y p)``, false positives ``f = sum((1 - y) p)`` and misses ``m = sum(y (1 - p))``; axis: as in `dice`,
    which it is for ``alpha = beta = 1/2``. Source: Keras ``Tversky``, whose code up to 3.15 gives alpha to the misses
    and beta to the false positives, against its own description; Salehi et al. 2017.

    >>> round(float(tversky([[1.0, 0.0]], [[1.0, 1.0]], alpha=1.0)), 4)  # 1 - 1/2
    0.5
    """


@loss_constructor
def Tversky(
    alpha: float = 0.5, beta: float = 0.5, axis: Axes = None, reduction: Reduction = "mean", *, name: str | None = None
) -> Loss:
    """`tversky` with these options and this name."""
    return tversky


def _where_valid(name: str, y_true: Any, y_pred: Any, mask: Any, axis: Axes) -> tuple[Any, Any, Any]:
    """Targets and predictions, 0 where the mask (B, T) is false, which adds to no set; and which sums have a step."""
    if mask is None:
        return y_true, y_pred, None
    mask = mask_for(name, mask, y_pred)
    return where(mask, y_true, 0), where(mask, y_pred, 0), any(mask, axis)
