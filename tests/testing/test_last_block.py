"""Blocks that order themselves by fences and atomic operations: right results, and what is missing is found."""

from __future__ import annotations

import numpy as np
import pytest

from fnet.kernels.cuda.runtime.kernel import cuda, kernel
from fnet.kernels.cuda.runtime.last_block import is_last_block
from fnet.testing.cuda import RaceError, run_kernel

BLOCKS, THREADS = 5, 64


@kernel
def total(x, part, y, counters):
    """``y[0] = sum(x)``: a block adds up two neighbours a thread, in order, and the last one adds up the blocks."""
    i = cuda.grid(1)
    part[i] = x[2 * i] + x[2 * i + 1]
    if is_last_block(counters, 0, cuda.gridDim.x) and cuda.threadIdx.x == 0:
        value = part[0]
        for j in range(1, part.size):
            value += part[j]
        y[0] = value


@kernel
def planted(x, part, y, counters, barrier, before, behind):
    """The same by hand, with what orders blocks where it is asked for."""
    ticket = cuda.shared.array(1, np.uint32)
    i = cuda.grid(1)
    part[i] = x[i]
    if barrier:
        cuda.syncthreads()
    if cuda.threadIdx.x == 0:
        if before:
            cuda.threadfence()
        ticket[0] = cuda.atomic.inc(counters, 0, cuda.gridDim.x - 1)
        if behind:
            cuda.threadfence()
    cuda.syncthreads()
    if ticket[0] == cuda.gridDim.x - 1 and cuda.threadIdx.x == 0:
        value = part[0]
        for j in range(1, part.size):
            value += part[j]
        y[0] = value


def test_the_last_block_sees_what_the_others_wrote_and_leaves_its_counter_at_zero():
    x = np.arange(2 * BLOCKS * THREADS, dtype=np.float64)
    part, y, counters = np.empty(BLOCKS * THREADS), np.empty(1), np.zeros(1, np.uint32)
    for _ in range(2):
        y[0] = np.nan
        run_kernel(total, BLOCKS, THREADS, x, part, y, counters)
        assert y[0] == x.sum()
        assert counters[0] == 0


def run(*how: int) -> float:
    x = np.arange(BLOCKS * THREADS, dtype=np.float64)
    y, counters = np.zeros(1), np.zeros(1, np.uint32)
    run_kernel(planted, BLOCKS, THREADS, x, np.empty(x.size), y, counters, *how)
    return float(y[0])


@pytest.mark.parametrize("missing", range(3))
def test_what_orders_blocks_must_be_there(missing):
    how = [1, 1, 1]
    assert run(*how) == sum(range(BLOCKS * THREADS))
    how[missing] = 0
    with pytest.raises(RaceError):
        run(*how)
