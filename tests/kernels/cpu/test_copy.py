"""The strided copy against NumPy's views: rows, broadcasts, transposes, reversed and strided axes, every width."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fnet.kernels.cpu.copy import DEPTH, SIZES, copy_strided, fill

X = np.arange(3 * 4 * 5 * 6, dtype="float32").reshape(3, 4, 5, 6)


def views(x: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "whole": x,
        "slice": x[1:, :, 2:4, 1:],
        "transpose": x.transpose(3, 1, 0, 2),
        "strided": x[::2, :, ::3, ::2],
        "reversed": x[::-1, :, :, ::-1],
        "rows again": np.broadcast_to(x[:, :1, :1], (3, 7, 2, 6)),
        "columns again": np.broadcast_to(x[..., :1], (3, 4, 5, 67)),
        "one element": x[:1, :1, :1, :1],
        "nothing": x[:0],
    }


def copied(source: np.ndarray, base: np.ndarray, target: np.ndarray, room: np.ndarray) -> None:
    """Copy between two views of flat memory."""

    def place(name: str, view: np.ndarray, memory: np.ndarray) -> dict[str, int]:
        first = (view.__array_interface__["data"][0] - memory.__array_interface__["data"][0]) // view.itemsize
        steps = [0] * (DEPTH - view.ndim) + [s // view.itemsize for s in view.strides]
        return {f"{name}_first": first} | {f"{name}{axis}": step for axis, step in enumerate(steps)}

    counts = {f"n{axis}": n for axis, n in enumerate((1,) * (DEPTH - source.ndim) + source.shape)}
    sizes = SIZES.array(**counts, **place("x", source, base), **place("y", target, room))
    copy_strided(base.ravel(), room.ravel(), sizes)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bool"])
@pytest.mark.parametrize("name", views(X))
def test_it_copies_between_any_views(name: str, dtype: str) -> None:
    base = X.astype(dtype) if dtype != "bool" else X % 3 == 0
    source = views(base)[name]
    room = np.zeros(source.shape, dtype)
    copied(source, base, room, room)
    np.testing.assert_array_equal(room, source)
    if source.size:
        wide: Any = np.zeros((*source.shape[:-1], 2 * source.shape[-1]), dtype)
        copied(source, base, wide[..., ::-2], wide)
        np.testing.assert_array_equal(wide[..., ::-2], source)
        assert not wide[..., ::2].any()


def test_fill() -> None:
    y = np.zeros(7)
    fill(y, np.array([3.0]), 5)
    assert y.tolist() == [3] * 5 + [0] * 2
