"""The product of a warp in the checker: right results, and a fault of each kind planted and found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fnet.errors import StructureError
from fnet.kernels.cuda.runtime.kernel import cuda, kernel
from fnet.kernels.cuda.runtime.tensor_cores import bits_of, multiply_add_matrices, number_of, pair
from fnet.testing.cuda import DivergenceError, run_kernel


@kernel
def product(a, b, c, taking_part, swapped):
    """``c += a b``; a: 16 x 16, b: 16 x 8; swapped: two words of a in the places of each other."""
    lane = cuda.threadIdx.x
    group, q = lane // 4, lane % 4
    if lane < taking_part:
        words = (
            pair(a[16 * group + 2 * q], a[16 * group + 2 * q + 1]),
            pair(a[16 * (group + 8) + 2 * q], a[16 * (group + 8) + 2 * q + 1]),
            pair(a[16 * group + 2 * q + 8], a[16 * group + 2 * q + 9]),
            pair(a[16 * (group + 8) + 2 * q + 8], a[16 * (group + 8) + 2 * q + 9]),
        )
        if swapped:
            words = words[0], words[2], words[1], words[3]
        columns = (
            pair(b[8 * 2 * q + group], b[8 * (2 * q + 1) + group]),
            pair(b[8 * (2 * q + 8) + group], b[8 * (2 * q + 9) + group]),
        )
        at, below = 8 * group + 2 * q, 8 * (group + 8) + 2 * q
        found = multiply_add_matrices(words, columns, (c[at], c[at + 1], c[below], c[below + 1]))
        c[at], c[at + 1], c[below], c[below + 1] = found


def operands() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Small integers, which are numbers of bfloat16."""
    rng = np.random.default_rng(0)
    a, b, c = (rng.integers(-9, 9, n).astype(np.float32) for n in (256, 128, 128))
    return a, b, c


def run(*how: Any) -> tuple[np.ndarray, np.ndarray]:
    """What the kernel gives, and what is meant."""
    a, b, c = operands()
    expected = c.reshape(16, 8) + a.reshape(16, 16) @ b.reshape(16, 8)
    run_kernel(product, 1, 32, a, b, c, *how)
    return c.reshape(16, 8), expected


def test_a_product_of_a_warp():
    received, expected = run(32, 0)
    np.testing.assert_array_equal(received, expected)


def test_a_word_in_a_wrong_place_gives_another_product():
    received, expected = run(32, 1)
    assert (received != expected).any()


def test_lanes_that_do_not_take_part():
    with pytest.raises(DivergenceError, match="20 of 32 lanes take part in the product of a warp"):
        run(20, 0)


def test_lanes_that_wait_elsewhere():
    @kernel
    def apart(c):
        if cuda.threadIdx.x < 30:
            c[cuda.threadIdx.x] = multiply_add_matrices((np.uint32(0),) * 4, (np.uint32(0),) * 2, (np.float32(0),) * 4)[
                0
            ]
        else:
            cuda.syncthreads()

    with pytest.raises(DivergenceError, match="30 of 32 lanes take part|and none can go on"):
        run_kernel(apart, 1, 32, np.zeros(32, np.float32))


def test_words_that_are_no_words():
    @kernel
    def floats(c):
        found = multiply_add_matrices((c[0],) * 4, (np.uint32(0),) * 2, (c[0],) * 4)
        c[cuda.threadIdx.x] = found[0]

    with pytest.raises(StructureError, match=r"lane 0 gives \(float32, .*\) for a, expected 4 of uint32"):
        run_kernel(floats, 1, 32, np.zeros(32, np.float32))


def test_rounding_to_bfloat16():
    cases = {
        1.0: 0x3F80,
        1 + 2**-8: 0x3F80,
        1 + 3 * 2**-8: 0x3F82,
        -0.0: 0x8000,
        np.inf: 0x7F80,
        np.nan: 0x7FFF,
        3.4e38: 0x7F80,
    }
    for number, bits in cases.items():
        assert pair(np.float32(number), np.float32(2)) == 0x4000 << 16 | bits
    assert number_of(bits_of(np.float32(-1.5))) == np.float32(-1.5)
