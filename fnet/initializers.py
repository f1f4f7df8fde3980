"""First values of parameters: an initializer is a function ``init(key, shape, dtype) -> array``.

The functions here make initializers that know their name and arguments, under the names of Keras' functions and of its
classes (``he_normal()``, ``HeNormal()``); layers take one, or its name in any of these spellings, or a NumPy array.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fnet import random
from fnet.arguments import known_word, not_negative, number, one_of
from fnet.configured import configurable
from fnet.errors import ShapeError, ValueRangeError
from fnet.names import Names, snake_case
from fnet.spectra import WindowLike, check_window, fourier_kernel
from fnet.transforms.operand import beside
from fnet.transforms.tracer import Tracer

Initializer = Callable[[Any, tuple[int, ...], Any], Any]
InitializerLike = str | Callable[..., Any] | np.ndarray
"""What `get` takes for an initializer."""

INITIALIZERS: Names[Callable[..., Initializer]] = Names("initializer", spelling=snake_case)

# Standard deviation of a standard normal variable conditioned on [-2, 2].
TRUNCATED_STDDEV = 0.87962566103423978


@INITIALIZERS.named("zero")
@configurable
def zeros() -> Initializer:
    """All 0."""
    return constant(0.0)


@INITIALIZERS.named("one")
@configurable
def ones() -> Initializer:
    """All 1."""
    return constant(1.0)


@INITIALIZERS.named()
@configurable
def constant(value: float = 0.0) -> Initializer:
    """All `value`, a number.

    >>> constant(0.1), constant(0.1) == constant(0.1)
    (constant(value=0.1), True)
    """
    number("constant", "value", value)
    return lambda key, shape, dtype: filled(key, shape, dtype, value)


def filled(key: Any, shape: tuple[int, ...], dtype: Any, value: float) -> Any:
    """An array of equal numbers, which takes no memory where `key` is traced: whoever asks for shapes needs none."""
    array = (
        np.broadcast_to(np.asarray(value, dtype), shape) if isinstance(key, Tracer) else np.full(shape, value, dtype)
    )
    return beside(array, key)


@INITIALIZERS.named()
@configurable
def identity(gain: float = 1.0) -> Initializer:
    """`gain` on the diagonal of a matrix, else 0. Raises `ShapeError` for other than two axes."""
    number("identity", "gain", gain)

    def init(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
        if len(shape) != 2:
            raise ShapeError(f"initializer identity: expected a shape with two axes, received {tuple(shape)}.")
        if isinstance(key, Tracer):
            return beside(_diagonal(*shape, np.dtype(dtype).type(gain)), key)
        return beside(np.eye(*shape, dtype=dtype) * np.dtype(dtype).type(gain), key)

    return init


def _diagonal(rows: int, columns: int, value: Any) -> np.ndarray:
    """The matrix with this value on its diagonal, as a view of one row of ``rows + columns`` numbers."""
    row = np.zeros(rows + columns + 1, value.dtype)
    row[rows] = value
    step = row.itemsize
    return np.lib.stride_tricks.as_strided(row[rows:], (rows, columns), (-step, step), writeable=False)


@INITIALIZERS.named("normal")
@configurable
def random_normal(mean: float = 0.0, stddev: float = 0.05) -> Initializer:
    """Normal numbers."""
    number("random_normal", "mean", mean)
    not_negative("random_normal", "stddev", stddev)
    return lambda key, shape, dtype: random.normal(key, shape, dtype, mean, stddev)


@INITIALIZERS.named("uniform")
@configurable
def random_uniform(minval: float = -0.05, maxval: float = 0.05) -> Initializer:
    """Uniform numbers in [minval, maxval)."""
    number("random_uniform", "minval", minval)
    number("random_uniform", "maxval", maxval)
    if not minval <= maxval:
        raise ValueRangeError(f"random_uniform: expected minval <= maxval, received {minval} and {maxval}.")
    return lambda key, shape, dtype: random.uniform(key, shape, dtype, minval, maxval)


@INITIALIZERS.named()
@configurable
def truncated_normal(mean: float = 0.0, stddev: float = 0.05) -> Initializer:
    """Normal numbers conditioned on ``mean +- 2 stddev``; their standard deviation is ``0.88 stddev``."""
    number("truncated_normal", "mean", mean)
    not_negative("truncated_normal", "stddev", stddev)
    return lambda key, shape, dtype: random.truncated_normal(key, shape, dtype) * stddev + mean


@INITIALIZERS.named()
@configurable
def variance_scaling(scale: float = 1.0, mode: str = "fan_in", distribution: str = "truncated_normal") -> Initializer:
    """Numbers of mean 0 and variance ``scale / fan``.

    mode: ``fan_in``, ``fan_out`` or ``fan_avg``, their mean (see `fans`).
    distribution: ``truncated_normal`` (or ``normal``), ``untruncated_normal`` or ``uniform``.
    Raises `ValueRangeError` for other words or a negative scale. Source: Keras ``VarianceScaling``.

    >>> variance_scaling(2.0, "fan_in", "uniform")(random.key(0), (3, 2), "float32").shape
    (3, 2)
    """
    not_negative("variance_scaling", "scale", scale)
    known_word("variance_scaling", "mode", mode, ("fan_in", "fan_out", "fan_avg"))
    shapes = ("truncated_normal", "normal", "untruncated_normal", "uniform")
    known_word("variance_scaling", "distribution", distribution, shapes)

    def init(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
        fan_in, fan_out = fans(shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
        variance = scale / max(1.0, fan)
        if distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return random.uniform(key, shape, dtype, -limit, limit)
        if distribution == "untruncated_normal":
            return random.normal(key, shape, dtype, 0.0, math.sqrt(variance))
        return random.truncated_normal(key, shape, dtype) * (math.sqrt(variance) / TRUNCATED_STDDEV)

    return init


@INITIALIZERS.named()
@configurable
def glorot_uniform() -> Initializer:
    """Uniform of variance ``2 / (fan_in + fan_out)``. Source: X. Glorot and Y. Bengio 2010."""
    return variance_scaling(1.0, "fan_avg", "uniform")


@INITIALIZERS.named()
@configurable
def glorot_normal() -> Initializer:
    """Truncated normal of variance ``2 / (fan_in + fan_out)``. Source: X. Glorot and Y. Bengio 2010."""
    return variance_scaling(1.0, "fan_avg", "truncated_normal")


@INITIALIZERS.named()
@configurable
def he_uniform() -> Initializer:
    """Uniform of variance ``2 / fan_in``. Source: K. He et al. 2015."""
    return variance_scaling(2.0, "fan_in", "uniform")


@INITIALIZERS.named()
@configurable
def he_normal() -> Initializer:
    """Truncated normal of variance ``2 / fan_in``. Source: K. He et al. 2015."""
    return variance_scaling(2.0, "fan_in", "truncated_normal")


@INITIALIZERS.named()
@configurable
def lecun_uniform() -> Initializer:
    """Uniform of variance ``1 / fan_in``. Source: Y. LeCun et al. 1998."""
    return variance_scaling(1.0, "fan_in", "uniform")


@INITIALIZERS.named()
@configurable
def lecun_normal() -> Initializer:
    """Truncated normal of variance ``1 / fan_in``. Source: Y. LeCun et al. 1998."""
    return variance_scaling(1.0, "fan_in", "truncated_normal")


@INITIALIZERS.named()
@configurable
def orthogonal(gain: float = 1.0) -> Initializer:
    """`gain` times a random orthogonal matrix (see `fnet.random.orthogonal`)."""
    number("orthogonal", "gain", gain)
    return lambda key, shape, dtype: random.orthogonal(key, shape, gain, dtype)


@INITIALIZERS.named()
@configurable
def stft(
    side: str = "real",
    window: WindowLike = "hann",
    scaling: str | None = "density",
    periodic: bool = False,
) -> Initializer:
    """``w[t] cos(2 pi t f / F)``, or ``-w[t] sin(2 pi t f / F)``: a Fourier transform as the kernel of a convolution.

    shape: (T, 1, F / 2 + 1), for T samples and the lower half of F frequencies. side: ``"real"`` for cosines,
    ``"imag"`` for sines. window, periodic: see `fnet.spectra.window_values`; None is a window of ones.
    scaling: divide by ``sqrt(sum w^2)`` ("density"), by ``sum |w|`` ("spectrum"), or not (None).
    Raises `ValueRangeError` for other words, `ShapeError` for a window that is not (T,). Source: Keras ``STFT``.

    >>> stft("real", None)(random.key(0), (4, 1, 3), "float64")[:, 0].round(9) + 0.0
    array([[ 1.,  1.,  1.],
           [ 1.,  0., -1.],
           [ 1., -1.,  1.],
           [ 1.,  0., -1.]])
    """
    one_of("stft", "side", side, ("real", "imag"))
    known_word("stft", "scaling", scaling, (None, "density", "spectrum"))
    check_window("stft", window)

    def init(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
        if len(shape) != 3 or shape[1] != 1 or shape[2] < 2:
            expected = "expected a shape (time, 1, frequencies) with two frequencies or more"
            raise ShapeError(f"initializer stft: {expected}, received {tuple(shape)}.")
        values = fourier_kernel("stft", side, shape[0], 2 * (shape[2] - 1), window, scaling, periodic)
        return beside(values[:, None].astype(dtype), key)

    return init


STFT = stft


class KernelShape(tuple):
    """The shape of a kernel that says which of its axes are those of outputs; the others are those of inputs.

    >>> fans(KernelShape((64, 8, 16), outputs=(1, 2)))
    (64, 128)
    """

    outputs: frozenset[int]

    def __new__(cls, sizes: Iterable[int], outputs: Iterable[int]) -> KernelShape:
        shape = super().__new__(cls, sizes)
        shape.outputs = frozenset(outputs)
        return shape


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """How many inputs an output depends on, and how many outputs an input reaches.

    shape: (..., in, out), where the leading axes are a convolution's window; a vector counts its size as both. A
    `KernelShape` says which axes are which. As in Keras, so that networks start alike: for a depthwise kernel
    (..., C, M) that counts all C channels, though an output depends on one of them only (its variance is C times
    smaller than that of the papers), and for a transposed convolution (..., out, in) it takes one for the other.

    >>> fans((3, 3, 32, 16))
    (288, 144)
    """
    if isinstance(shape, KernelShape):
        sizes = {side: math.prod(n for i, n in enumerate(shape) if (i in shape.outputs) == side) for side in (0, 1)}
        return sizes[0], sizes[1]
    if len(shape) < 2:
        return math.prod(shape), math.prod(shape)
    window = math.prod(shape[:-2])
    return shape[-2] * window, shape[-1] * window


Zeros, Ones, Constant, Identity, Orthogonal = zeros, ones, constant, identity, orthogonal
RandomNormal, RandomUniform, TruncatedNormal = random_normal, random_uniform, truncated_normal
VarianceScaling = variance_scaling
GlorotUniform, GlorotNormal = glorot_uniform, glorot_normal
HeUniform, HeNormal, LecunUniform, LecunNormal = he_uniform, he_normal, lecun_uniform, lecun_normal


def get(initializer: InitializerLike) -> Initializer:
    """The initializer meant by a name (``"he_normal"``, ``"HeNormal"``), a function, or an array to be copied.

    A function that makes initializers, such as ``HeNormal``, stands for what it makes by default.
    Raises `ValueRangeError` for an unknown name, `DtypeError` for anything else.

    >>> get("HeNormal"), get("he_normal") == get(HeNormal)
    (he_normal(), True)
    """
    if isinstance(initializer, np.ndarray):
        return _verbatim(initializer)
    return INITIALIZERS.meant(initializer, "a function init(key, shape, dtype) or an array")


def _verbatim(value: np.ndarray) -> Initializer:
    def init(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
        if value.shape != tuple(shape):
            raise ShapeError(f"the array given as initializer must have shape {tuple(shape)}, received {value.shape}.")
        return beside(np.array(value, dtype), key)

    return init
