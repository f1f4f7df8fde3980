"""Fourier transforms of pairs: values are NumPy's, derivatives their transposes, errors by text."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import ops
from fnet.errors import DtypeError, ShapeError, TracingError, ValueRangeError
from fnet.testing import check_grads
from tests.ops.table import close

COVERED = {"fft", "ifft", "fft2", "ifft2", "rfft", "irfft", "stft", "istft"}
rng = np.random.default_rng(0)
X = rng.normal(size=(2, 40)), rng.normal(size=(2, 40))
SIGNAL = rng.normal(size=(2, 50))


def joined(pair):
    return pair[0] + 1j * pair[1]


def pair_of(n, dtype="f8"):
    return rng.normal(size=(2, n)).astype(dtype), rng.normal(size=(2, n)).astype(dtype)


@pytest.mark.parametrize("n", [1, 2, 3, 32, 37, 60, 74, 509, 1024])
def test_transforms_are_numpys(n):
    x = pair_of(n)
    for name in ("fft", "ifft"):
        got, expected = joined(getattr(ops, name)(x)), getattr(np.fft, name)(joined(x))
        assert np.abs(got - expected).max() < 1e-14 * np.abs(expected).max(), name
    got, expected = joined(ops.rfft(x[0])), np.fft.rfft(x[0])
    assert got.shape == expected.shape and np.abs(got - expected).max() < 1e-14 * np.abs(expected).max()


def test_float32_is_right_to_a_few_roundings():
    for n in (1024, 4096):
        x = pair_of(n, "f4")
        got, expected = ops.fft(x), np.fft.fft(joined([side.astype("f8") for side in x]))
        assert got[0].dtype == got[1].dtype == np.float32
        size = np.sqrt(np.mean(np.abs(expected) ** 2))
        assert np.abs(joined(got) - expected).max() < 10 * np.finfo("f4").eps * size


@pytest.mark.parametrize("n", [1, 2, 3, 6, 7, 8, 9, 12])
def test_lengths_that_are_given_are_numpys(n):
    half = pair_of(5)
    np.testing.assert_allclose(ops.irfft(half, n), np.fft.irfft(joined(half), n), atol=1e-14)
    np.testing.assert_allclose(joined(ops.rfft(half[0], n)), np.fft.rfft(half[0], n), atol=1e-14)


def test_the_first_and_the_last_imaginary_part_count_nothing():
    half = rng.normal(size=5), np.array([np.nan, 1.0, 2.0, 3.0, np.nan])
    np.testing.assert_array_equal(ops.irfft(half), ops.irfft((half[0], np.array([0.0, 1.0, 2.0, 3.0, 0.0]))))


@pytest.mark.parametrize("name", ["fft2", "ifft2"])
def test_transforms_along_two_axes_are_numpys(name):
    x = rng.normal(size=(2, 3, 5, 4))
    expected = getattr(np.fft, name)(joined(x))
    np.testing.assert_allclose(joined(getattr(ops, name)(tuple(x))), expected, atol=1e-14)


def test_spectra_over_time_are_those_of_windows():
    real, imag = ops.stft(SIGNAL, 6, 3, 9, "hamming", center=False)
    window = np.pad(np.hamming(7)[:6], (1, 2))
    assert real.shape == (2, 14, 5)
    expected = [np.fft.rfft(SIGNAL[:, s : s + 9] * window) for s in range(0, 42, 3)]
    np.testing.assert_allclose(joined((real, imag)), np.stack(expected, 1), atol=1e-14)


@pytest.mark.parametrize("options", [(8, 2, 8), (6, 3, 9, "hamming"), (5, 2, 16, None), (8, 4, 8, np.ones(8))])
@pytest.mark.parametrize("center", [True, False])
def test_a_signal_comes_back_from_its_spectra(options, center):
    length, stride, whole, window = (*options, "hann")[:4]
    spectra = ops.stft(SIGNAL, length, stride, whole, window, center)
    back = ops.istft(spectra, length, stride, whole, window=window, center=center)
    inner = slice(0 if center else whole, back.shape[1] if center else back.shape[1] - whole)
    np.testing.assert_allclose(back[:, inner], SIGNAL[:, : back.shape[1]][:, inner], atol=1e-13)
    assert ops.istft(spectra, length, stride, whole, 20, window, center).shape == (2, 20)


def test_jit_gives_the_same():
    def f(x):
        spectrum = ops.fft(x)
        return *spectrum, ops.irfft(spectrum), ops.istft(ops.stft(x[0], 8, 4, 8), 8, 4, 8)

    eager = f(X)
    for got, expected in zip(fnet.jit(f)(X), eager, strict=True):
        close(got, expected)


@pytest.mark.slow
def test_derivatives_of_both_orders():
    check_grads(lambda x, y: sum(np.sum(np.sin(side)) for side in ops.fft((x, y))), *X, order=2)
    check_grads(lambda x, y: np.sum(np.sin(ops.irfft((x, y), 70))), *X)
    check_grads(lambda x: sum(np.sum(np.sin(side)) for side in ops.stft(x, 6, 3, 8)), SIGNAL)
    check_grads(
        lambda x, y: np.sum(np.sin(ops.istft((x[:, :5], y[:, :5]), 6, 3, 8))), X[0].reshape(8, 10), X[1].reshape(8, 10)
    )


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: ops.fft((1.0, 2.0)), ShapeError, "expected parts of one shape with 1 axes or more"),
        (lambda: ops.fft(SIGNAL[0]), DtypeError, "fft: expected a pair of arrays, (real, imaginary), as there are no"),
        (lambda: ops.ifft2((SIGNAL[0], SIGNAL[0])), ShapeError, "2 axes or more that are not empty, received (50,)"),
        (lambda: ops.fft((SIGNAL, SIGNAL[:1])), ShapeError, "received (2, 50) and (1, 50)"),
        (lambda: ops.rfft(SIGNAL, 0), ShapeError, "expected one number or more along the last axis"),
        (lambda: ops.stft(SIGNAL, 9, 1, 8), ValueRangeError, "1 <= sequence_length <= fft_length and 1 <= sequence"),
        (lambda: ops.stft(SIGNAL, 8, 1, 8, "han"), ValueRangeError, "unknown window 'han'. Did you mean 'hann'?"),
        (lambda: ops.stft(SIGNAL, 8, 1, 64, center=False), ShapeError, "expected 64 samples or more, received 50"),
        (lambda: fnet.jit(np.fft.rfft)(SIGNAL), TracingError, "np.fft.rfft gives complex numbers, which traced"),
        (lambda: fnet.jit(np.fft.fftn)(SIGNAL), TracingError, "fnet.ops.fft has the real and the imaginary part as a"),
        (lambda: fnet.jit(np.fft.fftshift)(SIGNAL), TracingError, "fnet.ops.roll comes near to it"),
    ],
)  # fmt: skip
def test_errors(call, error, text):
    with pytest.raises(error) as raised:
        call()
    assert text in str(raised.value)
