"""Softmax and its kin, cross-entropies and dropout by CUDA kernels, run by the checker: what the CPU's kernels give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet.device
from fnet.compile.emit import Ref
from fnet.compile.recording import Recording
from fnet.devices.cuda import grids
from fnet.kernels.cuda import softmax
from fnet.ops import nn
from fnet.testing.cuda import run_kernel
from tests.devices.cuda.unloaded import Unloaded, aligned, copied

COLUMNS = [1, 2, 12, 31, 32, 33, 127, 128, 129]


def check(primitive: Any, *arrays: np.ndarray) -> None:
    """Results to a few roundings of the last operand, which is the gradient if there is one."""
    (received,) = Unloaded().compute(primitive, *arrays)
    (expected,) = fnet.device.cpu().compute(primitive, list(arrays), {})
    eps = np.finfo(expected.dtype).eps
    size = np.abs(arrays[-1] if "vjp" in primitive.name else expected)
    scale = np.max(size[np.isfinite(size)], initial=0)
    np.testing.assert_allclose(received, expected, rtol=16 * eps, atol=8 * eps * scale, err_msg=primitive.name)


def numbers(rows: int, columns: int, dtype: str = "float32", seed: int = 0) -> np.ndarray:
    return (5 * np.random.default_rng(seed).normal(size=(rows, columns))).astype(dtype)


def labels(rows: int, columns: int) -> np.ndarray:
    found = np.random.default_rng(1).integers(0, columns, rows)
    found[rows // 2] = -1
    found[-1] = nn.LEFT_OUT if rows > 2 else found[-1]
    return found


def check_all(x: np.ndarray) -> None:
    rows, columns = x.shape
    g, row_g = numbers(rows, columns, x.dtype.name, 2), numbers(1, rows, x.dtype.name, 3)[0]
    with np.errstate(all="ignore"):
        y = fnet.device.cpu().compute(nn._softmax, [x], {})[0]
        log_y = fnet.device.cpu().compute(nn._log_softmax, [x], {})[0]
    for primitive, operands in (
        (nn._softmax, (x,)),
        (nn._softmax_vjp, (y, g)),
        (nn._log_softmax, (x,)),
        (nn._log_softmax_vjp, (log_y, g)),
        (nn._logsumexp, (x,)),
        (nn._sparse, (x, labels(rows, columns))),
        (nn._sparse_vjp, (x, labels(rows, columns), row_g)),
        (nn._dense_target, (x, y)),
        (nn._dense_target_vjp, (x, y, row_g)),
    ):
        check(primitive, *operands)


@pytest.mark.parametrize("columns", COLUMNS)
def test_rows_of_a_warp(columns):
    check_all(numbers(5, columns))


@pytest.mark.parametrize("columns", [260, 516])
def test_rows_of_a_block(columns):
    check_all(numbers(2, columns))


@pytest.mark.parametrize("columns", [63, 64, 132, 133])
def test_rows_that_registers_do_not_hold(columns, monkeypatch):
    monkeypatch.setattr(grids, "WARP", 4)
    monkeypatch.setattr(grids.held, "THREADS", 4 if columns < 100 else 32)
    check_all(numbers(9, columns))


def test_float64():
    check_all(numbers(3, 33, "float64"))


@pytest.mark.parametrize("lanes", [32, 4])
def test_rows_without_finite_numbers(lanes, monkeypatch):
    monkeypatch.setattr(grids, "WARP", lanes)
    monkeypatch.setattr(grids.held, "THREADS", lanes)
    x = numbers(9, 37)
    x[0], x[1, 3], x[2, 33], x[3, 5] = -np.inf, np.nan, np.inf, -np.inf
    x[6, :36], x[7, 32:], x[8, 35] = -np.inf, -np.inf, np.nan
    x[4] = 1e38
    x[5, 0], x[5, 1] = np.inf, np.nan
    check_all(x)


@pytest.mark.parametrize("columns", [33, 5, 400])
def test_a_gradient_gives_the_losses_with_the_same_bits(columns):
    rows, x, device = 5, numbers(5, columns), Unloaded()
    for gradient, forward, targets in (
        (nn._sparse_vjp, nn._sparse, labels(rows, columns)),
        (nn._dense_target_vjp, nn._dense_target, nn.softmax(numbers(rows, columns, seed=4))),
    ):
        for step, g in ((0, np.full(rows, 0.25, np.float32)), (2, numbers(1, 2 * rows)[0, ::2])):
            recording = Recording(device, 5)
            flat = [copied(a).reshape(-1) for a in (x, targets, g if step == 0 else g.base)]
            operands = [*(Ref.whole(k, a.dtype, a.shape) for k, a in enumerate((x, targets)))]
            operands.append(Ref(2, g.dtype, (rows,), (step,)))
            results = [aligned((rows, columns), np.float32), aligned((rows,), np.float32)]
            targets_of = [Ref.whole(3 + k, y.dtype, y.shape) for k, y in enumerate(results)]
            device.rule(gradient)(recording, operands, targets_of)
            device.run(recording, [*flat, *(y.reshape(-1) for y in results)])
            np.testing.assert_array_equal(results[0], device.compute(gradient, x, targets, np.ascontiguousarray(g))[0])
            np.testing.assert_array_equal(results[1], device.compute(forward, x, targets)[0])


@pytest.mark.parametrize("name", ["softmax", "softmax_vjp"])
@pytest.mark.parametrize("columns", [12, 48])
def test_sums_do_not_depend_on_addresses(name, columns):
    kernel, count, results = getattr(softmax, name), 2 + (name == "softmax_vjp"), []
    arrays = [numbers(3, columns, seed=seed).reshape(-1) for seed in range(count)]
    for shift in (0, 1):
        given = [aligned((x.size + shift,), x.dtype)[shift:] for x in arrays]
        for to, x in zip(given, arrays, strict=True):
            to[:] = x
        run_kernel(kernel, 1, (4, 8), *given, 3, columns)
        results.append(given[-1].copy())
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("size", [1, 3, 4, 5, 127, 128, 130])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dropout_keeps_what_the_cpu_keeps(size, dtype):
    x, key = numbers(1, size, dtype)[0], np.array([7, 9], np.uint32)
    for rate in (0.0, 0.3, 0.99):
        operands = (x, key, np.full(1, rate, dtype))
        (received,) = Unloaded().compute(nn._dropout, *operands)
        np.testing.assert_array_equal(received, fnet.device.cpu().compute(nn._dropout, list(operands), {})[0])


def test_no_rows():
    assert Unloaded().compute(nn._softmax, np.zeros((0, 3), np.float32))[0].shape == (0, 3)
