"""Parts of a kernel on several cores.

Inside of a kernel ``parallel_for(task, count, threads, *args)`` runs ``task(i, *args)`` for every i below `count`. The
threads (`fnet.kernels.cpu.pool`) take the next number from a shared counter until none is left, so a slow core does not
hold up the others; which thread runs a task must not matter for its result. The launch costs less than 1 us.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic

from fnet.kernels.cpu import pool
from fnet.kernels.linking import linkable

_INT = ir.IntType(64)


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


# `parallel_for(task, count, threads, *args)`; `task` is a kernel at module level that takes its number and the args.
parallel_for: Any = _in_python if config.DISABLE_JIT else _parallel_for
