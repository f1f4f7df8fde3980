"""The CPU's instruction for `multiply_add` (`fnet.kernels.scalar.instructions`), and polynomials made of it."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


def _fused(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    name = f"llvm.fmuladd.{'f32' if isinstance(a.type, ir.FloatType) else 'f64'}"
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(a.type, [a.type] * 3), name)
    return builder.call(function, [a, b, c])


@intrinsic
def multiply_add(typing, a, b, c):
    """``a * b + c``."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        return _fused(builder, *values)

    return a(a, a, a), generate


@intrinsic
def polynomial(typing, x, coefficients):
    """``c[0] + c[1] x + c[2] x^2 + ...`` by Horner's rule; c: a tuple."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        x, terms = values
        value = builder.extract_value(terms, coefficients.count - 1)
        for k in reversed(range(coefficients.count - 1)):
            value = _fused(builder, value, x, builder.extract_value(terms, k))
        return value

    return x(x, types.UniTuple(x, coefficients.count)), generate
