"""The layer that brings features to mean 0 and variance 1, by numbers that it learns from data or is told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fnet import ops
from fnet.errors import ShapeError, StructureError
from fnet.layers.axes import axis_numbers, axis_places, axis_sizes, check_size, named_axes
from fnet.layers.checks import entries, one_shape
from fnet.layers.constructor import LAYERS, Learner, layer_constructor
from fnet.networks.learning import Learning
from fnet.ops.promotion import astype, lift
from fnet.regularizers import RegularizerLike
from fnet.transforms.operand import beside

_LEAST = 1e-7  # the least standard deviation that is divided by


@LAYERS.named()
@layer_constructor(masks="kept")
def Normalization(
    axis: int | Sequence[int] | None = -1,
    mean: float | Sequence[float] | None = None,
    variance: float | Sequence[float] | None = None,
    invert: bool = False,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Learner:
    """``y = (x - mean) / max(sqrt(variance), 1e-7)`` with a mean and a variance for each entry of `axis`.

    They are those of the data that `fnet.adapt` was given, over all other axes, or they are told: as numbers, or in the
    shape of the entries. With ``axis=None`` there is one of each for all. With `invert` it is the way back:
    ``y = mean + x max(sqrt(variance), 1e-7)``.

    x: (N, ..., C), of any type; integers give float32. State, unless mean and variance are told, of the sizes of `axis`
    in ascending order: ``mean``, ``variance``, and ``count``, the number of entries that each was learnt from. Before
    the layer has learnt anything, they are 0, 1 and 0. Source: Keras ``Normalization``.

    >>> import fnet
    >>> layer, x = Normalization(), np.array([[0.0, 5.0], [2.0, 5.0]])
    >>> params, state = layer.init(fnet.random.key(0), (2,))
    >>> state = fnet.adapt(layer, params, state, x)
    >>> layer.apply(params, state, x)[0].tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    axes = () if axis is None else named_axes("Normalization", axis)
    told = _told(mean, variance, len(axes))

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        one_shape("Normalization", shape)
        sizes = axis_sizes("Normalization", shape, axes) if axes else ()
        if told is not None:
            return {}, {}
        return {}, {"mean": np.zeros(sizes, dtype), "variance": np.ones(sizes, dtype), "count": np.zeros((), np.int64)}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        x = lift(x)
        x = x if x.dtype.kind == "f" else astype(x, np.float32)
        if told is None:
            centre, spread, count = entries("Normalization", state, "mean", "variance", "count")
            expected = centre.shape
            for part, value, sizes in (("variance", spread, expected), ("count", count, ())):
                check_size("Normalization", part, value, sizes)
            if len(expected) != len(axes):
                raise ShapeError(
                    f"Normalization: expected 'mean' with the sizes of {len(axes)} axes, received {expected}. Pass "
                    f"what init of this network returned."
                )
            x = astype(x, centre.dtype)
        else:
            centre, spread = (beside(np.asarray(part, x.dtype), x) for part in told)
            expected = None
        places = axis_places("Normalization", x, axes, expected) if axes else ()
        over = _over(x.shape, places, centre.shape)
        centre = ops.reshape(centre, over)
        scale = ops.maximum(ops.sqrt(ops.reshape(spread, over)), _LEAST)
        return (centre + x * scale if invert else (x - centre) / scale), state

    def update(summary: _Moments | None, x: Any) -> _Moments:
        x = np.asarray(x)
        places = axis_numbers("Normalization", axes, x.shape) if axes else ()
        others = tuple(a for a in range(x.ndim) if a not in places)
        found = _Moments(math.prod(x.shape[a] for a in others), x.mean(others, np.float64), x.var(others, np.float64))
        return found if summary is None else summary.joined(found)

    def finish(summary: _Moments | None, state: Any) -> Any:
        if summary is None:
            return state
        if summary.mean.shape != state["mean"].shape:
            raise ShapeError(
                f"Normalization: expected data with {state['mean'].shape} entries on axis {axis}, received "
                f"{summary.mean.shape}. Init for the shape of the data."
            )
        dtype = state["mean"].dtype
        return {
            "mean": np.asarray(summary.mean, dtype),
            "variance": np.asarray(summary.variance, dtype),
            "count": np.asarray(summary.number, np.int64),
        }

    return init, apply, None if told is not None else Learning(lambda: None, update, finish)


class _Moments(NamedTuple):
    """Number, mean and variance of entries, in float64."""

    number: int
    mean: np.ndarray
    variance: np.ndarray

    def joined(self, other: _Moments) -> _Moments:
        """Those of the entries of both. Source: T. Chan, G. Golub and R. LeVeque 1979."""
        if not other.number:
            return self
        number = self.number + other.number
        own, more, apart = self.number / number, other.number / number, other.mean - self.mean
        variance = own * self.variance + more * other.variance + own * more * apart**2
        return _Moments(number, self.mean + more * apart, variance)


def _told(mean: Any, variance: Any, axes: int) -> tuple[np.ndarray, np.ndarray] | None:
    """The mean and the variance that are given as arguments; None without."""
    if mean is None and variance is None:
        return None
    if mean is None or variance is None:
        missing = "mean" if mean is None else "variance"
        raise StructureError(f"Normalization: {missing} is missing. Give both, or none and learn them: fnet.adapt.")
    pair = np.asarray(mean, np.float64), np.asarray(variance, np.float64)
    if pair[0].shape != pair[1].shape or pair[0].ndim > axes:
        raise ShapeError(
            f"Normalization: mean and variance have one shape, of at most {axes} axes, as axis says; received "
            f"{pair[0].shape} and {pair[1].shape}."
        )
    return pair


def _over(shape: tuple[int, ...], places: tuple[int, ...], sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape with which values of these sizes stand over an array of `shape`, along the last of some axes."""
    made = [1] * len(shape)
    for place, size in zip(places[len(places) - len(sizes) :], sizes, strict=True):
        made[place] = size
    return tuple(made)
