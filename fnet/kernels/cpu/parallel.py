"""Parts of a kernel on several cores.

Inside of a kernel ``parallel_for(task, count, threads, *args)`` runs ``task(i, *args)`` for every i below `count`. Each
thread (`fnet.kernels.cpu.pool`) has a range of the numbers, from whose counter it takes the next one; then it helps the
others with theirs, so a slow core does not hold them up. What one kernel writes the next one often reads in the same
order: then it lies in the caches of the core that needs it. Which thread runs a task must not matter for its result.
The launch costs less than 1 us.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic

from fnet.kernels.cpu import pool
from fnet.kernels.cpu.simd import Loop
from fnet.kernels.linking import linkable

RANGES = 64  # of numbers, at most
_INT = ir.IntType(64)
_COUNTER = ir.ArrayType(_INT, pool.LINE // 8)  # a word in a cache line of its own


@intrinsic
def _parallel_for(typing, task, count, threads, *args):
    kinds = (types.int64, *(types.unliteral(kind) for kind in args))
    compiled = linkable(task.dispatcher, kinds)
    launcher = linkable(pool.launch, (types.int64, types.int64, types.int64))

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        _, count, threads, arguments = values
        worker = _write_worker(context, builder.module, compiled, arguments.type)
        closure = cgutils.alloca_once(builder, _closure_type(arguments.type))
        ranges = builder.select(builder.icmp_signed("<", threads, _INT(RANGES)), threads, _INT(RANGES))
        ranges = builder.select(builder.icmp_signed("<", ranges, _INT(1)), _INT(1), ranges)
        for field, value in enumerate((count, ranges, arguments)):
            builder.store(value, cgutils.gep_inbounds(builder, closure, 0, field))
        each = Loop(builder, ranges, [])
        builder.store(_start(builder, count, each.index, ranges), _counter(builder, closure, each.index))
        each.close([])
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
    """What the workers of one launch share: the numbers of tasks and of ranges, the arguments, a counter each range."""
    return ir.LiteralStructType([_INT, _INT, arguments, ir.ArrayType(_COUNTER, RANGES)])


def _start(builder: ir.IRBuilder, count: ir.Value, number: ir.Value, ranges: ir.Value) -> ir.Value:
    """Where a range of the numbers below `count` begins."""
    return builder.sdiv(builder.mul(count, number), ranges)


def _counter(builder: ir.IRBuilder, closure: ir.Value, number: ir.Value) -> ir.Value:
    return cgutils.gep_inbounds(builder, closure, 0, 3, number, 0)


def _write_worker(context: Any, module: ir.Module, task: Any, arguments: ir.Type) -> ir.Function:
    """``worker(closure, number)``: run the tasks of the range with this number, then help with those of the others."""
    worker = ir.Function(module, ir.FunctionType(ir.VoidType(), [_INT, _INT]), module.get_unique_name("fnet.worker"))
    worker.linkage = "internal"
    builder = ir.IRBuilder(worker.append_basic_block("entry"))
    closure = builder.inttoptr(worker.args[0], _closure_type(arguments).as_pointer())
    count, ranges, values = (builder.load(cgutils.gep_inbounds(builder, closure, 0, field)) for field in range(3))
    each = Loop(builder, ranges, [])
    number = builder.urem(builder.add(worker.args[1], each.index), ranges)
    place, end = _counter(builder, closure, number), _start(builder, count, builder.add(number, _INT(1)), ranges)
    head, body, done = (worker.append_basic_block(name) for name in ("head", "body", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    taken = builder.atomic_rmw("add", place, _INT(1), "monotonic")
    builder.cbranch(builder.icmp_signed("<", taken, end), body, done)
    builder.position_at_end(body)
    fields = [builder.extract_value(values, i) for i in range(len(arguments.elements))]
    _call(context, builder, task, [taken, *fields])
    builder.branch(head)
    builder.position_at_end(done)
    each.close([])
    builder.ret_void()
    return worker


def _in_python(task: Any, count: int, threads: int, *args: Any) -> None:
    for i in range(count):
        task(i, *args)


# `parallel_for(task, count, threads, *args)`; `task` is a kernel at module level that takes its number and the args.
parallel_for: Any = _in_python if config.DISABLE_JIT else _parallel_for
