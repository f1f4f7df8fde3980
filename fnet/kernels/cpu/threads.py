"""Parts of a kernel on several cores.

Inside of a kernel ``parallel_for(task, count, threads, *args)`` runs ``task(i, *args)`` for every i below `count`. The
threads (`fnet.kernels.cpu.pool`) take the next number from a shared counter until none is left, so a slow core does not
hold up the others; which thread runs a task must not matter for its result. The launch costs less than 1 us.

The number of threads is process-wide: ``FNET_NUM_THREADS`` or `numba.config.NUMBA_NUM_THREADS` at first, then what
`set_thread_count` says; 1 in a forked child. Compiled code reads it from memory at run time: it is in no cache key.
"""

from __future__ import annotations

import atexit
import os
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic

from fnet.errors import ValueRangeError
from fnet.kernels.cpu import pool
from fnet.kernels.linking import linkable
from fnet.kernels.policy import scalar

GRAIN = 4000  # nanoseconds of work that are worth a thread of their own

_INT = ir.IntType(64)


def thread_count() -> int:
    """The number of threads that kernels may use."""
    return pool.get(pool.COUNT)


def set_thread_count(count: int) -> None:
    """Let kernels use `count` threads from now on, fewer where the system allows no more; results do not change."""
    if count < 1:
        raise ValueRangeError(f"the number of threads must be at least 1, received {count}.")
    if not config.DISABLE_JIT:
        count = min(count, pool.grow(count - 1) + 1)
    pool.put(pool.COUNT, count)


def _first_count() -> int:
    chosen = os.environ.get("FNET_NUM_THREADS", "")
    if chosen and not (chosen.isdecimal() and int(chosen) >= 1):
        raise ValueRangeError(f"FNET_NUM_THREADS is {chosen!r}, expected a number of threads such as 4.")
    return int(chosen) if chosen else config.NUMBA_NUM_THREADS


def _become_serial() -> None:
    pool.forget()
    pool.put(pool.COUNT, 1)


# ------------------------------------------------------------------------------------------- compiled code


@intrinsic
def _parallel_for(typing, task, count, threads, *args):
    kinds = (types.int64, *(types.unliteral(kind) for kind in args))
    compiled = linkable(task.dispatcher, kinds)
    launcher = linkable(pool.launch, (types.int64, types.int64, types.int64))

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        _, count, threads, arguments = values
        worker = _write_worker(context, builder.module, compiled, arguments.type)
        closure = cgutils.alloca_once(builder, _closure_type(arguments.type))
        for field, value in enumerate((_INT(0), count, arguments)):
            builder.store(value, cgutils.gep_inbounds(builder, closure, 0, field))
        addresses = [builder.ptrtoint(x, _INT) for x in (worker, closure)]
        _call(context, builder, launcher, [*addresses, threads])
        return context.get_dummy_value()

    return types.void(task, types.int64, types.int64, types.StarArgTuple.from_types(args)), generate


def _call(context: Any, builder: ir.IRBuilder, compiled: Any, values: list[ir.Value]) -> None:
    """Call a compiled kernel; kernels never raise, so the status that the call returns says nothing."""
    context.add_linking_libs((compiled.library,))
    function = context.declare_function(builder.module, compiled.fndesc)
    context.call_conv.call_function(builder, function, compiled.fndesc.restype, compiled.fndesc.argtypes, values)


def _closure_type(arguments: ir.Type) -> ir.Type:
    """What the workers of one launch share: the next task's number, the number of tasks, the arguments."""
    return ir.LiteralStructType([_INT, _INT, arguments])


def _write_worker(context: Any, module: ir.Module, task: Any, arguments: ir.Type) -> ir.Function:
    """``worker(closure)``: run tasks until none is left."""
    worker = ir.Function(module, ir.FunctionType(ir.VoidType(), [_INT]), module.get_unique_name("fnet.worker"))
    worker.linkage = "internal"
    builder = ir.IRBuilder(worker.append_basic_block("entry"))
    closure = builder.inttoptr(worker.args[0], _closure_type(arguments).as_pointer())
    place, count, values = (cgutils.gep_inbounds(builder, closure, 0, field) for field in range(3))
    count, values = builder.load(count), builder.load(values)
    head, body, done = (worker.append_basic_block(name) for name in ("head", "body", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    number = builder.atomic_rmw("add", place, _INT(1), "monotonic")
    builder.cbranch(builder.icmp_signed("<", number, count), body, done)
    builder.position_at_end(body)
    fields = [builder.extract_value(values, i) for i in range(len(arguments.elements))]
    _call(context, builder, task, [number, *fields])
    builder.branch(head)
    builder.position_at_end(done)
    builder.ret_void()
    return worker


def _in_python(task: Any, count: int, threads: int, *args: Any) -> None:
    for i in range(count):
        task(i, *args)


@scalar
def threads_for(nanoseconds):
    """The number of threads for work that takes one of them so long: 1 where more would cost more than they save."""
    return max(1, min(_allowed(), int(nanoseconds) // GRAIN))


# `parallel_for(task, count, threads, *args)`; `task` is a kernel at module level that takes its number and the args.
parallel_for: Any = _in_python if config.DISABLE_JIT else _parallel_for
_allowed: Any = thread_count if config.DISABLE_JIT else pool.allowed_threads

if not config.DISABLE_JIT:
    pool.publish()
    atexit.register(pool.stop)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_become_serial)
set_thread_count(_first_count())
