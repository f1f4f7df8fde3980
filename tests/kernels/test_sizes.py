"""Integers in one array, by places that have names."""

from __future__ import annotations

import numpy as np
import pytest

from fnet.kernels.sizes import Sizes

ROWS, COLUMNS, STEP = SIZES = Sizes("rows columns step")


def test_each_name_has_its_place():
    sizes = SIZES.array(step=3, rows=1, columns=2)
    assert sizes.dtype == np.int64
    assert [sizes[place] for place in (ROWS, COLUMNS, STEP)] == [1, 2, 3]


def test_each_is_given_once():
    with pytest.raises(TypeError, match=r"sizes: missing \['columns', 'step'\], unknown \['column'\]\."):
        SIZES.array(rows=1, column=2)
