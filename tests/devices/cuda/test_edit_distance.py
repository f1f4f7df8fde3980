"""The edit distance by CUDA kernels, thread by thread: the numbers of the CPU."""

from __future__ import annotations

import numpy as np
import pytest

import fnet.device
from fnet.ops.edit_distance import _edit_distance
from tests.devices.cuda.unloaded import Unloaded


@pytest.mark.parametrize(("a_width", "b_width"), [(0, 3), (3, 0), (1, 1), (5, 31), (6, 32), (7, 33), (34, 70)])
@pytest.mark.parametrize("labels", [2, 30])
def test_distances(a_width, b_width, labels):
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-1, labels, (3, width)) for width in (a_width, b_width))
    b[1, 2:] = -1
    (received,) = Unloaded().compute(_edit_distance, a, b)
    np.testing.assert_array_equal(received, fnet.device.cpu().compute(_edit_distance, [a, b], {})[0])


@pytest.mark.parametrize("width", [2, 33, 70])
def test_what_a_part_lacks_of_its_sequence(width):
    b = np.tile(np.arange(width), (4, 1))
    a = np.full_like(b, -1)
    a[0, 0], a[1, -1], a[2, ::2], a[3, : width // 2] = 0, width - 1, b[2, ::2], b[3, : width // 2]
    for one, other in ((a, b), (b, a)):
        (received,) = Unloaded().compute(_edit_distance, one, other)
        np.testing.assert_array_equal(received, np.sum(a < 0, axis=1))
