"""Spectra beside NumPy's fast Fourier transform, their windows and modes, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import initializers
from fnet.errors import DtypeError, ShapeError, ValueRangeError
from fnet.layers import MelSpectrogram, STFTSpectrogram
from fnet.spectra import WINDOWS, mel_matrix, window_values

KEY = fnet.random.key(0)
X = np.random.default_rng(0).normal(size=(2, 21, 3))
HANN = [0.0, 0.25, 0.75, 1.0, 0.75, 0.25]  # of period 6


def spectra(x: np.ndarray, length: int, step: int, whole: int, window: Any) -> np.ndarray:
    """The Fourier transforms of frames: (..., time) -> (..., frames, frequencies)."""
    frames = np.lib.stride_tricks.sliding_window_view(x, length, -1)[..., ::step, :]
    return np.fft.rfft(frames * window, whole)


def run(layer: fnet.Layer, x: Any = X) -> np.ndarray:
    params, state = layer.init(KEY, x.shape[1:], "float64")
    return layer.apply(params, state, x)[0]


def test_modes() -> None:
    window = np.hanning(6)
    z = spectra(np.moveaxis(X, 1, 2), 6, 3, 8, window / np.sqrt(np.sum(window**2)))  # (N, C, T', F)
    z = np.moveaxis(z, 1, -1)
    power = np.abs(z) ** 2
    counts = np.array([1.0, 2.0, 2.0, 2.0, 1.0])[:, None]
    expected = {
        "real": z.real, "imag": z.imag, "magnitude": np.sqrt(power), "log": 0.5 * np.log(np.maximum(power, 1e-7)),
        "psd": power * counts, "stft": np.concatenate([z.real, z.imag], 2),
    }  # fmt: skip
    for mode, image in expected.items():
        np.testing.assert_allclose(run(STFTSpectrogram(mode, 6, expand_dims=True)), image, rtol=1e-9, atol=1e-12)
        flat = np.moveaxis(image, -1, 2).reshape(*image.shape[:2], -1)
        np.testing.assert_allclose(run(STFTSpectrogram(mode, 6)), flat, rtol=1e-9, atol=1e-12)
    inner = (slice(None), slice(None), slice(1, -1))  # the first and the last frequency are real
    angles = run(STFTSpectrogram("angle", 6, expand_dims=True))
    np.testing.assert_allclose(angles[inner], np.angle(z)[inner], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(np.abs(angles), np.abs(np.angle(z)), atol=1e-9)


def test_padding_and_silence() -> None:
    assert STFTSpectrogram("log", 6, 2, padding="same").out_shape((21, 3)) == (11, 15)
    assert run(STFTSpectrogram("log", 6), 0 * X).max() == pytest.approx(0.5 * np.log(1e-7))
    layer = STFTSpectrogram("angle", 6)
    params, state = layer.init(KEY, (21, 3), "float64")
    g = fnet.grad(lambda x: np.sum(layer.apply(params, state, x)[0]))(0 * X)
    assert np.isfinite(g).all()


def test_windows_are_those_of_signal_processing() -> None:
    np.testing.assert_allclose(window_values("f", "hann", 6, periodic=True), HANN, atol=1e-15)
    for name, made in {
        "hann": np.hanning,
        "hamming": np.hamming,
        "blackman": np.blackman,
        "bartlett": np.bartlett,
    }.items():
        np.testing.assert_allclose(window_values("f", name, 7, periodic=False), made(7), atol=1e-15)
        np.testing.assert_allclose(window_values("f", name, 6, periodic=True), made(7)[:-1], atol=1e-15)
    for name in WINDOWS:
        values = window_values("f", name, 9, periodic=False)
        np.testing.assert_allclose(values, values[::-1], atol=1e-12)
        assert values.max() == pytest.approx(1.0, abs=1e-6)


def test_the_initializer_scales_and_takes_a_window() -> None:
    kernel = initializers.STFT("imag", HANN, "spectrum")(KEY, (6, 1, 5), "float64")
    t, f = np.arange(6)[:, None], np.arange(5)
    np.testing.assert_allclose(kernel[:, 0], -np.sin(np.pi / 4 * t * f) * np.array(HANN)[:, None] / 3, atol=1e-14)
    bare = initializers.stft("real", None, "density")(KEY, (3, 1, 3), "float32")
    np.testing.assert_allclose(bare[:, 0], np.cos(np.pi / 2 * t[:3] * f[:3]), atol=1e-7)
    assert initializers.get("STFT") == initializers.stft()


@pytest.mark.parametrize(("whole", "length", "exponent"), [(8, 6, 2.0), (7, 7, 1.0)])
def test_bands_of_the_mel_scale(whole: int, length: int, exponent: float) -> None:
    options: Any = {"sampling_rate": 100, "num_mel_bins": 3, "min_freq": 1.0, "mag_exp": exponent, "window": "hamming"}
    x = X[..., 0]
    window = np.zeros(whole)
    window[(whole - length) // 2 :][:length] = window_values("f", "hamming", length, periodic=True)
    mirrored = np.pad(x, [(0, 0), (whole // 2, whole // 2)], mode="reflect")
    power = np.abs(spectra(mirrored, whole, 4, whole, window)) ** exponent
    bands = np.moveaxis(power @ mel_matrix(3, whole // 2 + 1, 100, 1.0, 50.0), 1, 2)
    y = run(MelSpectrogram(whole, 4, length, power_to_db=False, **options), x)
    np.testing.assert_allclose(y, bands, rtol=1e-10)
    loud = run(MelSpectrogram(whole, 4, length, top_db=6.0, ref_power=-2.0, min_power=0.5, **options), x)
    expected = 10 * np.log10(np.maximum(bands, 0.5)) - 10 * np.log10(2.0)
    np.testing.assert_allclose(loud, np.maximum(expected, expected.max() - 6), rtol=1e-10)


def test_bands_are_triangles() -> None:
    matrix = mel_matrix(4, 401, 8000, 100.0, 4000.0)
    assert not matrix[0].any() and matrix.min() == 0 and 0.95 < matrix.max() <= 1
    peaks = np.linspace(0, 4000, 401)[matrix.argmax(0)]
    centres = np.diff(1127 * np.log1p(np.array([100, *peaks, 4000.0]) / 700))
    np.testing.assert_allclose(centres, centres.mean(), rtol=0.02)


ERRORS: list[tuple[Any, type, str]] = [
    (lambda: STFTSpectrogram("power"), ValueRangeError, "STFTSpectrogram: mode is 'log', 'magnitude'.* or 'stft'"),
    (lambda: STFTSpectrogram(frame_length=4, frame_step=5), ValueRangeError,
     "expected frame_step <= frame_length <= fft_length, received 5, 4, 4"),
    (lambda: STFTSpectrogram(window="han"), ValueRangeError, r"unknown window 'han'\. Did you mean 'hann'\?"),
    (lambda: STFTSpectrogram(window=[[1.0]]), DtypeError, "window is a name, a sequence of numbers or None"),
    (lambda: run(STFTSpectrogram(frame_length=4, window=[1.0, 2.0])), ShapeError,
     r"the window has one number for each of 4 samples, received \(2,\)"),
    (lambda: STFTSpectrogram(scaling="sum"), ValueRangeError, "unknown scaling 'sum'"),
    (lambda: STFTSpectrogram(data_format="channels_first"), ValueRangeError, "data_format is channels_last"),
    (lambda: initializers.stft()(KEY, (4, 2, 3), "float32"), ShapeError, r"expected a shape \(time, 1, frequencies\)"),
    (lambda: MelSpectrogram(8, sequence_length=9), ValueRangeError, "expected sequence_length <= fft_length"),
    (lambda: MelSpectrogram(min_freq=50.0, max_freq=40.0), ValueRangeError, "expected min_freq < max_freq"),
    (lambda: MelSpectrogram().init(KEY, (9, 1)), ShapeError, r"MelSpectrogram takes samples of shape \(time,\)"),
    (lambda: MelSpectrogram(8).apply({}, {}, np.ones(9)), ShapeError, r"received \(9,\)\. Add a batch axis: x\[None\]"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), ERRORS)
def test_errors(call: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        call()
