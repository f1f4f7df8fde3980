"""Python numbers yield to arrays through operations too: the dtypes of NumPy, eagerly, under jit and under grad."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnet
from fnet import ops

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
SCALARS: list[Callable[[Any, Any], Any]] = [
    lambda s, t: s * t,
    lambda s, t: s + 2,
    lambda s, t: 1 - s,
    lambda s, t: s / 3,
    lambda s, t: -s,
    lambda s, t: abs(s) + t,
    lambda s, t: s**2,
    lambda s, t: s // 2 + t % 3,
]
ARRAYS: list[Callable[[Any, Any], Any]] = [
    lambda x, s: x * s,
    lambda x, s: s - x,
    lambda x, s: x / s,
    lambda x, s: x**s,
    lambda x, s: np.where(x > s, x, s),
    lambda x, s: np.minimum(x, s),
    lambda x, s: np.maximum(s, x),
    lambda x, s: np.clip(x, 0.0, s),
    lambda x, s: x * np.sqrt(s),  # a function of NumPy makes a NumPy number of it, which counts
    lambda x, s: x + np.minimum(s, 1.0),
]
chosen = st.lists(st.integers(0, len(SCALARS) - 1), max_size=4)


@given(chosen, st.integers(0, len(ARRAYS) - 1), st.sampled_from(["float32", "float64"]), st.sampled_from([0.5, 2, 1.5]))
def test_dtypes_of_programs_are_numpys(steps, last, dtype, number):
    def f(x: Any, s: Any, t: Any) -> Any:
        for step in steps:
            s = SCALARS[step](s, t)
        return ARRAYS[last](x, s)

    x = np.ones(3, dtype)
    expected = f(x, number, 0.25).dtype
    assert (
        fnet.eval_shape(f, x, *[fnet.ArraySpec((), np.asarray(v).dtype, weak=True) for v in (number, 0.25)]).dtype
        == expected
    )
    value, gradient = fnet.value_and_grad(lambda x, t: np.sum(f(x, number, t)), argnums=(0, 1))(x, 0.25)
    assert value.dtype == expected and gradient[0].dtype == dtype
    assert fnet.jvp(lambda t: f(x, number, t), (0.25,), (1.0,))[0].dtype == expected


def test_under_jit():
    x = np.ones(3, "float32")
    step = fnet.jit(lambda p, lr, g: p - (lr * 0.1) * g)
    assert step(x, 0.5, x).dtype == np.float32
    assert step(x, np.float64(0.5), x).dtype == np.float64
    scaled = fnet.jit(lambda x, s: fnet.grad(lambda x: ops.sum(x * (s * 2)))(x))(x, 0.5)
    assert scaled.dtype == np.float32
