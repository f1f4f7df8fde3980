"""Discrete Fourier transforms along the last axis, of real and imaginary parts as a pair of arrays.

A transform of ``n = n1 n2`` numbers is n2 transforms of n1, a rotation of each result, and n1 transforms of n2
(the four-step form); those that are small, or have a prime length, are products with a matrix.
Source: D. Bailey, FFTs in external or hierarchical memory, 1990.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from fnet.errors import DtypeError, ShapeError, ValueRangeError
from fnet.ops.arithmetic import add, divide, multiply, negative, subtract
from fnet.ops.index import scatter_add, take
from fnet.ops.linalg import matrix_product
from fnet.ops.padding import pad_with_itself
from fnet.ops.promotion import promote
from fnet.ops.shape import concatenate, flip, pad, reshape, swapaxes
from fnet.spectra import WindowLike, check_window, window_values
from fnet.transforms.linear_maps import part, zeros_like
from fnet.transforms.operand import beside

Pair = tuple[Any, Any]
_SMALL = 32  # numbers that are transformed by one product


def fft(x: Pair) -> Pair:
    """``Y[k] = sum_j (x_real[j] + i x_imag[j]) exp(-2 pi i j k / n)`` along the last axis.

    x: the real and the imaginary part, (..., n) each -> a pair of (..., n). Raises `ShapeError` for parts of other
    shapes. Source: NumPy ``fft.fft``, Keras.

    >>> fft((np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(4)))
    (array([1., 1., 1., 1.]), array([0., 0., 0., 0.]))
    """
    return _transform(*_parts("fft", x))


def ifft(x: Pair) -> Pair:
    """The inverse of `fft`: ``Y[j] = (1 / n) sum_k x[k] exp(2 pi i j k / n)``."""
    return _inverse(*_parts("ifft", x))


def fft2(x: Pair) -> Pair:
    """`fft` along the last axis, and of what it gives along the one before: (..., m, n) each."""
    return _along_both(_transform, _parts("fft2", x, 2))


def ifft2(x: Pair) -> Pair:
    """The inverse of `fft2`."""
    return _along_both(_inverse, _parts("ifft2", x, 2))


def rfft(x: Any, fft_length: int | None = None) -> Pair:
    """`fft` of real numbers, without the half that mirrors the other: (..., n) -> a pair of (..., n // 2 + 1).

    fft_length: n, to which x is cut, or made longer by zeros.

    >>> rfft(np.array([1.0, -1.0]))
    (array([0., 2.]), array([0., 0.]))
    """
    (x,) = promote(x, floating=True)
    n = _length("rfft", x, fft_length, x.shape[-1] if x.ndim else 0)
    real, imag = _transform(_of_length(x, n), None)
    return _begin(real, n // 2 + 1), _begin(imag, n // 2 + 1)


def irfft(x: Pair, fft_length: int | None = None) -> Any:
    """The inverse of `rfft`: a pair of (..., m) -> (..., n), n being ``2 (m - 1)``, or `fft_length`.

    The imaginary part of the first number, and for an even n of the last one, counts nothing, as in NumPy.
    """
    real, imag = _parts("irfft", x)
    n = _length("irfft", real, fft_length, 2 * (real.shape[-1] - 1))
    real, imag = (_of_length(side, n // 2 + 1) for side in (real, imag))
    inner = (n + 1) // 2  # behind the last that has a mirror
    silent = zeros_like(_begin(imag, 1))
    middle = part(imag, 1, inner, imag.ndim - 1)
    last = [silent] if n % 2 == 0 else []
    mirrored = flip(part(real, 1, inner, real.ndim - 1), -1)
    whole = concatenate([real, mirrored], -1), concatenate([silent, middle, *last, negative(flip(middle, -1))], -1)
    return _inverse(*whole)[0]


def stft(
    x: Any,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    window: WindowLike = "hann",
    center: bool = True,
) -> Pair:
    """`rfft` of parts of a signal that begin `sequence_stride` after one another, times a window.

    x: (..., T) -> a pair of (..., frames, fft_length // 2 + 1). window: a name of `fnet.spectra.WINDOWS`, its
    `sequence_length` numbers, or None for `fft_length` ones. center: mirror ``fft_length // 2`` numbers at both ends,
    so that a frame has its sample in the middle. Source: Keras ``ops.stft``.

    >>> stft(np.ones(8), 4, 2, 4)[0].shape
    (5, 3)
    """
    (x,) = promote(x, floating=True)
    weights = _weights("stft", sequence_length, sequence_stride, fft_length, window)
    if center:
        x = pad_with_itself(x, [(0, 0)] * (x.ndim - 1) + [(fft_length // 2,) * 2], "reflect")
    if x.shape[-1] < fft_length:
        raise ShapeError(f"stft: expected {fft_length} samples or more, received {x.shape[-1]}. Use center=True.")
    places = _places((x.shape[-1] - fft_length) // sequence_stride + 1, fft_length, sequence_stride)
    return rfft(multiply(take(x, beside(places, x), -1), beside(weights.astype(x.dtype), x)))


def istft(
    x: Pair,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: WindowLike = "hann",
    center: bool = True,
) -> Any:
    """The signal that has these spectra, as `stft` gives them: a pair of (..., frames, bins) -> (..., T).

    Frames are added, weighted by their window, and divided by the sum of its squares. length: T; by default all
    samples, without those that `center` put at the ends. Source: D. Griffin and J. Lim 1984; Keras ``ops.istft``.
    """
    real, imag = _parts("istft", x, 2)
    weights = _weights("istft", sequence_length, sequence_stride, fft_length, window)
    places = _places(real.shape[-2], fft_length, sequence_stride)
    frames = multiply(irfft((real, imag), fft_length), beside(weights.astype(real.dtype), real))
    total = int(places[-1, -1]) + 1
    axis = real.ndim - 2
    y = scatter_add(frames, beside(places, real), shape=(*real.shape[:axis], total), axis=axis)
    squares = np.bincount(places.ravel(), np.tile(np.square(weights), len(places)))
    y = divide(y, beside(np.where(squares > 1e-10, squares, 1.0).astype(real.dtype), real))
    start = fft_length // 2 if center else 0
    end = start + length if length is not None else total - start
    return part(y, start, min(end, total), axis)


def _parts(who: str, x: Any, axes: int = 1) -> Pair:
    """The real and the imaginary part, in one floating dtype."""
    if not isinstance(x, tuple | list) or len(x) != 2:
        raise DtypeError(f"{who}: expected a pair of arrays, (real, imaginary), as there are no complex numbers.")
    real, imag = promote(*x, floating=True)
    if real.shape != imag.shape or real.ndim < axes or 0 in real.shape[-axes:]:
        raise ShapeError(
            f"{who}: expected parts of one shape with {axes} axes or more that are not empty, received {real.shape} "
            f"and {imag.shape}."
        )
    return real, imag


def _length(who: str, x: Any, given: int | None, own: int) -> int:
    """How many numbers are transformed."""
    n = own if given is None else given
    if x.ndim < 1 or n < 1:
        raise ShapeError(f"{who}: expected one number or more along the last axis, received shape {x.shape} for {n}.")
    return n


def _weights(who: str, length: int, stride: int, whole: int, window: Any) -> np.ndarray:
    """A window in the middle of `whole` numbers, zeros beside it; float64."""
    if not 1 <= length <= whole or stride < 1:
        raise ValueRangeError(
            f"{who}: expected 1 <= sequence_length <= fft_length and 1 <= sequence_stride, received {length}, {whole} "
            f"and {stride}."
        )
    check_window(who, window)
    if window is None:
        return np.ones(whole)
    before = (whole - length) // 2
    return np.pad(window_values(who, window, length, periodic=True), (before, whole - length - before))


def _places(frames: int, length: int, stride: int) -> np.ndarray:
    """Where the numbers of each frame are in a signal: (frames, length)."""
    return np.arange(frames)[:, None] * stride + np.arange(length)


def _of_length(x: Any, n: int) -> Any:
    """The first n numbers of the last axis, with zeros behind it where there are fewer."""
    missing = n - x.shape[-1]
    return pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)]) if missing > 0 else _begin(x, n)


def _begin(x: Any, n: int) -> Any:
    return part(x, 0, n, x.ndim - 1)


def _along_both(transform: Any, x: Pair) -> Pair:
    for _ in range(2):
        real, imag = transform(*x)
        x = swapaxes(real, -1, -2), swapaxes(imag, -1, -2)
    return x


def _inverse(real: Any, imag: Any) -> Pair:
    """Parts that change places turn the other way: the inverse, but for 1 / n."""
    n = real.shape[-1]
    imag, real = _transform(imag, real)
    return multiply(real, 1 / n), multiply(imag, 1 / n)


def _transform(real: Any, imag: Any) -> Pair:
    """The transform along the last axis; an imaginary part of None is zero."""
    n = real.shape[-1]
    first = _factor(n)
    if first == 1:
        return _product(real, imag)
    second, lead = n // first, real.shape[:-1]
    rows = [side if side is None else swapaxes(reshape(side, (*lead, first, second)), -1, -2) for side in (real, imag)]
    rows = [swapaxes(side, -1, -2) for side in _turned(*_transform(*rows))]
    real, imag = (reshape(swapaxes(side, -1, -2), (*lead, n)) for side in _transform(*rows))
    return real, imag


def _factor(n: int) -> int:
    """The largest factor of n up to its root, or 1 where one product transforms n numbers."""
    return 1 if n <= _SMALL else max(k for k in range(1, math.isqrt(n) + 1) if n % k == 0)


def _product(real: Any, imag: Any) -> Pair:
    """The transform as a product with a matrix."""
    n, lead = real.shape[-1], real.shape[:-1]
    both = real if imag is None else concatenate([real, imag], -1)
    matrix = _matrix(n, real.dtype.name)[: both.shape[-1]]
    y = matrix_product(reshape(both, (-1, both.shape[-1])), beside(matrix, real), "highest")
    return reshape(part(y, 0, n, 1), (*lead, n)), reshape(part(y, n, 2 * n, 1), (*lead, n))


@functools.lru_cache(maxsize=16)
def _matrix(n: int, dtype: str) -> np.ndarray:
    """``[[cos, -sin], [sin, cos]]`` of ``2 pi j k / n``: (2 n, 2 n)."""
    cosines, sines = _waves(np.outer(np.arange(n), np.arange(n)), n)
    return np.block([[cosines, -sines], [sines, cosines]]).astype(dtype)


def _turned(real: Any, imag: Any) -> Pair:
    """Numbers (..., a, b) times ``exp(-2 pi i j k / (a b))``."""
    a, b = real.shape[-2:]
    cosines, sines = (beside(side, real) for side in _turns(a, b, real.dtype.name))
    return (
        add(multiply(real, cosines), multiply(imag, sines)),
        subtract(multiply(imag, cosines), multiply(real, sines)),
    )


@functools.lru_cache(maxsize=16)
def _turns(a: int, b: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    cosines, sines = _waves(np.outer(np.arange(a), np.arange(b)), a * b)
    return cosines.astype(dtype), sines.astype(dtype)


def _waves(steps: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine of so many steps, of which n are a turn; whole numbers at each quarter."""
    turns = steps % n * (2 * math.pi / n)
    quarters = 4 * steps % n == 0
    cosines, sines = (np.where(quarters, np.round(waves), waves) for waves in (np.cos(turns), np.sin(turns)))
    return cosines, sines
