"""The scalar functions of CUDA kernels, run by the checker, give the bits of the CPU's."""

from __future__ import annotations

import numpy as np
import pytest
from numba.core import config

from fnet.kernels.cpu import scalars as cpu
from fnet.kernels.cuda import scalars
from fnet.kernels.cuda.runtime.kernel import cuda, kernel
from fnet.testing.cuda import run_kernel

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="plain Python rounds a product and a sum twice")
EDGES = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, -0.5, 2.5, -2.5, 1e-40, -1e-40, 1e30, -1e30, 88.7, -103.9]
ONE = ["exp_f32", "expm1_f32", "tanh_f32", "sigmoid_f32", "softplus_f32", "log_f32", "log1p_f32",
       "erf_f32", "normal_cdf_f32", "relu_f32", "sign_f32", "floor_f32", "round_f32", "sqrt_f32",
       "exp_f64", "log_f64"]  # fmt: skip
TWO = ["maximum_f32", "minimum_f32", "logaddexp_f32"]


def values(dtype: type) -> np.ndarray:
    drawn = np.random.default_rng(0).normal(size=47) * 10
    return np.concatenate([EDGES, drawn]).astype(dtype)


def assert_same_bits(received: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(received, expected)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(received[numbers]), np.signbit(expected[numbers]))


@pytest.mark.parametrize("name", ONE)
def test_functions_of_one_number(name):
    function, meant = getattr(scalars, name), getattr(cpu, name)

    @kernel
    def apply(x, y, n):
        i = cuda.grid(1)
        if i < n:
            y[i] = function(x[i])

    x = values(np.float32 if name.endswith("f32") else np.float64)
    y = np.empty_like(x)
    run_kernel(apply, 2, 32, x, y, x.size)
    assert_same_bits(y, np.array([meant(v) for v in x], x.dtype))


@pytest.mark.parametrize("name", TWO)
def test_functions_of_two_numbers(name):
    function, meant = getattr(scalars, name), getattr(cpu, name)

    @kernel
    def apply(a, b, y, n):
        i = cuda.grid(1)
        if i < n:
            y[i] = function(a[i], b[i])

    x = values(np.float32)
    a, b = x, x[np.random.default_rng(1).permutation(x.size)]
    y = np.empty_like(x)
    run_kernel(apply, 2, 32, a, b, y, x.size)
    assert_same_bits(y, np.array([meant(*pair) for pair in zip(a, b, strict=True)], x.dtype))


def test_a_product_and_a_sum_are_rounded_once():
    function = scalars.exp_f32.py_func.__globals__["multiply_add"]

    @kernel
    def apply(x, y):
        y[0] = function(x[0], x[0], -x[1])

    x = np.array([1 + 2**-12, 1 + 2**-11], np.float32)
    y = np.empty(1, np.float32)
    run_kernel(apply, 1, 1, x, y)
    assert y[0] == 2**-24


def test_an_unknown_function_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'exq_f32'"):
        _ = scalars.exq_f32
