"""Losses of embeddings: samples of one class close together, samples of different classes apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.errors import ShapeError
from fnet.losses.align import as_floating
from fnet.losses.define import LOSSES, Loss, define_loss, divide_or_zero, loss_constructor
from fnet.losses.rule import Reduction
from fnet.losses.values import unit_targets
from fnet.masking import Masked
from fnet.ops.arithmetic import clip, equal, greater, less_equal, logical_and, logical_not, multiply, subtract, where
from fnet.ops.linalg import matmul
from fnet.ops.maths import isfinite, relu, softplus, square
from fnet.ops.nn import logsumexp
from fnet.ops.promotion import astype, lift
from fnet.ops.reduce import max, min, norm
from fnet.ops.shape import expand_dims, reshape, transpose
from fnet.ops.summation import sum
from fnet.transforms.operand import beside


@LOSSES.named()
@define_loss("Contrastive", per="element", targets=unit_targets)
def contrastive(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, reduction: Reduction = "mean", margin: float = 1.0
) -> Any:
    """``mean(y d^2 + (1 - y) max(margin - d, 0)^2)`` of distances d of pairs; y_true, y_pred: (B,) or (B, D) -> scalar.

    y_true: 1 for a pair that belongs together, 0 for one that does not; y_pred: its distance. Raises
    `ValueRangeError` for targets outside [0, 1]. Source: Hadsell, Chopra and LeCun 2006.

    >>> contrastive([[1.0], [0.0]], [[2.0], [0.5]])  # (4 + 0.25) / 2
    array(2.125)
    """
    return multiply(y_true, square(y_pred)) + multiply(subtract(1, y_true), square(relu(subtract(margin, y_pred))))


@loss_constructor
def Contrastive(margin: float = 1.0, reduction: Reduction = "mean", *, name: str | None = None) -> Loss:
    """`contrastive` with these options and this name."""
    return contrastive


def _triplets(name: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    y_pred = as_floating(y_pred)
    shape = y_pred.shape
    if len(shape) != 3 or shape[1] != 3:
        raise ShapeError(
            f"{name}: expected y_pred of shape (batch, 3, features), anchor, positive and negative, received {shape}. "
            f"Stack the three embeddings on axis 1."
        )
    return y_true, y_pred


@LOSSES.named()
@define_loss("Triplet", per="row", align=_triplets, axes=lambda ndim, options: (0,))
def triplet(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, reduction: Reduction = "mean", margin: float = 1.0
) -> Any:
    """``max(|a - p| - |a - n| + margin, 0)`` of anchors, positives and negatives; y_pred: (B, 3, D) -> scalar.

    y_true: not used, may be None. The gradient of a distance of 0 is 0. Source: Schroff, Kalenichenko and Philbin 2015.

    >>> triplet(None, [[[0.0, 0.0], [3.0, 4.0], [0.0, 5.5]]])  # 5 - 5.5 + 1
    array(0.5)
    """
    anchor, positive, negative = (y_pred[:, i] for i in range(3))
    return relu(_distance(anchor, positive) - _distance(anchor, negative) + float(margin))


@loss_constructor
def Triplet(margin: float = 1.0, reduction: Reduction = "mean", *, name: str | None = None) -> Loss:
    """`triplet` with these options and this name."""
    return triplet


def _embeddings(name: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Labels (B,) of any whole numbers, embeddings (B, D)."""
    y_pred, y_true = as_floating(y_pred), lift(y_true)
    have, wanted = y_true.shape, y_pred.shape
    if len(wanted) != 2 or have not in (wanted[:1], (wanted[0], 1)):
        raise ShapeError(
            f"{name}: expected labels (batch,) and embeddings (batch, features), received y_true {have} and "
            f"y_pred {wanted}."
        )
    return reshape(y_true, wanted[:1]), y_pred


@LOSSES.named()
@define_loss("TripletSemiHard", per="row", align=_embeddings, axes=lambda ndim, options: ())
def triplet_semihard(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, reduction: Reduction = "mean", margin: float = 1.0
) -> Any:
    """The triplet loss of all pairs of a label, each beside its nearest negative that is farther than the positive.

    y_true: (B,) or (B, 1) labels, y_pred: (B, D) embeddings -> scalar, the mean over the pairs that have a negative;
    where no negative is farther it is the farthest one. Computes (B, B, B) numbers.
    Source: Schroff, Kalenichenko and Philbin 2015.

    >>> triplet_semihard([0, 0, 1], [[0.0], [1.0], [1.5]])  # max(1 - 1.5 + 1, 0) and max(1 - 0.5 + 1, 0)
    array(1.)
    """
    batch = y_pred.shape[0]
    if not batch:
        return sum(y_pred)
    positive, negative = _pairs(y_true)
    distance = _distance(expand_dims(y_pred, 1), expand_dims(y_pred, 0))
    others = expand_dims(distance, 1)  # (anchor, 1, other) beside (anchor, positive, 1)
    farther = logical_and(expand_dims(negative, 1), greater(others, expand_dims(distance, 2)))
    nearest = min(where(farther, others, np.inf), axis=2)
    farthest = max(where(negative, distance, -np.inf), axis=1, keepdims=True)
    chosen = where(isfinite(nearest), nearest, farthest)
    counted = logical_and(positive, isfinite(chosen))
    values = where(counted, relu(distance - where(counted, chosen, 0) + float(margin)), 0)
    return divide_or_zero(sum(values), astype(sum(counted), y_pred.dtype))


@loss_constructor
def TripletSemiHard(margin: float = 1.0, reduction: Reduction = "mean", *, name: str | None = None) -> Loss:
    """`triplet_semihard` with these options and this name."""
    return triplet_semihard


def _circle(y_true: Any, y_pred: Any, *, gamma: float, margin: float, remove_diagonal: bool, mask: Any) -> Any:
    if mask is not None:
        raise ShapeError("circle: expected embeddings (batch, features) without a mask.")
    positive, negative = _pairs(y_true, remove_diagonal)
    d = clip(subtract(1, matmul(y_pred, transpose(y_pred))), 0)
    attract = multiply(d + margin, d - margin)
    repel = multiply(relu(subtract(1 + margin, d)), subtract(1 - margin, d))
    near = logsumexp(where(positive, attract * float(gamma), -np.inf), axis=1)
    far = logsumexp(where(negative, repel * float(gamma), -np.inf), axis=1)
    values = softplus(near + far)
    return Masked(values, logical_not(less_equal(values, 0)))


@LOSSES.named()
@define_loss("Circle", per="row", align=_embeddings, axes=None, formula=_circle)
def circle(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: Any = None,
    reduction: Reduction = "mean",
    gamma: float = 80.0,
    margin: float = 0.4,
    remove_diagonal: bool = True,
) -> Any:
    """``softplus(logsumexp_p(gamma (m + d) (d - m)) + logsumexp_n(gamma (1 + m - d)_+ (1 - m - d)))``, d = 1 - cosine.

    y_true: (B,) or (B, 1) labels, y_pred: (B, D) embeddings of norm 1 -> scalar. For each sample, p runs over the
    others of its label, n over those of other labels; samples with the loss 0, having no positive or no negative, do
    not count in the mean. A sample of weight 0 stays one of the others. Source: Keras ``Circle``; Sun et al. 2020.

    >>> round(float(circle([0, 0, 1], [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])), 3)
    3.201
    """


@loss_constructor
def Circle(
    gamma: float = 80.0,
    margin: float = 0.4,
    remove_diagonal: bool = True,
    reduction: Reduction = "mean",
    *,
    name: str | None = None,
) -> Loss:
    """`circle` with these options and this name."""
    return circle


def _pairs(labels: Any, remove_diagonal: bool = True) -> tuple[Any, Any]:
    """Which pairs have the same label, without those of a sample with itself, and which have not; (B,) -> (B, B)."""
    same = equal(expand_dims(labels, 1), expand_dims(labels, 0))
    other = beside(~np.eye(labels.shape[0], dtype=bool), labels)
    return logical_and(same, other) if remove_diagonal else same, logical_not(same)


def _distance(a: Any, b: Any) -> Any:
    """``|a - b|`` over the last axis; its gradient at 0 is 0."""
    return norm(subtract(a, b), axis=-1)
