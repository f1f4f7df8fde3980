"""Kernels of CUDA, run thread by thread: right results, and a fault of each kind planted and found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fnet.errors import StructureError
from fnet.kernels.cuda.runtime.grid_barrier import arrive, leave, wait_for
from fnet.testing.cuda import (
    DeadlockError,
    DivergenceError,
    KernelIndexError,
    RaceError,
    UnwrittenError,
    run_kernel,
)

cuda = pytest.importorskip("numba.cuda")

ALL = 0xFFFFFFFF
FLOAT = np.float32
TILE = 4


@cuda.jit(device=True)
def warp_sum(value):
    step = 16
    while step:
        value += cuda.shfl_xor_sync(ALL, value, step)
        step //= 2
    return value


@cuda.jit
def total(x, out):
    parts = cuda.shared.array(4, FLOAT)
    i = cuda.grid(1)
    value = warp_sum(x[i] if i < x.size else FLOAT(0))
    if cuda.laneid == 0:
        parts[cuda.threadIdx.x // cuda.warpsize] = value
    cuda.syncthreads()
    if cuda.threadIdx.x == 0:
        for warp in range(cuda.blockDim.x // cuda.warpsize):
            cuda.atomic.add(out, 0, parts[warp])


@cuda.jit
def product(a, b, out):
    left, right = cuda.shared.array((TILE, TILE), FLOAT), cuda.shared.array((TILE, TILE), FLOAT)  # two on one line
    i, j = cuda.grid(2)
    s, t = cuda.threadIdx.x, cuda.threadIdx.y
    value = FLOAT(0)
    for first in range(0, a.shape[1], TILE):
        left[s, t] = a[i, first + t] if i < a.shape[0] and first + t < a.shape[1] else 0
        right[s, t] = b[first + s, j] if first + s < b.shape[0] and j < b.shape[1] else 0
        cuda.syncthreads()
        for k in range(TILE):
            value += left[s, k] * right[k, t]
        cuda.syncthreads()
    if i < out.shape[0] and j < out.shape[1]:
        out[i, j] = value


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 300), st.sampled_from([32, 64, 128]))
def test_a_sum_over_warps_blocks_and_atomics(n, threads):
    x, out = np.arange(n, dtype=FLOAT), np.zeros(1, FLOAT)
    run_kernel(total, max(1, -(-n // threads)), threads, x, out)
    assert out[0] == x.sum()


@settings(max_examples=5, deadline=None)
@given(st.integers(1, 9), st.integers(0, 9), st.integers(1, 9))
def test_a_tiled_product(m, k, n):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(m, k)).astype(FLOAT), rng.normal(size=(k, n)).astype(FLOAT)
    out = np.full((m, n), np.nan, FLOAT)
    run_kernel(product, (-(-m // TILE), -(-n // TILE)), (TILE, TILE), a, b, out)
    np.testing.assert_allclose(out, a @ b, rtol=1e-5, atol=1e-5)


@cuda.jit
def reversed_in_block(x, dynamic):
    shared = cuda.shared.array(0, FLOAT)
    i = cuda.threadIdx.x
    shared[i] = x[i]
    if dynamic:
        cuda.syncthreads()
    x[i] = shared[x.size - 1 - i]


def test_shared_memory_of_a_size_said_at_launch():
    x = np.arange(40, dtype=FLOAT)
    run_kernel(reversed_in_block, 1, 40, x, True, shared_bytes=160)
    np.testing.assert_array_equal(x, np.arange(40)[::-1])
    with pytest.raises(
        KernelIndexError, match="the shared array of reversed_in_block, line .*\\[2\\] is outside of the shape"
    ):
        run_kernel(reversed_in_block, 1, 40, x, True, shared_bytes=8)


def test_a_missing_barrier_is_a_race_or_an_unwritten_read():
    with pytest.raises(UnwrittenError, match=r"\[39\] is read by thread 0 of block \(0, 0, 0\) before anything was"):
        run_kernel(reversed_in_block, 1, 40, np.arange(40, dtype=FLOAT), False, shared_bytes=160)


@cuda.jit
def shifted(x, barrier):
    i = cuda.grid(1)
    value = x[(i + 1) % x.size]
    if barrier == 1:
        cuda.syncthreads()
    elif barrier == 2:
        cuda.syncwarp()
    x[i] = value


@pytest.mark.parametrize(
    "threads, blocks, barrier, races",
    [
        (8, 1, 0, True),
        (8, 1, 1, False),
        (8, 1, 2, False),
        (64, 1, 2, True),  # the barrier of a warp orders nothing between two
        (64, 1, 1, False),
        (8, 2, 1, True),  # nor that of a block
    ],
)
def test_races_in_global_memory(threads, blocks, barrier, races):
    x = np.arange(threads * blocks)
    if races:
        with pytest.raises(RaceError, match=r"x\[\d+\] is (written|read) by thread .*Put cuda.syncthreads"):
            run_kernel(shifted, blocks, threads, x, barrier)
    else:
        run_kernel(shifted, blocks, threads, x, barrier)
        np.testing.assert_array_equal(x, np.roll(np.arange(x.size), -1))


@cuda.jit
def moved(x, y, waits):
    i = cuda.threadIdx.x
    value = x[i]
    if waits:
        cuda.syncthreads()
    y[i] = value


def test_races_of_arguments_that_are_one_memory():
    x = np.arange(9)
    run_kernel(moved, 1, 8, x[:8], x[:8], False)  # each thread its own element
    run_kernel(moved, 1, 8, x[:8], x[1:], True)
    np.testing.assert_array_equal(x, [0, *range(8)])
    with pytest.raises(RaceError, match=r"y\[0\] is written by thread 0|x\[1\] is read by thread 1"):
        run_kernel(moved, 1, 8, x[:8], x[1:], False)


@cuda.jit
def counted(keys, counts, atomically):
    i = cuda.grid(1)
    if atomically:
        cuda.atomic.add(counts, keys[i], 1)
    else:
        counts[keys[i]] += 1


def test_atomic_changes_do_not_race_with_each_other():
    keys, counts = np.array([0, 1, 1, 2, 1, 0]), np.zeros(3, np.int64)
    run_kernel(counted, 2, 3, keys, counts, True)
    np.testing.assert_array_equal(counts, [2, 3, 1])
    with pytest.raises(RaceError, match=r"counts\[1\] is read by thread 2"):
        run_kernel(counted, 2, 3, keys, counts, False)


@cuda.jit
def read_beside_atomic(counts, out):
    i = cuda.grid(1)
    if i == 0:
        cuda.atomic.add(counts, 0, 1)
    else:
        out[0] = counts[0]


def test_a_plain_read_races_with_an_atomic_change():
    with pytest.raises(RaceError, match=r"counts\[0\] is read by thread 1"):
        run_kernel(read_beside_atomic, 1, 2, np.zeros(1), np.zeros(1))


@cuda.jit
def branched(x, what):
    i = cuda.grid(1)
    if what == 0:
        if i < 8:
            cuda.syncthreads()
    elif what == 1:
        if i < 8:
            cuda.syncthreads()
        else:
            cuda.syncthreads()
    elif what == 2:
        if i < 8:
            x[i] = cuda.shfl_xor_sync(ALL, x[i], 1)
        else:
            cuda.syncwarp()
    elif what == 3:
        x[i] = cuda.shfl_xor_sync(0xFF, x[i], 1)
    elif what == 4:
        if i >= 8:
            return
        x[i] = cuda.shfl_down_sync(ALL, x[i], 8)


@pytest.mark.parametrize(
    "what, fault, text",
    [
        (0, DivergenceError, "8 of 16 threads of block .* wait at cuda.syncthreads, to which the others do not come"),
        (1, DivergenceError, r"threads wait at cuda.syncthreads \(branched, line \d+\) and at cuda.syncthreads"),
        (2, DivergenceError, r"threads wait at cuda.shfl_xor_sync .* and at cuda.syncwarp .*, and none can go on"),
        (3, DivergenceError, "cuda.shfl_xor_sync by thread 0 .*, whose lane is not in its mask|not in its mask"),
        (4, UnwrittenError, r"branched, line \d+: lane 0 asks for the value of lane 8, which gives none"),
    ],
)
def test_threads_that_do_not_meet(what, fault, text):
    with pytest.raises(fault, match=text):
        run_kernel(branched, 1, 16, np.arange(16.0), what)


@cuda.jit
def halves(x, out):
    i = cuda.threadIdx.x
    if i < 16:
        out[i] = cuda.shfl_sync(0xFFFF, x[i], 0)
    else:
        out[i] = cuda.shfl_sync(0xFFFF0000, x[i], 16)


def test_halves_of_a_warp_meet_each_by_itself():
    out = np.zeros(32)
    run_kernel(halves, 1, 32, np.arange(32.0), out)
    np.testing.assert_array_equal(out, [0] * 16 + [16] * 16)


@cuda.jit
def votes(x, out):
    i = cuda.threadIdx.x
    out[i, 0] = cuda.ballot_sync(ALL, x[i] > 1)
    out[i, 1] = cuda.any_sync(ALL, x[i] > 2)
    out[i, 2] = cuda.all_sync(ALL, x[i] >= 0)
    out[i, 3] = cuda.match_any_sync(ALL, x[i])
    out[i, 4] = cuda.syncthreads_count(x[i] == 1)
    out[i, 5] = cuda.shfl_up_sync(ALL, x[i], 1)


def test_votes_of_lanes():
    out = np.zeros((4, 6), np.int64)
    run_kernel(votes, 1, 4, np.array([1, 2, 1, 3]), out)
    np.testing.assert_array_equal(out[:, 0], 0b1010)
    np.testing.assert_array_equal(out[:, 1:3], 1)
    np.testing.assert_array_equal(out[:, 3], [0b101, 0b10, 0b101, 0b1000])
    np.testing.assert_array_equal(out[:, 4], 2)
    np.testing.assert_array_equal(out[:, 5], [1, 1, 2, 1])


@cuda.jit
def own(out, index):
    kept = cuda.local.array(3, FLOAT)
    kept[0] = 1
    out[cuda.grid(1)] = kept[index]


def test_local_memory_and_indices():
    run_kernel(own, 1, 2, np.zeros(2), 0)
    with pytest.raises(UnwrittenError, match=r"the local array of own, line \d+, column \d+\[1\] is read by thread 0"):
        run_kernel(own, 1, 2, np.zeros(2), 1)
    for index in (3, -1):
        with pytest.raises(KernelIndexError, match=rf"\[{index}\] is outside of the shape \(3,\): thread 0 of block"):
            run_kernel(own, 1, 2, np.zeros(2), index)
    with pytest.raises(KernelIndexError, match=r"out\[2\] is outside of the shape \(2,\): thread 2 of block"):
        run_kernel(own, 1, 3, np.zeros(2), 0)
    with pytest.raises(KernelIndexError, match="expected an index for each of its 2 axes"):
        run_kernel(own, 1, 1, np.zeros((2, 2)), 0)


@cuda.jit
def unknown(x):
    cuda.nanosleep(1)


@cuda.jit
def reversed_part(x, y, first, end):
    """The part of x from `first` to `end`, backwards, through a part of shared memory."""
    shared = cuda.shared.array(8, FLOAT)
    part, kept, i = x[first:end], shared[2:], cuda.threadIdx.x
    kept[i] = part[i]
    cuda.syncthreads()
    y[i] = shared[2 + part.size - 1 - i]


@cuda.jit
def neighbour_without_barrier(x, y):
    part, i = x[1:], cuda.threadIdx.x
    part[i] = FLOAT(i)
    y[i] = x[(i + 1) % 2 + 1]


def test_parts_of_arrays_are_the_same_memory():
    x, y = np.arange(6, dtype=FLOAT), np.zeros(3, FLOAT)
    for check in (True, False):
        run_kernel(reversed_part, 1, 3, x, y, 2, 5, check=check)
        np.testing.assert_array_equal(y, [4, 3, 2])
    with pytest.raises(KernelIndexError, match=r"x\[4:7\] of the shape \(6,\): expected a part of one axis"):
        run_kernel(reversed_part, 1, 3, x, y, 4, 7)
    with pytest.raises(KernelIndexError, match=r"x\[2\] is outside of the shape \(2,\)"):
        run_kernel(reversed_part, 1, 3, x, y, 2, 4)
    with pytest.raises(RaceError, match="nothing that orders the two"):
        run_kernel(neighbour_without_barrier, 1, 2, x, y)


def test_what_is_no_kernel_and_what_is_not_known():
    with pytest.raises(StructureError, match="expected a kernel, a function marked @cuda.jit, received a int"):
        run_kernel(3, 1, 1)
    with pytest.raises(StructureError, match=r"unknown takes 1 arguments, \['x'\], received 2"):
        run_kernel(unknown, 1, 1, 1, 2)
    with pytest.raises(StructureError, match="cuda.nanosleep is not known to the checker of kernels"):
        run_kernel(unknown, 1, 1, np.zeros(1))


@cuda.jit
def filled(x, counts):
    i = cuda.grid(1)
    kept = cuda.local.array(1, FLOAT)
    kept[0] = i
    if i < x.size:
        x[i] = kept[0]
        cuda.atomic.add(counts, i % 2, 1)


def test_without_checks_the_results_are_the_same():
    x, out = np.arange(100, dtype=FLOAT), np.zeros(1, FLOAT)
    run_kernel(total, 2, 64, x, out, check=False)
    assert out[0] == x.sum()
    counts = np.zeros(2, np.int64)
    run_kernel(filled, 2, 64, x, counts, check=False)
    np.testing.assert_array_equal(x, np.arange(100))
    np.testing.assert_array_equal(counts, [50, 50])
    y = np.arange(16.0)
    run_kernel(shifted, 1, 16, y, 0, check=False)  # a race
    with pytest.raises(DivergenceError, match="to which the others do not come"):
        run_kernel(branched, 1, 16, y, 0, check=False)


@cuda.jit
def passed_on(x, counters, steps, fault):
    """Each step moves all elements by a block; fault: what is left out, or done wrongly."""
    i = cuda.grid(1)
    for k in range(steps):
        value = x[k, (i + cuda.blockDim.x) % cuda.gridsize(1)]
        if cuda.threadIdx.x == 0 and fault == "late":
            arrive(counters, 0)
        x[k + 1, i] = value
        cuda.syncthreads()
        if cuda.threadIdx.x == 0:
            if fault != "late" and not (fault == "missing" and cuda.blockIdx.x == 1):
                arrive(counters, 0)
            if fault != "eager":
                wait_for(counters, 0, (k + 1) * cuda.gridDim.x - (fault == "early"))
        if fault != "apart":
            cuda.syncthreads()
    if cuda.threadIdx.x == 0:
        leave(counters, 0, (steps + 1) * cuda.gridDim.x)


def passed(fault, check=True, blocks=3, threads=40):
    x, counters = np.zeros((4, blocks * threads)), np.zeros(1, np.uint32)
    x[0] = np.arange(x.shape[1])
    run_kernel(passed_on, blocks, threads, x, counters, 3, fault, check=check)
    np.testing.assert_array_equal(x[3], np.roll(x[0], -3 * threads))
    assert counters[0] == 0


def test_blocks_wait_for_each_other():
    passed("")
    passed("", check=False)
    passed("", blocks=1)


@pytest.mark.parametrize(
    "fault, found, text",
    [
        ("eager", RaceError, r"x\[1, \d+\] is (read|written) by thread \d+ of block"),
        ("late", RaceError, r"x\[1, \d+\] is read by thread"),
        ("early", RaceError, r"x\[1, \d+\] is (read|written) by thread"),
        ("apart", RaceError, r"x\[1, 40\] is read by thread|x\[1, \d+\] is written by thread"),
        ("missing", DeadlockError, r"thread 0 of block .* waits for counters\[0\] to reach 3, which is 2"),
    ],
)  # fmt: skip
def test_blocks_that_do_not_wait_rightly(fault, found, text):
    with pytest.raises(found, match=text):
        passed(fault)


def test_a_deadlock_is_found_without_checks():
    with pytest.raises(DeadlockError, match="which is 2, and none of the 3 blocks that wait can go on"):
        passed("missing", check=False)


@cuda.jit
def smoothed(x, y, steps, waits):
    grid, i = cuda.cg.this_grid(), cuda.grid(1)
    for _ in range(steps):
        y[i] = x[i - 1] + x[(i + 1) % x.size] if i > 0 else x[i]
        if waits == 1 or (waits == 2 and cuda.blockIdx.x == 0):
            grid.sync()
        x[i] = y[i]
        if waits:
            cuda.cg.this_grid().sync()


def test_blocks_wait_for_their_grid():
    x, expected = np.arange(12.0), np.arange(12.0)
    run_kernel(smoothed, 3, 4, x, np.zeros(12), 2, 1)
    for _ in range(2):
        expected = np.r_[expected[0], np.roll(expected, 1)[1:] + np.roll(expected, -1)[1:]]
    np.testing.assert_array_equal(x, expected)
    with pytest.raises(RaceError, match=r"x\[\d+\] is (read|written) by thread"):
        run_kernel(smoothed, 3, 4, x, np.zeros(12), 2, 0)
    with pytest.raises(
        DeadlockError, match=r"smoothed, line \d+: .* waits for cuda.cg.this_grid\(\).sync\(\), and none"
    ):
        run_kernel(smoothed, 3, 4, x, np.zeros(12), 2, 2, check=False)
