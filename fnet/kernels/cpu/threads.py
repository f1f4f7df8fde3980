"""Parts of a kernel on several cores.

Inside of a kernel ``parallel_for(task, count, threads, *args)`` runs ``task(i, *args)`` for every i below `count`. The
workers of Numba's threading layer take the next number from a shared counter until none is left, so a slow core does
not hold up the others; which worker runs a task must not matter for its result. The launch costs 1 to 2 us.

It runs as a plain loop with one thread, in a forked child (no threading layer of GNU OpenMP survives a fork), and while
another launch is going on, be it around it or in another Python thread (some layers end the process over that).

The number of threads is process-wide: ``FNET_NUM_THREADS`` or `numba.config.NUMBA_NUM_THREADS` at first, then what
`set_thread_count` says. Compiled code reads it from memory at run time, so it is part of no cache key.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic

from fnet.errors import ValueRangeError
from fnet.kernels.policy import scalar

GRAIN = 4000  # nanoseconds of work that are worth a thread of their own

_INT = ir.IntType(64)
_ADDRESS = ir.IntType(8).as_pointer()
# The cells of _CONTROL: the number of threads, how many of them the layer has, its launcher, whether a launch goes on.
_COUNT, _POOL, _LAUNCH, _BUSY = range(4)
_CONTROL = (ctypes.c_int64 * 4)()
_SYMBOL = "fnet_threads"


def thread_count() -> int:
    """The number of threads that kernels may use."""
    return _CONTROL[_COUNT]


def set_thread_count(count: int) -> None:
    """Let kernels use `count` threads from now on; results do not depend on it."""
    if count < 1:
        raise ValueRangeError(f"the number of threads must be at least 1, received {count}.")
    _CONTROL[_COUNT] = count


def _first_count() -> int:
    chosen = os.environ.get("FNET_NUM_THREADS", "")
    if chosen and not (chosen.isdecimal() and int(chosen) >= 1):
        raise ValueRangeError(f"FNET_NUM_THREADS is {chosen!r}, expected a number of threads such as 4.")
    return int(chosen) if chosen else config.NUMBA_NUM_THREADS


def _start() -> None:
    """Load the threading layer and publish the control cells to compiled code."""
    from numba.np.ufunc import parallel

    parallel._launch_threads()
    _CONTROL[_POOL] = config.NUMBA_NUM_THREADS
    _CONTROL[_LAUNCH] = llvm.address_of_symbol("numba_parallel_for")
    llvm.add_symbol(_SYMBOL, ctypes.addressof(_CONTROL))
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_become_serial)


def _become_serial() -> None:
    _CONTROL[_COUNT], _CONTROL[_BUSY] = 1, 0


# ------------------------------------------------------------------------------------------- compiled code


def _cell(builder: ir.IRBuilder, number: int) -> ir.Value:
    """The address of a control cell."""
    name, module = _SYMBOL, builder.module
    if name not in module.globals:
        ir.GlobalVariable(module, ir.ArrayType(_INT, len(_CONTROL)), name)
    return builder.gep(module.globals[name], [_INT(0), _INT(number)], inbounds=True)


@intrinsic
def _allowed_threads(typing):
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        return builder.load(_cell(builder, _COUNT))

    return types.int64(), generate


@intrinsic
def _parallel_for(typing, task, count, threads, *args):
    kinds = (types.int64, *(types.unliteral(kind) for kind in args))
    task.get_call_type(typing, kinds, {})
    compiled = task.dispatcher.overloads[kinds]

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        _, count, threads, arguments = values
        context.add_linking_libs((compiled.library,))
        worker = _write_worker(context, builder.module, compiled.fndesc, arguments.type)
        closure = cgutils.alloca_once(builder, _closure_type(arguments.type))
        for field, value in enumerate((_INT(0), count, arguments)):
            builder.store(value, cgutils.gep_inbounds(builder, closure, 0, field))
        _write_launch(builder, worker, builder.bitcast(closure, _ADDRESS), threads)
        return context.get_dummy_value()

    return types.void(task, types.int64, types.int64, types.StarArgTuple.from_types(args)), generate


def _closure_type(arguments: ir.Type) -> ir.Type:
    """What the workers of one launch share: the next task's number, the number of tasks, the arguments."""
    return ir.LiteralStructType([_INT, _INT, arguments])


def _write_worker(context: Any, module: ir.Module, task: Any, arguments: ir.Type) -> ir.Function:
    """``worker(_, _, _, closure)``: run tasks until none is left; the type is that of the layer's loop bodies."""
    kind = ir.FunctionType(ir.VoidType(), [_ADDRESS.as_pointer(), _INT.as_pointer(), _INT.as_pointer(), _ADDRESS])
    worker = ir.Function(module, kind, module.get_unique_name("fnet.worker"))
    worker.linkage = "internal"
    builder = ir.IRBuilder(worker.append_basic_block("entry"))
    closure = builder.bitcast(worker.args[3], _closure_type(arguments).as_pointer())
    place, count, values = (cgutils.gep_inbounds(builder, closure, 0, field) for field in range(3))
    count, values = builder.load(count), builder.load(values)
    head, body, done = (worker.append_basic_block(name) for name in ("head", "body", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    number = builder.atomic_rmw("add", place, _INT(1), "monotonic")
    builder.cbranch(builder.icmp_signed("<", number, count), body, done)
    builder.position_at_end(body)
    function = context.declare_function(module, task)
    fields = [builder.extract_value(values, i) for i in range(len(arguments.elements))]
    # A kernel never raises, so the status that the call returns says nothing.
    context.call_conv.call_function(builder, function, task.restype, task.argtypes, [number, *fields])
    builder.branch(head)
    builder.position_at_end(done)
    builder.ret_void()
    return worker


def _write_launch(builder: ir.IRBuilder, worker: ir.Function, closure: ir.Value, threads: ir.Value) -> None:
    """Run `worker` on `threads` threads, as far as there are so many, or here if it is one or a launch goes on."""
    nothing, ints = _ADDRESS.as_pointer()(None), _INT.as_pointer()
    sizes, busy = cgutils.alloca_once(builder, ir.ArrayType(_INT, 2)), _cell(builder, _BUSY)
    with builder.if_else(builder.icmp_signed(">", threads, _INT(1))) as (several, one):
        with several:
            taken = builder.cmpxchg(busy, _INT(0), _INT(1), "acquire", "monotonic")
            with builder.if_else(builder.extract_value(taken, 1)) as (free, occupied):
                with free:
                    pool = builder.load(_cell(builder, _POOL))
                    threads = builder.select(builder.icmp_signed("<", threads, pool), threads, pool)
                    dimensions = cgutils.gep_inbounds(builder, sizes, 0, 0)
                    builder.store(threads, dimensions)
                    kind = ir.FunctionType(ir.VoidType(), [_ADDRESS] * 5 + [_INT] * 3)
                    launch = builder.inttoptr(builder.load(_cell(builder, _LAUNCH)), kind.as_pointer())
                    addresses = [builder.bitcast(x, _ADDRESS) for x in (worker, nothing, dimensions, dimensions)]
                    builder.call(launch, [*addresses, closure, _INT(0), _INT(0), threads])
                    builder.store_atomic(_INT(0), busy, "release", 8)
                with occupied:
                    builder.call(worker, [nothing, ints(None), ints(None), closure])
        with one:
            builder.call(worker, [nothing, ints(None), ints(None), closure])


def _in_python(task: Any, count: int, threads: int, *args: Any) -> None:
    for i in range(count):
        task(i, *args)


@scalar
def threads_for(nanoseconds):
    """The number of threads for work that takes one of them so long: 1 where more would cost more than they save."""
    return max(1, min(_allowed_threads(), int(nanoseconds) // GRAIN))


# `parallel_for(task, count, threads, *args)`; `task` is a kernel at module level that takes its number and the args.
parallel_for: Any = _in_python if config.DISABLE_JIT else _parallel_for
if config.DISABLE_JIT:
    _allowed_threads = thread_count
_CONTROL[_COUNT] = _first_count()
if not config.DISABLE_JIT:
    _start()
