"""Numbers that spectra are made with: windows, kernels of Fourier transforms, bands of the mel scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet.errors import DtypeError, ShapeError, ValueRangeError, did_you_mean

_COSINES = {
    "boxcar": (1.0,),
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "nuttall": (0.3635819, 0.4891775, 0.1365995, 0.0106411),
    "blackmanharris": (0.35875, 0.48829, 0.14128, 0.01168),
    "flattop": (0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368),
}
WindowLike = str | Sequence[float] | np.ndarray | None
"""What stands for a window: a name of `WINDOWS`, its numbers, or None for ones."""
WINDOWS = (*_COSINES, "bartlett", "cosine")


def window_values(who: str, window: Any, length: int, periodic: bool) -> np.ndarray:
    """The `length` numbers of a window, which falls to both sides; float64.

    window: a name of `WINDOWS`, the numbers, or None for ones. periodic: leave out the last of ``length + 1`` numbers,
    so that the window continues itself. Source: F. Harris 1978 (SciPy ``signal.get_window``).

    >>> window_values("f", "hann", 4, periodic=True)
    array([0. , 0.5, 1. , 0.5])
    """
    if window is None or (length == 1 and isinstance(window, str)):
        return np.ones(length)
    if not isinstance(window, str):
        values = np.asarray(window, np.float64)
        if values.shape != (length,):
            raise ShapeError(f"{who}: the window has one number for each of {length} samples, received {values.shape}.")
        return values
    steps = np.arange(length)
    period = length if periodic else length - 1
    if window == "bartlett":
        return 1 - np.abs(2 * steps / period - 1)
    if window == "cosine":
        return np.sin(np.pi * (steps + 0.5) / (period + 1))
    signs = (-1) ** np.arange(len(_COSINES[window]))
    waves = np.cos(2 * np.pi / period * np.outer(steps, np.arange(len(signs))))
    values = waves @ (signs * _COSINES[window])
    return np.asarray(values)


def check_window(who: str, window: Any) -> None:
    """Raise an error for what is no window: a name of `WINDOWS`, numbers, or None."""
    if isinstance(window, str):
        if window not in WINDOWS:
            hint = did_you_mean(window, WINDOWS) or f" Expected one of {', '.join(WINDOWS)}, or the numbers."
            raise ValueRangeError(f"{who}: unknown window {window!r:.40}.{hint}")
    elif window is not None and (np.ndim(window) != 1 or np.asarray(window).dtype.kind not in "fiu"):
        raise DtypeError(f"{who}: window is a name, a sequence of numbers or None, received {window!r:.40}.")


def fourier_kernel(
    who: str, side: str, length: int, whole: int, window: Any, scaling: str | None, periodic: bool
) -> np.ndarray:
    """``w[t] cos(2 pi t f / F)`` for side "real", ``-w[t] sin(2 pi t f / F)`` for "imag", F being `whole`.

    Returns (length, whole // 2 + 1), float64. scaling: see `fnet.initializers.stft`.
    """
    turns = np.outer(np.arange(length), np.arange(whole // 2 + 1)) % whole * (2 * np.pi / whole)
    waves = np.cos(turns) if side == "real" else -np.sin(turns)
    if window is None:
        return waves
    values = window_values(who, window, length, periodic)
    size = {"density": math.sqrt(np.sum(values**2)), "spectrum": float(np.sum(np.abs(values)))}
    return waves * values[:, None] / size.get(scaling or "", 1.0)


def mel_matrix(bands: int, bins: int, sampling_rate: float, lowest: float, highest: float) -> np.ndarray:
    """How much each of `bins` frequencies from 0 to ``sampling_rate / 2`` counts in each band: (bins, bands), float64.

    Bands are triangles of height 1, equally wide on the mel scale ``1127 log(1 + hertz / 700)``, on which each begins
    and ends in the middle of its neighbours. Source: HTK (Keras ``MelSpectrogram``).
    """
    mel = _mel(np.linspace(0.0, sampling_rate / 2, bins))[1:, None]  # without the frequency 0
    edges = np.linspace(_mel(lowest), _mel(highest), bands + 2)
    rising = (mel - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mel) / (edges[2:] - edges[1:-1])
    return np.pad(np.maximum(0.0, np.minimum(rising, falling)), [(1, 0), (0, 0)])


def _mel(hertz: Any) -> Any:
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)
