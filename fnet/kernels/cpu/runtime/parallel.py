"""Parallel loops inside of kernels.

In a kernel ``parallel_for(task, count, threads, *args)`` runs ``task(i, *args)`` for every i below `count`. Each thread
of the pool (`thread_pool`) has a range of the numbers and takes the next one from the range's counter. When its range
is empty it helps the others with theirs, so a slow core does not hold them up. The next kernel often reads what this
one writes in the same order; then the data lies in the caches of the core that needs it. The result of a task must not
depend on the thread that runs it. The launch costs less than 1 us.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic

from fnet.kernels.compiler.linking import linkable
from fnet.kernels.compiler.stack import reserve
from fnet.kernels.cpu.runtime import thread_pool
from fnet.kernels.cpu.vector.simd import Loop

RANGES = 64  # of numbers, at most
_INT = ir.IntType(64)
_COUNTER = ir.ArrayType(_INT, thread_pool.LINE // 8)  # two words in a cache line of their own
_COUNTERS, _COUNT, _ARGUMENTS = range(3)  # the fields of what the workers of a launch share


@intrinsic
def _parallel_for(typing, task, count, threads, *args):
    kinds = (types.int64, *(types.unliteral(kind) for kind in args))
    compiled = linkable(task.dispatcher, kinds)
    launcher = linkable(thread_pool.launch, (types.int64, types.int64, types.int64))

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        _, count, threads, arguments = values
        worker = _write_worker(context, builder.module, compiled, arguments.type)
        closure = reserve(builder, _closure_type(arguments.type), thread_pool.LINE)
        ranges = builder.select(builder.icmp_signed("<", threads, _INT(RANGES)), threads, _INT(RANGES))
        ranges = builder.select(builder.icmp_signed("<", ranges, _INT(1)), _INT(1), ranges)
        for field, value in zip((_COUNT, _ARGUMENTS), (ranges, arguments), strict=True):
            builder.store(value, cgutils.gep_inbounds(builder, closure, 0, field))
        _store_range(builder, closure, _INT(0), _INT(0), count)
        with builder.if_then(builder.icmp_signed(">", ranges, _INT(1))):
            each = Loop(builder, ranges, [])
            start, end = (builder.sdiv(builder.mul(count, builder.add(each.index, _INT(i))), ranges) for i in (0, 1))
            _store_range(builder, closure, each.index, start, end)
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
    """What the workers of one launch share: a counter and an end for each range, how many ranges, the arguments."""
    return ir.LiteralStructType([ir.ArrayType(_COUNTER, RANGES), _INT, arguments])


def _store_range(builder: ir.IRBuilder, closure: ir.Value, number: ir.Value, start: ir.Value, end: ir.Value) -> None:
    for word, value in enumerate((start, end)):
        builder.store(value, _counter(builder, closure, number, word))


def _counter(builder: ir.IRBuilder, closure: ir.Value, number: ir.Value, word: int) -> ir.Value:
    """Where the next number of a range is (word 0), and where it ends (word 1)."""
    return cgutils.gep_inbounds(builder, closure, 0, _COUNTERS, number, word)


def _write_worker(context: Any, module: ir.Module, task: Any, arguments: ir.Type) -> ir.Function:
    """``worker(closure, number)``: run the tasks of the range with this number, then help with those of the others."""
    worker = ir.Function(module, ir.FunctionType(ir.VoidType(), [_INT, _INT]), module.get_unique_name("fnet.worker"))
    worker.linkage = "internal"
    builder = ir.IRBuilder(worker.append_basic_block("entry"))
    closure = builder.inttoptr(worker.args[0], _closure_type(arguments).as_pointer())
    ranges, values = (builder.load(cgutils.gep_inbounds(builder, closure, 0, field)) for field in (_COUNT, _ARGUMENTS))
    each = Loop(builder, ranges, [])
    first = builder.select(builder.icmp_signed("<", worker.args[1], ranges), worker.args[1], _INT(0))
    number = builder.add(first, each.index)
    beyond = builder.icmp_signed(">=", number, ranges)
    number = builder.sub(number, builder.select(beyond, ranges, _INT(0)))
    place, end = _counter(builder, closure, number, 0), builder.load(_counter(builder, closure, number, 1))
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
