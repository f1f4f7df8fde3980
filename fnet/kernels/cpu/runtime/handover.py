"""What it costs to hand work over to another thread, which differs by processor.

Other threads read and change what lies in the caches of the first one, and later it reads their results in theirs. Two
take halves of a block of memory that the first has just written, and the first reads all of it afterwards; the price is
what that takes longer than one thread less the half that it is spared.

It is measured when a process allows more than one thread for the first time, which takes some milliseconds. It depends
on where the system lets the threads run, and on what else the machine does, so one process is not believed: several
measure, and keep their prices in the cache's folder. A price is not kept if the other thread often had no core to run
on. Results depend on it as little as on the number of threads.
"""

from __future__ import annotations

import functools
import itertools
import json
import time
from collections.abc import Sequence

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
ARRIVAL = 0.1  # seconds that the other thread has to begin: it may have to load its code
ROUNDS, ENOUGH = 40, 36
CLOSE = 1.1  # how many times as large the larger one of two prices is that agree
PROCESSES = 5  # that measure


@functools.cache
def grain() -> int:
    """The nanoseconds of work that are worth a thread of their own."""
    if config.DISABLE_JIT:
        return USUAL
    directory = cache_directory()
    path = None if directory is None else directory / f"prices-{llvm.get_host_cpu_name()}.json"
    stored = None if path is None else kept(path)
    prices = json.loads(stored) if stored is not None else []
    if len(prices) < PROCESSES:
        measurement = measured()
        if measurement is not None:
            prices.append(measurement)
            if path is not None:
                keep(path, json.dumps(prices).encode())
    return min(max(GAIN * highest(prices), LEAST), MOST) if prices else USUAL


def highest(prices: Sequence[int]) -> int:
    """The highest price that another one confirms, or of all: too many threads cost more than too few.

    >>> highest([6400, 4900, 31000, 6100])
    6400
    >>> highest([4900, 6400])
    6400
    """
    confirmed = (high for low, high in itertools.pairwise(sorted(prices)) if high <= CLOSE * low)
    return max(confirmed, default=max(prices))


def measured() -> int | None:
    """The price in nanoseconds; None if the other thread had no core to run on, now or often."""
    values, meeting = np.zeros(2 * HALF, np.float32), np.zeros(2, np.int64)

    def nanoseconds(threads: int) -> int | None:
        start = time.perf_counter_ns()
        exchange(values, meeting, meeting.ctypes.data, threads)
        return None if meeting[1] else time.perf_counter_ns() - start

    end = time.perf_counter() + ARRIVAL
    while nanoseconds(2) is None:
        if time.perf_counter() > end:
            return None
    rounds = [(nanoseconds(1), nanoseconds(2)) for _ in range(ROUNDS)]
    alone = [taken for taken, _ in rounds if taken is not None]
    together = [taken for _, taken in rounds if taken is not None]
    # Alone, each of the three passes over the block takes a third; half of one is spared.
    return max(0, min(together) - min(alone) * 5 // 6) if len(together) >= ENOUGH else None


# ------------------------------------------------------------------------------------------- compiled code


@kernel
def exchange(values, meeting, address, threads):
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
