"""Products that are added in one rounding where the processor can, and polynomials made of them.

They are written out rather than left to the compiler (the flag ``contract``), which fuses a product and a sum or not by
what stands around them: a function would give other bits in a chain than alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import config
from numba.extending import intrinsic


def _fused(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    name = f"llvm.fmuladd.{'f32' if isinstance(a.type, ir.FloatType) else 'f64'}"
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(a.type, [a.type] * 3), name)
    return builder.call(function, [a, b, c])


@intrinsic
def _multiply_add(typing, a, b, c):
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        return _fused(builder, *values)

    return a(a, a, a), generate


@intrinsic
def _polynomial(typing, x, coefficients):
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        x, terms = values
        value = builder.extract_value(terms, coefficients.count - 1)
        for k in reversed(range(coefficients.count - 1)):
            value = _fused(builder, value, x, builder.extract_value(terms, k))
        return value

    return x(x, types.UniTuple(x, coefficients.count)), generate


def _multiply_add_in_python(a: Any, b: Any, c: Any) -> Any:
    return a * b + c


def _polynomial_in_python(x: Any, coefficients: Sequence[Any]) -> Any:
    value = coefficients[-1]
    for term in coefficients[-2::-1]:
        value = value * x + term
    return value


# `multiply_add(a, b, c)` is ``a * b + c``; `polynomial(x, c)` is ``c[0] + c[1] x + c[2] x^2 + ...`` by Horner's rule.
multiply_add: Callable = _multiply_add_in_python if config.DISABLE_JIT else _multiply_add
polynomial: Callable = _polynomial_in_python if config.DISABLE_JIT else _polynomial
