"""Where a step stands in its sequence: encodings to be added to its features, and a rotation of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet import initializers, ops
from fnet.arguments import positive, positive_integer
from fnet.errors import AxisSizeError, ShapeError
from fnet.initializers import InitializerLike
from fnet.layers.activation import nothing
from fnet.layers.checks import known_size, parameters
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.ops.promotion import astype, lift, promote
from fnet.regularizers import RegularizerLike
from fnet.transforms.operand import beside
from fnet.transforms.primitive import spec_of


@LAYERS.named()
@layer_constructor(masks="kept")
def PositionEmbedding(
    sequence_length: int,
    initializer: InitializerLike = "glorot_uniform",
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """A learnt vector for each position: ``y[n, t] = E[t]``, to be added: ``residual(PositionEmbedding(length))``.

    x: (N, T, F), T up to `sequence_length` -> (N, T, F), whatever x holds.
    Params: ``position_embeddings: (sequence_length, F)``. Raises `ShapeError` for a longer sequence.
    Source: Keras-hub ``PositionEmbedding``.

    >>> PositionEmbedding(10).out_shape((7, 3))
    (7, 3)
    """
    length = positive_integer("PositionEmbedding", "sequence_length", sequence_length)
    make = initializers.get(initializer)

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        if len(shape) != 2:
            raise ShapeError(f"PositionEmbedding: expected a shape (steps, features), received {shape}.")
        return {"position_embeddings": make(key, (length, known_size("PositionEmbedding", shape)), dtype)}, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        (table,) = parameters("PositionEmbedding", params, {"position_embeddings": (length, None)})
        shape = spec_of(lift(x)).shape
        wanted = f"(batch, up to {length} steps, {table.shape[1]})"
        if len(shape) != 3 or shape[2] != table.shape[1]:
            raise ShapeError(f"PositionEmbedding: expected {wanted}, received {shape}.")
        if shape[1] > length:
            raise AxisSizeError(f"PositionEmbedding: expected {wanted}, received {shape}.", shape[1], most=length)
        return ops.broadcast_to(table[: shape[1]], shape), state

    return init, apply


@LAYERS.named()
@layer_constructor(masks="kept")
def SinePositionEncoding(
    max_wavelength: float = 10000.0,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """Waves of the position, to be added: ``y[n, t, 2i] = sin(t / w^(2i/F))`` and ``y[n, t, 2i+1] = cos`` of the same.

    x: (N, T, F) -> (N, T, F), whatever the values of x; w is `max_wavelength`. No parameters.
    Source: A. Vaswani et al. 2017 (Keras-hub ``SinePositionEncoding``).

    >>> import numpy as np
    >>> SinePositionEncoding().apply({}, {}, np.ones((1, 2, 2)))[0]
    array([[[0.        , 1.        ],
            [0.84147098, 0.54030231]]])
    """
    positive("SinePositionEncoding", "max_wavelength", max_wavelength)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        (x,) = promote(x, floating=True)
        shape = x.shape
        if len(shape) != 3:
            raise ShapeError(f"SinePositionEncoding: expected (batch, steps, features), received {shape}.")
        feature = np.arange(shape[2])
        angles = np.arange(shape[1])[:, None] / max_wavelength ** (2 * (feature // 2) / max(shape[2], 1))
        waves = np.where(feature % 2 == 0, np.sin(angles), np.cos(angles))
        return ops.broadcast_to(beside(astype(waves, x.dtype), x), shape), state

    return nothing, apply


@LAYERS.named()
@layer_constructor(masks="kept")
def RotaryEmbedding(
    max_wavelength: float = 10000.0,
    scaling_factor: float = 1.0,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """Features rotated by the position, see `rotate_by_position`: (N, T, ..., F) -> (N, T, ..., F), F even.

    `MultiHeadAttention` does it to its queries and keys with ``rotary=True``. Source: Keras-hub ``RotaryEmbedding``.

    >>> RotaryEmbedding().out_shape((7, 2, 4))
    (7, 2, 4)
    """
    for argument, value in (("max_wavelength", max_wavelength), ("scaling_factor", scaling_factor)):
        positive("RotaryEmbedding", argument, value)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        return rotate_by_position(x, None, max_wavelength, scaling_factor), state

    return nothing, apply


def rotate_by_position(
    x: Any, positions: Any = None, max_wavelength: float = 10000.0, scaling_factor: float = 1.0
) -> Any:
    """Rotate features i and i + F/2 of step t, as coordinates of a plane, by ``t / (c w^(2i/F))``.

    x: (N, T, ..., F) -> the same shape; positions: (T,), 0 .. T-1 by default. The inner product of two rotated vectors
    depends on the distance of their positions only. Raises `ShapeError` for odd F.
    Source: J. Su et al., RoFormer, 2021 (Keras-hub ``RotaryEmbedding``).

    >>> import numpy as np
    >>> rotate_by_position(np.array([[[1.0, 0.0], [1.0, 0.0]]]))
    array([[[1.        , 0.        ],
            [0.54030231, 0.84147098]]])
    """
    (x,) = promote(x, floating=True)
    shape = x.shape
    if len(shape) < 3 or shape[-1] % 2:
        raise ShapeError(f"rotary embedding: expected (batch, steps, ..., even number of features), received {shape}.")
    half = shape[-1] // 2
    frequencies = 1 / (max_wavelength ** (np.arange(half) / max(half, 1)) * scaling_factor)
    positions = beside(np.arange(shape[1]), x) if positions is None else lift(positions)
    angles = ops.multiply(ops.reshape(astype(positions, np.float64), (-1, 1)), beside(frequencies, x))
    wide = (shape[1], *(1,) * (len(shape) - 3), half)
    cos, sin = (astype(ops.reshape(f(angles), wide), x.dtype) for f in (ops.cos, ops.sin))
    first, second = x[..., :half], x[..., half:]
    return ops.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)
