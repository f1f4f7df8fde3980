"""The instructions of a card in compiled code, under the names that `Instruction`s have."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.cuda.extending import intrinsic

BYTES, FOUR = 16, 4
_INDEX = ir.IntType(32)


def _library(name: str, arity: int) -> Any:
    """The function of this name of the library of the card, for float32 or float64."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        return _called(builder, name, *values)

    def one(typing, x):
        return x(x), generate

    def two(typing, x, y):
        return x(x, x), generate

    def three(typing, x, y, z):
        return x(x, x, x), generate

    return intrinsic((one, two, three)[arity - 1])


def _called(builder: ir.IRBuilder, name: str, *values: ir.Value) -> ir.Value:
    kind = values[0].type
    name = f"__nv_{name}{'f' if isinstance(kind, ir.FloatType) else ''}"
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(kind, [kind] * len(values)), name)
    return builder.call(function, values)


multiply_add = _library("fma", 3)
sqrt, floor, ceil, trunc, rint = (_library(name, 1) for name in ("sqrt", "floor", "ceil", "trunc", "rint"))
sin, cos, tan, arctan, erfc = (_library(name, 1) for name in ("sin", "cos", "tan", "atan", "erfc"))
power, copysign = _library("pow", 2), _library("copysign", 2)


@intrinsic
def polynomial(typing, x, coefficients):
    """``c[0] + c[1] x + c[2] x^2 + ...`` by Horner's rule; c: a tuple."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        x, terms = values
        value = builder.extract_value(terms, coefficients.count - 1)
        for k in reversed(range(coefficients.count - 1)):
            value = _called(builder, "fma", value, x, builder.extract_value(terms, k))
        return value

    return x(x, types.UniTuple(x, coefficients.count)), generate


@intrinsic
def is_aligned(typing, x):
    """Whether x begins at a multiple of 16 bytes."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        address = builder.ptrtoint(_data(context, builder, x, values[0]), ir.IntType(64))
        return builder.icmp_unsigned("==", builder.and_(address, address.type(BYTES - 1)), address.type(0))

    return types.boolean(x), generate


@intrinsic
def load4(typing, x, i):
    """The elements i to i + 3."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        model = context.data_model_manager[x.dtype]
        pointer, alignment = _four(context, builder, x, *values)
        four = builder.load(pointer)
        four.align = alignment
        elements = [builder.extract_element(four, _INDEX(k)) for k in range(FOUR)]
        return context.make_tuple(builder, signature.return_type, [model.from_data(builder, e) for e in elements])

    return types.UniTuple(x.dtype, FOUR)(x, i), generate


@intrinsic
def store4(typing, x, i, values):
    """Write four values into the elements i to i + 3."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        model = context.data_model_manager[x.dtype]
        pointer, alignment = _four(context, builder, x, *arguments[:2])
        four = pointer.type.pointee(ir.Undefined)
        for k in range(FOUR):
            element = model.as_data(builder, builder.extract_value(arguments[2], k))
            four = builder.insert_element(four, element, _INDEX(k))
        builder.store(four, pointer).align = alignment
        return context.get_dummy_value()

    return types.void(x, i, types.UniTuple(x.dtype, FOUR)), generate


def _data(context: Any, builder: ir.IRBuilder, kind: Any, array: ir.Value) -> ir.Value:
    return context.make_array(kind)(context, builder, array).data


def _four(context: Any, builder: ir.IRBuilder, kind: Any, array: ir.Value, index: ir.Value) -> tuple[ir.Value, int]:
    """Where four elements lie, as a vector, and what their address is a multiple of."""
    first = builder.gep(_data(context, builder, kind, array), [index])
    vector = ir.VectorType(first.type.pointee, FOUR)
    size = context.get_abi_sizeof(first.type.pointee)
    return builder.bitcast(first, ir.PointerType(vector, first.type.addrspace)), min(BYTES, FOUR * size)
