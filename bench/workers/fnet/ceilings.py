"""What the machine can do at most: multiply-adds on registers, copies of memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from bench.protocol import Run
from fnet.kernels.cpu.runtime.threads import parallel_for, thread_count
from fnet.kernels.cpu.vector.simd import INT, Loop, Vectors, at, lanes, vector_code
from fnet.kernels.policy import kernel

CHAINS = 12  # independent sums: more than the latency of a multiply-add times those that begin in a cycle
TASKS = 8  # for each thread


def _write_chains(simd: Vectors, values: Sequence[ir.Value]) -> None:
    address, count = values
    factor = simd.load(address)
    loop = Loop(simd.builder, count, [factor] * CHAINS)
    loop.close([simd.multiply_add(factor, factor, total) for total in loop.values])
    for number, total in enumerate(loop.values):
        simd.store(total, simd.at(address, simd.builder.mul(INT(number), INT(simd.lanes))))


def _chains_in_python(address: np.ndarray, count: int) -> None:
    address[:] += count * address[0] ** 2


_chains = vector_code(_write_chains, _chains_in_python)


@kernel
def _task_of_chains(task: Any, out: Any, room: Any, steps: Any) -> None:
    _chains(at(out, task * room), steps)


@kernel
def _run_chains(out: Any, count: int, threads: int) -> None:
    tasks, width = TASKS * threads, CHAINS * lanes(at(out, 0))
    parallel_for(_task_of_chains, tasks, threads, at(out, 0), width, count // (tasks * width))


@kernel
def _task_of_copy(task: Any, source: Any, target: Any, size: Any, room: Any) -> None:
    for i in range(task * room, min((task + 1) * room, size)):
        target[i] = source[i]


@kernel
def _run_copy(source: Any, target: Any, size: int, threads: int) -> None:
    tasks = TASKS * threads
    parallel_for(_task_of_copy, tasks, threads, at(source, 0), at(target, 0), size, (size + tasks - 1) // tasks)


def multiply_adds(count: int) -> Run:
    """About `count` multiply-adds of single numbers on every thread there is."""
    threads = thread_count()
    out = np.zeros(TASKS * threads * CHAINS * 16, np.float32)

    def run(calls: int) -> int:
        for _ in range(calls):
            _run_chains(out, count, threads)
        return calls

    return run


def copies(source: np.ndarray) -> Run:
    """Copies of an array."""
    target, threads = np.empty_like(source), thread_count()

    def run(calls: int) -> int:
        for _ in range(calls):
            _run_copy(source, target, source.size, threads)
        return calls

    return run


def copies_on_card(source: Any) -> Run:
    """Copies of an array of a card, made by its driver."""
    target = source.copy()

    def run(calls: int) -> int:
        for _ in range(calls):
            source.home.assign(target, source)
        return calls

    return run
