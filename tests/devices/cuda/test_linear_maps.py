"""Arrays side by side and parts among zeros by CUDA kernels, run by the checker: NumPy's results, in few launches."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from fnet.transforms import linear_maps
from tests.devices.cuda.unloaded import Unloaded

WHOLE = (None, None, None)
PARTS: list[tuple[tuple[int, ...], tuple[Any, ...], int]] = [  # shape, index, launches
    ((5,), ((1, 3, None),), 1),
    ((3, 8), (WHOLE, (4, None, None)), 1),
    ((3, 7, 4), (WHOLE, -1), 1),
    ((3, 7, 4), (WHOLE, (1, 6, 2)), 1),
    ((2, 6), (WHOLE, (-1, None, None)), 1),
    ((4, 40), (2,), 1),
    ((3, 5), (WHOLE, (None, 5, 1)), 1),
    ((3, 5), ((1, None, None), (0, 2, None)), 2),
    ((6,), ((4, 1, -1),), 2),
    ((3, 4), (WHOLE, (2, 2, None)), 1),
    ((3, 4), (None, WHOLE, None, (1, 3, None)), 1),
    ((), (None,), 1),
    ((2, 3), (WHOLE, None), 1),
]


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_a_part_among_zeros(dtype: Any):
    for shape, index, launches in PARTS:
        expected = np.zeros(shape, dtype)
        window = expected[(*(slice(*i) if isinstance(i, tuple) else i for i in index), ...)]
        x = np.arange(1, window.size + 1).reshape(window.shape).astype(dtype)
        window[...] = x
        device = Unloaded()
        (received,) = device.compute(linear_maps.place, x, shape=shape, index=index)
        np.testing.assert_array_equal(received, expected, err_msg=f"{shape} {index}")
        assert sum(device.launched.values()) == launches, (shape, index)


WIDTHS: tuple[tuple[int, ...], ...] = (
    (1, 2), (4, 8, 4), (4, 3), (3, 4), (3, 0, 2), (2, 1, 3, 4, 1), (4,) * 9, (1, 1, 1, 1, 4), (4, 4, 4, 4, 1),
    (1, 1, 1, 2, 4, 4, 4, 4, 3), (5,), (0, 0),
)  # fmt: skip


def test_arrays_side_by_side():
    for widths, axis in itertools.product(WIDTHS, range(3)):
        check_side_by_side(widths, axis)


def check_side_by_side(widths: tuple[int, ...], axis: int) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=[w if a == axis else n for a, n in enumerate((3, 2, 4))]) for w in widths]
    device = Unloaded()
    (received,) = device.compute(linear_maps.concatenate, *arrays, axis=axis)
    np.testing.assert_array_equal(received, np.concatenate(arrays, axis))
    assert sum(device.launched.values()) == -(-sum(w > 0 for w in widths) // 4)
