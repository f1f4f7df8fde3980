"""Access to four elements at once: the same as to one after the other, from addresses that a card takes."""

from __future__ import annotations

import numpy as np
import pytest

from fnet.errors import StructureError
from fnet.kernels.cuda.runtime.access import BYTES, is_aligned, load4, store4
from fnet.kernels.cuda.runtime.kernel import cuda, kernel
from fnet.testing.cuda import KernelIndexError, run_kernel


@kernel
def move(x, y, i):
    store4(y, i, load4(x, i))


@kernel
def ask(x, y):
    y[0] = is_aligned(x)


@kernel
def through_shared(x, y):
    kept = cuda.shared.array(4, x.dtype)
    store4(kept, 0, load4(x, 0))
    store4(y, 0, load4(kept, 0))


@kernel
def through_aligned(x, y):
    kept, own = cuda.shared.array(4, x.dtype, alignment=BYTES), cuda.local.array(4, x.dtype, alignment=BYTES)
    store4(kept, 0, load4(x, 0))
    store4(own, 0, load4(kept, 0))
    store4(y, 0, load4(own, 0))


@pytest.mark.parametrize("dtype", ["?", "u1", "f4", "i8"])
def test_four_elements_are_moved(dtype):
    x, y = np.ones(8, dtype), np.zeros(8, dtype)
    run_kernel(move, 1, 1, x, y, 4)
    np.testing.assert_array_equal(y, np.repeat([0, 1], 4))


def test_an_address_between_multiples_is_refused():
    x = np.zeros(9, np.float32)
    with pytest.raises(StructureError, match=r"x\[1\]: four elements at once begin at a multiple of 16 bytes"):
        run_kernel(move, 1, 1, x, x.copy(), 1)
    with pytest.raises(StructureError, match=r"x\[0\]: four elements"):
        run_kernel(move, 1, 1, x[1:], x.copy(), 0)


def test_four_elements_do_not_reach_over_the_end():
    x = np.zeros(6, np.float32)
    with pytest.raises(KernelIndexError):
        run_kernel(move, 1, 1, x, np.zeros(8, np.float32), 4)


def test_a_kernel_can_ask_whether_an_array_is_aligned():
    x, y = np.zeros(8, np.float32), np.zeros(1, bool)
    run_kernel(ask, 1, 1, x, y)
    assert y[0]
    run_kernel(ask, 1, 1, x[1:], y)
    assert not y[0]


@pytest.mark.parametrize("check", [True, False])
def test_shared_memory_is_aligned_only_where_the_kernel_says_so(check):
    x, y = np.arange(4, dtype=np.float32), np.zeros(4, np.float32)
    with pytest.raises(StructureError, match=r"the shared array of .*\[0\]: four elements at once begin at a multiple"):
        run_kernel(through_shared, 1, 1, x, y, check=check)
    run_kernel(through_aligned, 1, 1, x, y, check=check)
    np.testing.assert_array_equal(y, x)
