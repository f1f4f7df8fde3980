"""What it costs to hand work over to another thread, which differs by processor.

Other threads read and change what lies in the caches of the first one, and later it reads their results in theirs. Two
take halves of a block of memory that the first has just written, and the first reads all of it afterwards; the price is
what that takes longer than one thread less the half that it is spared. It is measured when more than one thread is
allowed for the first time, which takes some milliseconds, and kept in the cache's folder if the other thread had a core
to run on. Results depend on it as little as on the number of threads.
"""

from __future__ import annotations

import functools
import json
import time

import llvmlite.binding as llvm
import numpy as np
from numba.core import config

from fnet.kernels.compiler.cache_folder import cache_directory, keep, kept
from fnet.kernels.cpu.runtime import atomics
from fnet.kernels.cpu.runtime.parallel import parallel_for
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.policy import kernel

GAIN = 3  # how many times its price a thread has to save: most work leaves more than it in other caches
USUAL = 8000  # nanoseconds of work for a thread where nothing can be measured
LEAST, MOST = 2000, 100_000
HALF = 8192  # elements of float32: the operands of some microseconds of work
PATIENCE = 2000  # rounds of waiting for the other thread, about 0.1 ms
ROUNDS, ENOUGH = 40, 5


@functools.cache
def grain() -> int:
    """The nanoseconds of work that are worth a thread of their own; measured once, then read from a file."""
    if config.DISABLE_JIT:
        return USUAL
    directory = cache_directory()
    path = None if directory is None else directory / f"handover-{llvm.get_host_cpu_name()}.json"
    stored = None if path is None else kept(path)
    price = json.loads(stored) if stored is not None else None
    if not isinstance(price, int):
        price = measured()
        if price is not None and path is not None:
            keep(path, json.dumps(price).encode())
    return USUAL if price is None else min(max(GAIN * price, LEAST), MOST)


def measured() -> int | None:
    """The price in nanoseconds; None if no other thread had a core to run on."""
    values, meeting = np.zeros(2 * HALF, np.float32), np.zeros(2, np.int64)
    alone: list[int] = []
    together: list[int] = []
    for _ in range(ROUNDS):
        for threads, times in ((1, alone), (2, together)):
            start = time.perf_counter_ns()
            _exchange(values, meeting, meeting.ctypes.data, threads)
            if meeting[1] == 0:
                times.append(time.perf_counter_ns() - start)
    # Alone, each of the three passes over the block takes a third; half of one is spared.
    return max(0, min(together) - min(alone) * 5 // 6) if len(together) >= ENOUGH else None


# ------------------------------------------------------------------------------------------- compiled code


@kernel
def _exchange(values, meeting, address, threads):
    """Write the block, let `threads` threads change a half each, read it; meeting[1] says whether one was missing."""
    meeting[0], meeting[1] = 2 - threads, 0
    _change(at(values, 0), 2 * HALF)
    parallel_for(_change_half, 2, threads, at(values, 0), address)
    _change(at(values, 0), 2 * HALF)


@kernel
def _change_half(number, values, address):
    """Wait until the other half has a thread, too, then change this one."""
    atomics.add(address, 1)
    waited = 0
    while atomics.load(address) < 2 and waited < PATIENCE:
        atomics.pause()
        waited += 1
    if waited == PATIENCE:
        atomics.store(address + 8, 1)
    _change(at(values, number * HALF), HALF)


@kernel
def _change(values, count):
    for i in range(count):
        values[i] = np.float32(1) - values[i]
