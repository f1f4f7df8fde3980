"""A pool of threads that take parts in a job: what `fnet.kernels.cpu.runtime.parallel` runs its loops on.

A job is a function that takes numbers from shared counters until none is left. It is told which thread runs it: who
launches it is number 0, works on it, too, and at the end waits only for the workers that have joined: one whose core is
busy with something else holds nobody up. Only one job runs at a time; a launch during another one (around it, or in
another Python thread) runs where it is called.

Workers are Python threads inside of compiled code, without the interpreter's lock. They wait for a job in a loop in
which they offer their core to others, then asleep on a pipe. To wake one takes 30 to 50 us, in which the launcher works
alone, so they stay awake longer than most of what a plan does on one thread. A forked child has none until it asks for
them; `stop` ends them before the interpreter's end.

All words of `CONTROL` are read and written in one order for all threads, but for those that say what the job is: they
are written before `OPEN`, and that before `EPOCH`. A worker counts itself in `JOINED` before it looks whether the job
is `OPEN`; the launcher closes the job before it waits for `JOINED` to be 0. So either the worker sees the job closed,
or the launcher sees the worker.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import warnings
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fnet.kernels.cpu.runtime.atomics import add, call_address, exchange, load, pause, release, store, swap_if
from fnet.kernels.policy import kernel, scalar

LINE = 64  # bytes of a cache line: words of different use do not share one
# What announces a job shares a line: a worker gets all of it at once, and the launcher waits for one line only.
LINES = (
    ("COUNT", "GRAIN"), ("BUSY",), ("EPOCH", "OPEN", "LIMIT", "JOB", "ARGUMENT"), ("JOINED",), ("ASLEEP",),
    ("WAKE", "REST", "QUIT", "BYTE"),
)  # fmt: skip
COUNT, GRAIN, BUSY, EPOCH, OPEN, LIMIT, JOB, ARGUMENT, JOINED, ASLEEP, WAKE, REST, QUIT, BYTE = (
    LINE * line + 8 * place for line, words in enumerate(LINES) for place in range(len(words))
)
_memory = ctypes.create_string_buffer(LINE * (len(LINES) + 1))
CONTROL = (ctypes.c_int64 * (LINE // 8 * len(LINES))).from_buffer(_memory, -ctypes.addressof(_memory) % LINE)
SPINS = 500  # rounds of waiting for a job before a worker offers its core to others, about 10 us
OFFERS = 128  # before it falls asleep, after about 1 ms
PATIENCE = 1000  # rounds of waiting for workers before the launcher offers its core to others

_INT = ir.IntType(64)
_CONTROL, _READ, _WRITE, _YIELD = "fnet_control", "fnet_read", "fnet_write", "fnet_yield"
_workers: list[threading.Thread] = []


def get(word: int) -> int:
    """The value of a word of `CONTROL`."""
    return CONTROL[word // 8]


def put(word: int, value: int) -> None:
    """Set a word of `CONTROL`."""
    CONTROL[word // 8] = value


def publish() -> None:
    """Make the control block and three functions of the system known to compiled code."""
    c = ctypes.cdll.ucrtbase if sys.platform == "win32" else ctypes.CDLL(None)
    read, write, give_way = (
        (c._read, c._write, ctypes.windll.kernel32.SwitchToThread)  # type: ignore[attr-defined,unused-ignore]
        if sys.platform == "win32"
        else (c.read, c.write, c.sched_yield)
    )
    llvm.add_symbol(_CONTROL, ctypes.addressof(CONTROL))
    for name, function in ((_READ, read), (_WRITE, write), (_YIELD, give_way)):
        llvm.add_symbol(name, ctypes.cast(function, ctypes.c_void_p).value)


def grow(workers: int) -> int:
    """Have at least so many workers, or as many as the system allows; how many there are."""
    try:
        if workers > len(_workers) and not get(WAKE):
            rest, wake = os.pipe()
            put(REST, rest)
            put(WAKE, wake)
        while len(_workers) < workers:
            worker = threading.Thread(target=_serve, args=(len(_workers),), name="fnet-worker", daemon=True)
            worker.start()
            _workers.append(worker)
    except (RuntimeError, OSError) as error:
        warnings.warn(
            f"fnet: no more threads can be started ({error}): kernels use {len(_workers) + 1}.", RuntimeWarning, 3
        )
    return len(_workers)


def stop() -> None:
    """End all workers, so that their code may be unloaded."""
    if _workers:
        put(QUIT, 1)
        _announce()
        for worker in _workers:
            worker.join(1)
        _workers.clear()
        put(QUIT, 0)


def forget() -> None:
    """In a forked child, which has no workers: begin anew."""
    _workers.clear()
    for word in (BUSY, OPEN, JOINED, ASLEEP, REST, WAKE):
        put(word, 0)


# ------------------------------------------------------------------------------------------- compiled code


@intrinsic
def _word(typing, offset):
    """The address of a word of the control block."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        name, module = _CONTROL, builder.module
        if name not in module.globals:
            ir.GlobalVariable(module, ir.ArrayType(_INT, len(CONTROL)), name)
        return builder.add(builder.ptrtoint(module.globals[name], _INT), values[0])

    return types.int64(types.int64), generate


def _system_function(name: str) -> Any:
    """An intrinsic that calls a published function with 64-bit numbers, in which ints and addresses fit everywhere."""

    @intrinsic
    def call(typing, *numbers):
        kinds = types.StarArgTuple.from_types(numbers)

        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
            arguments = [builder.extract_value(values[0], i) for i in range(len(numbers))]
            kind, module = ir.FunctionType(_INT, [_INT] * len(numbers)), builder.module
            function = module.globals.get(name) or ir.Function(module, kind, name)
            return builder.call(function, arguments)

        return types.int64(kinds), generate

    return call


_read, _write, _give_way = _system_function(_READ), _system_function(_WRITE), _system_function(_YIELD)


@kernel
def _serve(number):
    """The life of a worker: wait for the next job, join it, take part."""
    seen = 0
    while not load(_word(QUIT)):
        waited = 0
        while load(_word(EPOCH)) == seen:
            pause()
            waited += 1
            if waited == OFFERS * SPINS:
                _sleep(seen)
                waited = 0
            elif waited % SPINS == 0:
                _give_way()
        seen = load(_word(EPOCH))
        add(_word(JOINED), 1)
        if load(_word(OPEN)) and number < load(_word(LIMIT)):
            call_address(load(_word(JOB)), load(_word(ARGUMENT)), number + 1)
        add(_word(JOINED), -1)


@kernel
def _sleep(seen):
    """Sleep until someone wakes all sleepers, unless the job to come is there already."""
    add(_word(ASLEEP), 1)
    while load(_word(EPOCH)) != seen:
        asleep = load(_word(ASLEEP))
        if asleep == 0:
            break  # someone has counted this worker and sends a byte for it
        if swap_if(_word(ASLEEP), asleep, asleep - 1):
            return
    _read(load(_word(REST)), _word(BYTE), 1)


@kernel
def _announce():
    """Begin a new epoch and wake who sleeps."""
    add(_word(EPOCH), 1)
    if load(_word(ASLEEP)):
        for _ in range(exchange(_word(ASLEEP), 0)):
            _write(load(_word(WAKE)), _word(BYTE), 1)


@kernel(shared=True)
def launch(job, argument, threads):
    """Run ``job(argument, number)``, which takes parts of a job until none is left, on up to `threads` threads."""
    if threads <= 1 or not swap_if(_word(BUSY), 0, 1):
        call_address(job, argument, 0)
        return
    release(_word(LIMIT), threads - 1)
    release(_word(JOB), job)
    release(_word(ARGUMENT), argument)
    release(_word(OPEN), 1)
    _announce()
    call_address(job, argument, 0)
    store(_word(OPEN), 0)
    waited = 0
    while load(_word(JOINED)):
        pause()
        waited += 1
        if waited % PATIENCE == 0:
            _give_way()
    store(_word(BUSY), 0)


@scalar
def allowed_threads():
    """The number of threads that kernels may use."""
    return load(_word(COUNT))


@scalar
def grain():
    """The nanoseconds of work that are worth a thread of their own."""
    return load(_word(GRAIN))
