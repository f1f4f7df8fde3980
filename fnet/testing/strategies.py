"""Hypothesis strategies for arrays: small shapes, finite values, kept away from kinks, in any memory layout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp


def shapes(min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 4) -> st.SearchStrategy:
    """Small shapes, empty ones included."""
    return hnp.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side)


def arrays(
    shape: Any = None,
    dtype: Any = np.float64,
    low: float = -3.0,
    high: float = 3.0,
    kinks: Sequence[float] = (),
    margin: float = 0.05,
) -> st.SearchStrategy:
    """Arrays with values in [low, high] at a distance of at least `margin` from each of `kinks`.

    shape: a shape or a strategy of shapes, `shapes()` by default. Values are drawn from a seeded generator, which
    keeps drawing fast and examples readable; integers and booleans are drawn for such a dtype.
    """
    dtype = np.dtype(dtype)

    def fill(size: tuple[int, ...], seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        if dtype.kind == "b":
            return rng.random(size) < 0.5
        if dtype.kind in "iu":
            first = int(max(low, 0) if dtype.kind == "u" else low)
            return rng.integers(first, int(high), size, endpoint=True).astype(dtype)
        x = np.asarray(rng.uniform(low, high, size))
        for kink in kinks:
            x = np.where(np.abs(x - kink) < margin, kink + np.where(x < kink, -margin, margin), x)
        return np.asarray(x, dtype)

    size = shapes() if shape is None else shape if isinstance(shape, st.SearchStrategy) else st.just(tuple(shape))
    return st.builds(fill, size, st.integers(0, 2**32 - 1))


def layouts() -> st.SearchStrategy:
    """Functions that give an equal array in another memory layout: transposed, sliced, reversed, read-only."""
    return st.sampled_from([contiguous, transposed, sliced, reversed_strides, read_only])


def contiguous(x: np.ndarray) -> np.ndarray:
    """`x` in row-major order."""
    return np.ascontiguousarray(x).reshape(x.shape)


def transposed(x: np.ndarray) -> np.ndarray:
    """`x` in column-major order."""
    return np.array(x, order="F")


def sliced(x: np.ndarray) -> np.ndarray:
    """`x` as every second element of a larger array, along every axis."""
    big = np.zeros([2 * n + 1 for n in x.shape], x.dtype)
    odd: tuple[Any, ...] = (*(slice(1, None, 2) for _ in x.shape), ...)
    view = big[odd]
    view[...] = x
    return view


def reversed_strides(x: np.ndarray) -> np.ndarray:
    """`x` with negative strides along every axis."""
    back = tuple(slice(None, None, -1) for _ in x.shape)
    return np.asarray(x[back].copy()[back])


def read_only(x: np.ndarray) -> np.ndarray:
    """`x` in memory that cannot be written."""
    x = np.array(x)
    x.setflags(write=False)
    return x
