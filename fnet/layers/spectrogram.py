"""Spectra of signals over time, as convolutions with the kernels of Fourier transforms."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from fnet import initializers, ops
from fnet.arguments import not_negative, number, one_of, positive, positive_integer
from fnet.errors import ShapeError, ValueRangeError
from fnet.layers.checks import check_data_format, image, image_shape, known_size, one_shape, parameters
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.ops.promotion import astype, lift, promote
from fnet.random import fold_in
from fnet.regularizers import RegularizerLike
from fnet.spectra import WindowLike, check_window, fourier_kernel, mel_matrix, window_values
from fnet.transforms.operand import beside

_MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")
_EPSILON = 1e-7  # Keras' fuzz


@LAYERS.named()
@layer_constructor()
def STFTSpectrogram(
    mode: str = "log",
    frame_length: int = 256,
    frame_step: int | None = None,
    fft_length: int | None = None,
    window: WindowLike = "hann",
    periodic: bool = False,
    scaling: str | None = "density",
    padding: str = "valid",
    expand_dims: bool = False,
    data_format: str | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """The short-time Fourier transform X of each channel, ``X[n, t, f] = sum_s x[n, t frame_step + s] K[s, f]``.

    The kernels are parameters, so they may be trained; no fast Fourier transform is used, and a frame costs
    ``frame_length * fft_length`` products.
    x: (N, T, C) -> (N, T', C F), all frequencies of a channel behind those of the one before, or with `expand_dims`
    (N, T', F, C), where F is ``fft_length // 2 + 1``, for "stft" twice that, and T' is that of `Conv1D`.
    mode: "real" or "imag", the parts of X; "stft", both; "angle", ``atan2(imag, real)``; "psd", ``|X|^2`` with all
    frequencies but the first and the last doubled; "magnitude", ``|X|``, at least ``sqrt(1e-7)``; "log", its logarithm.
    frame_step: half of `frame_length` by default. fft_length: at least `frame_length`, by default the next power of
    two. window, periodic, scaling: see `fnet.initializers.stft`. padding: "valid" or "same".
    Params: ``real_kernel`` and ``imag_kernel``, (frame_length, 1, fft_length // 2 + 1), of which "real" and "imag" have
    one. Raises `ValueRangeError` for arguments out of range, `ShapeError` for other shapes.
    Source: Keras ``STFTSpectrogram``.

    >>> STFTSpectrogram("magnitude", 16, fft_length=32).out_shape((100, 2))
    (11, 34)
    """
    one_of("STFTSpectrogram", "mode", mode, _MODES)
    one_of("STFTSpectrogram", "padding", padding, ("valid", "same"))
    check_data_format("STFTSpectrogram", data_format)
    length = positive_integer("STFTSpectrogram", "frame_length", frame_length)
    step = positive_integer("STFTSpectrogram", "frame_step", frame_step or max(1, length // 2))
    whole = positive_integer("STFTSpectrogram", "fft_length", fft_length or 2 ** math.ceil(math.log2(length)))
    if step > length or whole < length:
        raise ValueRangeError(
            f"STFTSpectrogram: expected frame_step <= frame_length <= fft_length, received {step}, {length}, {whole}."
        )
    sides = [side for side in ("real", "imag") if mode not in ("real", "imag") or side == mode]
    makers = {f"{side}_kernel": initializers.stft(side, window, scaling, periodic) for side in sides}
    shape_of_kernel = (length, 1, whole // 2 + 1)

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        known_size("STFTSpectrogram", image_shape("STFTSpectrogram", shape, 1))
        made = {name: make(fold_in(key, i), shape_of_kernel, dtype) for i, (name, make) in enumerate(makers.items())}
        return made, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        kernels = parameters("STFTSpectrogram", params, dict.fromkeys(makers, shape_of_kernel))
        x = astype(image("STFTSpectrogram", x, 1), kernels[0].dtype)
        n, count, channels = x.shape
        signals = ops.reshape(ops.swapaxes(x, 1, 2), (n * channels, count, 1))
        spectra = ops.conv(signals, ops.concatenate(kernels, -1), step, padding)
        spectra = _said(mode, spectra, shape_of_kernel[2])
        spectra = ops.reshape(spectra, (n, channels, *spectra.shape[1:]))
        if expand_dims:
            return ops.transpose(spectra, (0, 2, 3, 1)), state
        return ops.reshape(ops.swapaxes(spectra, 1, 2), (n, spectra.shape[2], channels * spectra.shape[3])), state

    return init, apply


def _said(mode: str, spectra: Any, bins: int) -> Any:
    """What a mode says of spectra (M, T, bins) with one part, or (M, T, 2 bins) with the real and the other part."""
    if mode in ("real", "imag", "stft"):
        return spectra
    real, imag = spectra[..., :bins], spectra[..., bins:]
    if mode == "angle":
        return _angle(imag, real)
    power = ops.square(real) + ops.square(imag)
    if mode == "psd":
        counts = np.full(bins, 2.0, power.dtype)
        counts[[0, -1]] = 1
        return power * beside(counts, power)
    magnitude = ops.sqrt(ops.maximum(power, _EPSILON))
    return magnitude if mode == "magnitude" else ops.log(ops.maximum(magnitude, _EPSILON))


def _angle(y: Any, x: Any) -> Any:
    """``atan2(y, x)``, from the arctangent of the smaller number over the larger one."""
    flat = ops.greater_equal(ops.absolute(x), ops.absolute(y))
    lower = ops.where(flat, x, y)
    ratio = ops.arctan(ops.where(flat, y, x) / ops.where(ops.equal(lower, 0), 1, lower))
    half = astype(ops.where(ops.less(y, 0), -math.pi, math.pi), x.dtype)
    return ops.where(flat, ops.where(ops.less(x, 0), ratio + half, ratio), 0.5 * half - ratio)


@LAYERS.named()
@layer_constructor()
def MelSpectrogram(
    fft_length: int = 2048,
    sequence_stride: int = 512,
    sequence_length: int | None = None,
    window: WindowLike = "hann",
    sampling_rate: int = 16000,
    num_mel_bins: int = 128,
    min_freq: float = 20.0,
    max_freq: float | None = None,
    power_to_db: bool = True,
    top_db: float = 80.0,
    mag_exp: float = 2.0,
    min_power: float = 1e-10,
    ref_power: float = 1.0,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """Sounds as the power in bands of the mel scale over time, ``sum_f |X[n, t, f]|^mag_exp M[f, m]``, in decibels.

    X is the Fourier transform of `fft_length` samples, taken every `sequence_stride` samples from ``fft_length // 2``
    samples before the sound on; before and behind, the sound is mirrored. It is a convolution with fixed kernels, no
    fast Fourier transform: a frame costs ``fft_length^2`` products. M: see `fnet.spectra.mel_matrix`.
    x: (N, T) -> (N, num_mel_bins, T'), with ``T' = T // sequence_stride + 1`` for an even `fft_length`.
    sequence_length, window: as many samples in the middle count, under this periodic window; all of them by default.
    min_freq, max_freq: of the bands, in the unit of `sampling_rate`, of which half is the default.
    power_to_db: ``10 log10(max(power, min_power) / max(|ref_power|, min_power))``, at most `top_db` below the largest
    number of the whole batch; so, as in Keras, a sound that is much louder than the others changes theirs.
    Raises `ValueRangeError` for arguments out of range, `ShapeError` for other shapes.
    Source: Keras ``MelSpectrogram``.

    >>> MelSpectrogram(64, 16, sampling_rate=800, num_mel_bins=8).out_shape((400,))
    (8, 26)
    """
    who = "MelSpectrogram"
    whole = positive_integer(who, "fft_length", fft_length)
    stride = positive_integer(who, "sequence_stride", sequence_stride)
    length = positive_integer(who, "sequence_length", sequence_length or whole)
    bands = positive_integer(who, "num_mel_bins", num_mel_bins)
    rate, least = positive(who, "sampling_rate", sampling_rate), positive(who, "min_power", min_power)
    low, high = not_negative(who, "min_freq", min_freq), positive(who, "max_freq", max_freq or int(rate / 2))
    top, exponent = number(who, "top_db", top_db), positive(who, "mag_exp", mag_exp)
    reference = 10 * math.log10(max(abs(number(who, "ref_power", ref_power)), least))
    check_window(who, window)
    if length > whole:
        raise ValueRangeError(f"{who}: expected sequence_length <= fft_length, received {length} and {whole}.")
    if low >= high:
        raise ValueRangeError(f"{who}: expected min_freq < max_freq, received {low} and {high}.")

    @functools.cache
    def constants() -> tuple[np.ndarray, np.ndarray]:
        """Both kernels of the Fourier transform side by side, and the bands."""
        before = (whole - length) // 2
        inner = np.pad(window_values(who, window, length, periodic=True), (before, whole - length - before))
        inner = np.ones(whole) if window is None else inner
        bins = whole // 2 + 1
        angles = [fourier_kernel(who, side, whole, whole, inner, None, False) for side in ("real", "imag")]
        return np.concatenate(angles, 1)[:, None], mel_matrix(bands, bins, rate, low, high)

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        if len(one_shape(who, shape)) != 1:
            raise ShapeError(f"{who} takes samples of shape (time,), received {shape}.")
        return {}, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        (x,) = promote(lift(x), floating=True)
        if x.ndim != 2 or x.shape[1] == 0:
            hint = " Add a batch axis: x[None]." if x.ndim == 1 else ""
            raise ShapeError(f"{who}: expected an input (batch, time), received {x.shape}.{hint}")
        kernel, matrix = (beside(part.astype(x.dtype), x) for part in constants())
        mirrored = np.pad(np.arange(x.shape[1]), whole // 2, mode="reflect")
        sounds = ops.expand_dims(ops.take(x, beside(mirrored, x), 1), -1)
        spectra = ops.conv(sounds, kernel, stride)
        real, imag = (spectra[..., part] for part in (slice(0, whole // 2 + 1), slice(whole // 2 + 1, None)))
        power = ops.matmul(_raised(ops.square(real) + ops.square(imag), exponent / 2), matrix)
        return ops.swapaxes(_decibels(power, least, reference, top) if power_to_db else power, 1, 2), state

    return init, apply


def _raised(x: Any, exponent: float) -> Any:
    """``x^exponent`` of numbers that are not negative, with a slope of 0 at 0."""
    if exponent == 1:
        return x
    positive_ones = ops.greater(x, 0)
    return ops.where(positive_ones, ops.power(ops.where(positive_ones, x, 1), exponent), 0)


def _decibels(power: Any, least: float, reference: float, top: float) -> Any:
    """Powers in decibels above the reference, none more than `top` below the largest one."""
    loudness = 10 * ops.log10(ops.maximum(power, least)) - reference
    return ops.maximum(loudness, ops.max(loudness) - top) if 0 not in loudness.shape else loudness
