"""The exponential in vectors, with the constants that scalars use.

What calls it knows the range of its numbers, so these forms do less than `fnet.kernels.scalar.exponential.exp`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from llvmlite import ir

from fnet.kernels.cpu.vector.simd import Vectors
from fnet.kernels.scalar.constants import BIAS, EXP_TERMS, LN2_HIGH, LN2_LOW, MANTISSA, ROUND


@dataclass(frozen=True)
class Exponential:
    """What ``e^x = 2^n (1 + r + r^2 p(r))`` needs, with x = n log 2 + r."""

    ln2: tuple[float, float]  # in two parts: n times the first is exact
    round: float  # adding it rounds to n, which its low bits then hold
    terms: tuple[float, ...]
    mantissa: int
    bias: int
    lowest: float  # 2^n is a normal number from here on, and its inverse, too


def _of_type(kind: str, lowest: float) -> Exponential:
    ln2, terms = (float(LN2_HIGH[kind]), float(LN2_LOW[kind])), tuple(map(float, EXP_TERMS[kind]))
    return Exponential(ln2, float(ROUND[kind]), terms, int(MANTISSA[kind]), int(BIAS[kind]), lowest)


_SINGLE, _DOUBLE = _of_type("f32", -87.0), _of_type("f64", -708.0)


def exponential(simd: Vectors) -> Exponential:
    """The constants for the elements of these vectors."""
    return _SINGLE if simd.bytes == 4 else _DOUBLE


def exp(simd: Vectors, x: ir.Value) -> ir.Value:
    """e^x for x <= 0 (or hardly above); NaN for NaN and +inf, 0 where it is not a normal number."""
    builder, of = simd.builder, exponential(simd)
    magic = simd.constant(of.round)
    shifted = simd.multiply_add(x, simd.constant(math.log2(math.e)), magic)
    n = builder.fsub(shifted, magic)
    r = simd.multiply_add(n, simd.constant(-of.ln2[0]), x)
    r = simd.multiply_add(n, simd.constant(-of.ln2[1]), r)
    p = simd.constant(of.terms[-1])
    for term in [*reversed(of.terms[:-1]), 1.0, 1.0]:
        p = simd.multiply_add(p, r, simd.constant(term))
    bits = builder.add(builder.bitcast(shifted, simd.integers), simd.integers([of.bias] * simd.lanes))
    scale = builder.bitcast(builder.shl(bits, simd.integers([of.mantissa] * simd.lanes)), simd.type)
    small = builder.fcmp_ordered("<", x, simd.constant(of.lowest))
    return builder.select(small, simd.constant(0.0), builder.fmul(p, scale))


def exp2(simd: Vectors, x: ir.Value) -> ir.Value:
    """``2^x`` for x below the largest exponent: 0 below the smallest normal one, NaN for NaN."""
    builder, of = simd.builder, exponential(simd)
    # Adding this rounds to an integer n and leaves n + bias in the low bits, which only need to be moved up.
    magic = simd.constant(of.round + of.bias)
    shifted = builder.fadd(x, magic)
    rest = builder.fsub(x, builder.fsub(shifted, magic))
    power = builder.shl(builder.bitcast(shifted, simd.integers), simd.integers([of.mantissa] * simd.lanes))
    # exp(r log 2) by the polynomial of exp.
    terms = [factor * math.log(2) ** order for order, factor in enumerate((1.0, 1.0, *of.terms))]
    result = simd.constant(terms[-1])
    for term in reversed(terms[:-1]):
        result = simd.multiply_add(result, rest, simd.constant(term))
    result = builder.fmul(result, builder.bitcast(power, simd.type))
    tiny = builder.fcmp_ordered("<", x, simd.constant(1.0 - of.bias))
    return builder.select(tiny, simd.constant(0.0), result)
