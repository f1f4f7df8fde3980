"""The instructions of a card in compiled code, under the names that `Instruction`s have."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.cuda.extending import intrinsic

BYTES, FOUR = 16, 4
_INDEX = ir.IntType(32)
_PRODUCT = (
    "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
    "{$0, $1, $2, $3}, {$4, $5, $6, $7}, {$8, $9}, {$10, $11, $12, $13};"
)
_ARRIVE = "fence.acq_rel.gpu; red.relaxed.gpu.add.u32 [$0], 1;"


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
arcsin, arccos, arcsinh, arccosh = (_library(name, 1) for name in ("asin", "acos", "asinh", "acosh"))
arctanh, cbrt = _library("atanh", 1), _library("cbrt", 1)
power, copysign, arctan2, hypot = (_library(name, 2) for name in ("pow", "copysign", "atan2", "hypot"))


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


@intrinsic
def multiply_add_matrices(typing, a, b, c):
    """A warp's product of 16 x 16 and 16 x 8 numbers in bfloat16, added to sums in float32."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        words = [
            builder.extract_value(value, k) for value, many in zip(values, (4, 2, 4), strict=True) for k in range(many)
        ]
        kind = ir.FunctionType(ir.LiteralStructType([ir.FloatType()] * FOUR), [word.type for word in words])
        text = ir.InlineAsm(kind, _PRODUCT, ",".join(["=f"] * 4 + ["r"] * 6 + ["f"] * 4), side_effect=True)
        found = builder.call(text, words, attrs=("convergent",))  # not to be moved to where only some lanes come
        return context.make_tuple(
            builder, signature.return_type, [builder.extract_value(found, k) for k in range(FOUR)]
        )

    word, number = types.uint32, types.float32
    sums = types.UniTuple(number, FOUR)
    return sums(types.UniTuple(word, FOUR), types.UniTuple(word, 2), sums), generate


@intrinsic
def pair(typing, lower, upper):
    """Two float32 numbers rounded to bfloat16, in a word."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        kind = ir.FunctionType(ir.IntType(32), [ir.FloatType()] * 2)
        return builder.asm(kind, "cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f", [values[1], values[0]], side_effect=False)

    return types.uint32(types.float32, types.float32), generate


@intrinsic
def number_of(typing, bits):
    """The float32 number of these 32 bits."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        return builder.bitcast(values[0], ir.FloatType())

    return types.float32(types.uint32), generate


@intrinsic
def bits_of(typing, number):
    """The 32 bits of a float32 number."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        return builder.bitcast(values[0], ir.IntType(32))

    return types.uint32(types.float32), generate


@intrinsic
def prefetch(typing, x, i):
    """Let element i be brought to the cache of the card."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        address = _address(context, builder, signature, values)
        kind = ir.FunctionType(ir.VoidType(), [address.type])
        builder.call(ir.InlineAsm(kind, "prefetch.L2 [$0];", "l", side_effect=True), [address])
        return context.get_dummy_value()

    return types.void(x, i), generate


@intrinsic
def arrive(typing, counters, i):
    """Add one to a counter, behind all that the thread wrote or knows of."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        _with_memory(builder, ir.VoidType(), _ARRIVE, "l", _address(context, builder, signature, values))
        return context.get_dummy_value()

    return types.void(counters, i), generate


@intrinsic
def wait_for(typing, counters, i, count):
    """Read a counter until it has reached a number; what others wrote before they counted is read behind that."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        address, count = _address(context, builder, signature, values), builder.trunc(values[2], _INDEX)
        begin, behind = builder.append_basic_block("waiting"), builder.append_basic_block("reached")
        builder.branch(begin)
        builder.position_at_end(begin)
        seen = _with_memory(builder, _INDEX, "ld.acquire.gpu.u32 $0, [$1];", "=r,l", address)
        builder.cbranch(builder.icmp_signed(">=", seen, count), behind, begin)
        builder.position_at_end(behind)
        return context.get_dummy_value()

    return types.void(counters, i, types.int64), generate


def _address(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
    """The address of an element; values: the array, the number."""
    first = _data(context, builder, signature.args[0], values[0])
    return builder.ptrtoint(builder.gep(first, [values[1]]), ir.IntType(64))


def _with_memory(builder: ir.IRBuilder, kind: ir.Type, text: str, constraint: str, value: ir.Value) -> ir.Value:
    """An instruction over which no access to memory may be moved."""
    assembly = ir.InlineAsm(ir.FunctionType(kind, [value.type]), text, f"{constraint},~{{memory}}", side_effect=True)
    return builder.call(assembly, [value])


@intrinsic
def anew(typing, number):
    """The same int32, which the compiler cannot see through."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        kind = ir.FunctionType(ir.IntType(32), [ir.IntType(32)])
        return builder.asm(kind, "mov.b32 $0, $1;", "=r,r", [values[0]], side_effect=True)

    return types.int32(types.int32), generate


@intrinsic
def power_of_two(typing, x):
    """2 to the power x, by the unit for special functions."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        kind = ir.FunctionType(ir.FloatType(), [ir.FloatType()])
        return builder.asm(kind, "ex2.approx.ftz.f32 $0, $1;", "=f,f", values, side_effect=False)

    return types.float32(types.float32), generate


@intrinsic
def keep_rolled(typing):
    """The loop whose body begins with this is not unrolled."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        builder.asm(ir.FunctionType(ir.VoidType(), []), ".pragma \\22nounroll\\22;", "", [], side_effect=True)
        return context.get_dummy_value()

    return types.void(), generate
