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
