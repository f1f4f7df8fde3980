"""Loop nests in parts: right to rounding, and the same bits for any number of threads."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import ops
from fnet.devices.cpu import loops
from fnet.kernels.cpu.runtime import threads

CASES: dict[str, Callable[[Any], Any]] = {
    "elementwise": lambda x: ops.tanh(x) * 2 + 1,
    "broadcast": lambda x: x - x[:1],
    "transposed": lambda x: np.swapaxes(x, 0, 1) * 2,
    "sum": lambda x: np.sum(x * x),
    "sum-of-first-axis": lambda x: np.sum(x * 2, axis=0),
    "sum-of-last-axis": lambda x: np.sum(x * 2, axis=-1),
    "sum-of-outer-axes": lambda x: np.sum(x * 2, axis=tuple(range(x.ndim - 1))),
    "sum-of-inner-axes": lambda x: np.sum(x * 2, axis=tuple(range(1, x.ndim))),
    "sum-of-middle-axis": lambda x: np.sum(x * 2, axis=1),
    "max-of-first-axis": lambda x: np.max(x, axis=0),
    "min": lambda x: np.min(x),
    "prod-of-last-axis": lambda x: np.prod(x, axis=-1),
    "result-and-its-sum": lambda x: (lambda y: (y, np.sum(y, axis=0)))(np.exp(x) * 0.5),
}
NUMPY = {"elementwise": lambda x: np.tanh(x) * 2 + 1}  # the other cases are NumPy functions as they stand
SHAPES = [(16, 1), (37, 5), (16, 3, 4), (9000,), (20, 1, 300)]


@pytest.fixture
def divide(monkeypatch):
    """Divide every nest that has enough rows."""
    monkeypatch.setattr(loops, "DIVIDE_FROM", 0)
    before = threads.thread_count()
    yield
    threads.set_thread_count(before)


# float64 on one shape, and slowly on the others: each has loops of its own.
ARRAYS = [
    pytest.param(shape, dtype, marks=[] if dtype == "float32" or shape == (37, 5) else pytest.mark.slow)
    for shape in SHAPES
    for dtype in ("float32", "float64")
]


@pytest.mark.parametrize(("shape", "dtype"), ARRAYS)
@pytest.mark.parametrize("case", CASES)
def test_parts_make_the_whole(case, shape, dtype, divide):
    f = CASES[case]
    if len(shape) < 2 and case in ("sum-of-middle-axis", "transposed"):
        pytest.skip("one axis only")
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    want = _tuple(NUMPY.get(case, f)(x.astype("float64")))
    results = []
    for count in (1, 2, 4):
        threads.set_thread_count(count)
        results.append(_tuple(fnet.jit(f)(x)))
    for one, other in zip(results[0] * 2, results[1] + results[2], strict=True):
        np.testing.assert_array_equal(one, other)
    for have, expected in zip(results[0], want, strict=True):
        np.testing.assert_allclose(have, expected, rtol=1e-5 if dtype == "float32" else 1e-13, atol=1e-5)


def _tuple(y: Any) -> tuple[Any, ...]:
    return y if isinstance(y, tuple) else (y,)


def test_many_operands():
    """Python passes more than 30 arguments through a list, for which Numba would warn."""
    arrays = [np.full((16, 500), k, np.float32) for k in range(34)]
    f = fnet.jit(lambda *xs: functools.reduce(ops.add, xs))
    assert len(f.plan(*arrays).calls) == 1
    np.testing.assert_array_equal(f(*arrays), np.full((16, 500), sum(range(34)), np.float32))


def test_few_long_rows_are_summed_by_blocks_of_columns(divide):
    """The elements themselves are written to their places, also over what they are computed from."""
    rng = np.random.default_rng(0)
    a, x, b = (rng.standard_normal(shape).astype("float32") for shape in ((5, 5), (5, 1056), (1056, 3)))

    def f(a: Any, x: Any, b: Any) -> tuple[Any, Any]:
        y = ops.matmul(a, x) * 2 + 1
        return ops.matmul(y, b), np.sum(y, axis=0)

    plan = fnet.jit(f).plan(a, x, b)
    assert "sum" in str(plan) and any(16 in call.args and 66 in call.args for call in plan.calls)
    for given in ((a, x, b), (a, np.asfortranarray(x), b)):
        for count in (1, 2):
            threads.set_thread_count(count)
            product, total = fnet.jit(f)(*given)
            y = np.matmul(given[0], given[1], dtype=np.float64) * 2 + 1
            np.testing.assert_allclose(product, y @ given[2], rtol=1e-5, atol=1e-4)
            np.testing.assert_allclose(total, y.sum(0), rtol=1e-5, atol=1e-5)
    z = np.asfortranarray(x)
    np.testing.assert_array_equal(
        fnet.jit(lambda z: np.sum(z, axis=0))(z), x.astype("float64").sum(0).astype("float32")
    )
