"""Elementwise functions, activations and chains of them give the same bits eagerly, walked and native.

The grid holds what rewrites of formulas get wrong: zeros of both signs, subnormals, huge numbers, infinities and NaN.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnet
from fnet import ops
from fnet.activations import ACTIVATIONS
from tests.ops.table import OPS

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
OF_ROWS = {"softmax", "log_softmax", "sparsemax", "glu"}
# Of operations, not of NumPy's functions, which compute by themselves where nothing is traced.
CHAINS: dict[str, Callable[..., Any]] = {
    "reciprocal root": lambda a, b: 1 / ops.sqrt(a) + b / ops.sqrt(a),
    "warm-up": lambda a, b: ops.minimum(ops.power(a, -0.5), a * b),
    "quotients": lambda a, b: a / b / b,
    "by a constant": lambda a, b: a / 3.0 - b / np.array([0.0, -0.0, 3.0, 7.0], a.dtype)[:, None, None],
    "products": lambda a, b: a * b - b * b,
    "negative product": lambda a, b: b - a * 3,
    "squares": lambda a, b: ops.square(a) + ops.square(b) + a * a,
    "signs of zeros": lambda a, b: (0.0 - a) + (b * -0.0) * 1 - (-0.0),
    "nothing": lambda a, b: (a - a) + (a / a) * 0 + (b + 0.0),
    "negated difference": lambda a, b: -(a - b) + (-a) * (-b),
    "exponentials": lambda a, b: ops.exp(a) * b + ops.exp(b) + ops.log1p(ops.exp(a)),
    "saturated": lambda a, b: ops.tanh(a) * ops.sigmoid(b) + ops.softplus(a) * ops.expm1(b),
    "back and forth": lambda a, b: ops.log(ops.exp(a)) - ops.sqrt(b) * ops.sqrt(b),
}


def grid(dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of numbers at which formulas go wrong, an odd number of them."""
    limits = np.finfo(dtype)
    positive = [
        0, limits.smallest_subnormal, limits.tiny / 3, limits.tiny, 3 * limits.tiny, limits.tiny**0.5, 1e-10, 1e-3, 0.3,
        1, 1 + limits.eps, np.pi, 7.7, 20.5, 60, 88, 104, 1e10, 1.1 * float(limits.max) ** 0.5, limits.max, np.inf,
    ]  # fmt: skip
    numbers = np.array([*positive, *(-np.array(positive)), np.nan], dtype)
    a, b = np.meshgrid(numbers, numbers)
    return a, b


def bits(x: Any) -> np.ndarray:
    """The bits of floating numbers, all NaN as one."""
    x = np.asarray(x)
    if x.dtype.kind != "f":
        return x
    return np.where(np.isnan(x), -1, x.view(f"i{x.itemsize}"))


def elementwise(a: Any, b: Any) -> dict[str, Any]:
    """Every function of the tables on a grid of pairs."""
    results = {op.name: op.function(*(a, b, b - a)[: op.arity]) for op in OPS}
    results |= {f"activation {name}": f(a) for name, f in ACTIVATIONS.items() if name not in OF_ROWS}
    return results | {name: chain(a, b) for name, chain in CHAINS.items()}


def derivatives(a: Any, b: Any) -> dict[str, Any]:
    """The pulled-back cotangents of every function of the tables that has them."""
    functions = {op.name: lambda a, b, op=op: op.function(*(a, b, b - a)[: op.arity]) for op in OPS if op.smooth}
    functions |= {name: lambda a, b, f=f: f(a) for name, f in ACTIVATIONS.items() if name not in OF_ROWS}
    functions |= {name: chain for name, chain in CHAINS.items() if name != "by a constant"}
    return {name: fnet.vjp(f, a, b)[1](np.ones(a.shape, a.dtype)) for name, f in functions.items()}


def check(f: Callable[..., dict[str, Any]], dtype: Any, executor: str) -> None:
    a, b = grid(dtype)
    expected = f(a, b)
    for name, values in fnet.jit(f, executor=executor)(a, b).items():
        for got, want in zip(fnet.tree.leaves(values), fnet.tree.leaves(expected[name]), strict=True):
            np.testing.assert_array_equal(bits(got), bits(want), err_msg=name)


def test_walked_is_eager():
    check(elementwise, np.float32, "walk")


@pytest.mark.slow
@pytest.mark.parametrize("f", [elementwise, derivatives])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("executor", ["walk", "native"])
def test_both_executors_are_eager(f, dtype, executor):
    check(f, dtype, executor)


@pytest.mark.slow
@pytest.mark.parametrize("level", ["avx512", "avx2", "generic"])
def test_at_each_vector_level(level):
    """In a process of its own: the level is read at import."""
    program = "from tests.ops.test_same_bits import *; check(elementwise, np.float32, 'walk')"
    root = Path(__file__).parents[2]
    environment = os.environ | {"FNET_SIMD": level, "PYTHONPATH": str(root)}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


UNARY = [ops.exp, ops.sqrt, ops.square, ops.negative, ops.tanh, lambda x: 1 / x, lambda x: x * 3, lambda x: 2 - x]
BINARY = [ops.add, ops.subtract, ops.multiply, ops.divide, ops.maximum, lambda a, b: ops.where(a < b, a, b)]
steps = st.lists(st.tuples(st.integers(0, 13), st.integers(0, 7), st.integers(0, 7)), min_size=2, max_size=8)


@settings(max_examples=6)
@given(steps)
def test_drawn_chains(drawn):
    def chain(a: Any, b: Any) -> dict[str, Any]:
        values = [a, b]
        for op, i, j in drawn:
            x, y = values[-1 - i % len(values)], values[-1 - j % len(values)]
            values.append(UNARY[op](x) if op < len(UNARY) else BINARY[op - len(UNARY)](x, y))
        return {str(k): value for k, value in enumerate(values)}

    check(chain, np.float32, "walk")
