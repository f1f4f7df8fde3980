"""Connectionist temporal classification by CUDA kernels, thread by thread: losses, gradients and labels of the CPU."""

from __future__ import annotations

import numpy as np
import pytest

import fnet.device
from fnet.devices.cuda.lower import ctc as lower
from fnet.ops.ctc import _beam, _ctc, _ctc_gradient, _greedy
from tests.devices.cuda.unloaded import Unloaded


def check(
    x: np.ndarray, labels: np.ndarray, label_lengths: list[int], input_lengths: list[int], blank: int = 0
) -> None:
    operands = [x, labels, np.array(label_lengths, np.int64), np.array(input_lengths, np.int64)]
    eps = np.finfo(x.dtype).eps
    for primitive in (_ctc, _ctc_gradient):
        received = Unloaded().compute(primitive, *operands, blank=blank)
        with np.errstate(all="ignore"):
            expected = fnet.device.cpu().compute(primitive, operands, {"blank": blank})
        for got, wanted in zip(received, expected, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=64 * eps, atol=256 * eps, err_msg=primitive.name)


def numbers(*shape: int, dtype: str = "float32") -> np.ndarray:
    return (2 * np.random.default_rng(0).normal(size=shape)).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_labels_that_repeat_and_labellings_that_are_impossible(dtype):
    labels = np.array([[1, 1, 2, 1], [2, 2, 2, 2], [1, 2, 1, 3], [3, 0, 3, 1]])
    check(numbers(4, 7, 4, dtype=dtype), labels, [4, 4, 0, 3], [7, 6, 5, 7])


@pytest.mark.parametrize("width", [1, 31, 32])
def test_as_many_labels_as_lanes_and_more(width):
    check_width(width)


@pytest.mark.slow
def test_threads_that_go_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lower, "THREADS", 32)
    check_width(40)


def check_width(width: int) -> None:
    labels, frames = np.random.default_rng(1).integers(0, 4, (2, width)), width + width // 2 + 1
    check(numbers(2, frames, 5), labels, [width, max(width - 1, 0)], [frames, width], blank=4)


def test_what_is_out_of_range_is_nan_and_reads_nothing():
    x = numbers(7, 4, 3)
    x[4, 1, 2], x[5, 1, 0], x[6, 2] = np.nan, np.inf, -np.inf
    labels = np.array([[1], [3], [1], [-1], [1], [1], [1]])
    check(x, labels, [2, 1, -1, 1, 1, 1, 1], [4, 4, 4, 4, 4, 4, 4])
    check(x[:2], labels[:2], [1, 0], [5, -1])


def test_nothing():
    check(numbers(0, 3, 2), np.zeros((0, 1), np.int64), [], [])
    check(numbers(2, 3, 2), np.zeros((2, 0), np.int64), [0, 0], [3, 0])


@pytest.mark.parametrize("frames", [0, 1, 31, 32, 33, 70])
@pytest.mark.parametrize("merge", [False, True])
def test_best_paths(frames, merge):
    rng = np.random.default_rng(0)
    logp, lengths = rng.integers(-3, 0, (4, frames, 3)).astype(np.float32), np.array([frames, frames // 2, -1, frames])
    logp[3, frames // 2 :, 1] = np.nan
    received = Unloaded().compute(_greedy, logp, lengths, blank=2, merge=merge)
    for got, wanted in zip(
        received, fnet.device.cpu().compute(_greedy, [logp, lengths], {"blank": 2, "merge": merge}), strict=True
    ):
        np.testing.assert_allclose(got, wanted, rtol=1e-6)


def check_beam(logp: np.ndarray, lengths: list[int], **params: int) -> None:
    operands = [logp, np.array(lengths, np.int64)]
    received = Unloaded().compute(_beam, *operands, **params)
    for got, wanted in zip(received, fnet.device.cpu().compute(_beam, operands, params), strict=True):
        np.testing.assert_array_equal(got, wanted)


def log_shares(*shape: int, scale: float = 2.0, dtype: str = "float32") -> np.ndarray:
    x = scale * np.random.default_rng(3).normal(size=shape)
    return (x - np.log(np.exp(x).sum(-1, keepdims=True))).astype(dtype)


@pytest.mark.parametrize(("classes", "width", "paths"), [(2, 1, 1), (3, 4, 4), (4, 9, 3), (9, 5, 2)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_best_labellings(classes, width, paths, dtype):
    check_beam(log_shares(3, 7, classes, dtype=dtype), [7, 5, 0], width=width, paths=paths, blank=classes - 1)


def test_labellings_of_equal_scores_and_more_paths_than_labellings():
    check_beam(np.full((2, 4, 3), -1.0, np.float32), [4, 1], width=12, paths=12, blank=0)


@pytest.mark.parametrize("seed", [14, 30, 47])
def test_labellings_that_leave_the_beam_and_come_back(seed):
    rng = np.random.default_rng(seed)
    classes, width, frames = int(rng.integers(3, 6)), int(rng.integers(2, 7)), 20
    x = rng.normal(size=(2, frames, classes)) * rng.choice([1, 3])
    x += (3 * rng.normal(size=(3, classes)))[(np.arange(frames) // int(rng.integers(2, 6))) % 3]
    x = (x - np.log(np.exp(x).sum(-1, keepdims=True))).astype(np.float32)
    check_beam(x, [frames, frames], width=width, paths=width, blank=0)


def test_labellings_of_frames_out_of_range_and_without_finite_numbers():
    x = log_shares(5, 3, 3)
    x[2, 2, 1], x[3, 1, 0], x[4, 1] = np.nan, -np.inf, -np.inf
    check_beam(x, [-1, 4, 3, 3, 3], width=4, paths=2, blank=0)
    check_beam(x[2:3], [2], width=4, paths=1, blank=0)
    check_beam(x[:0], [], width=2, paths=1, blank=0)
