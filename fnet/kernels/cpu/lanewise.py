"""Loops over vectors from formulas: arithmetic, tanh and sigmoid lane by lane, written once as plain expressions.

``lanewise(formula, outputs)`` is for loops with too many operands for LLVM to see that none overlaps another. The
formula gets `Lanes`, whose operators write vector instructions of the full width; without the JIT compiler it gets
NumPy arrays instead.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import config

from fnet.kernels.cpu.simd import INT, Loop, Vectors, vector_code
from fnet.kernels.transcendental import EXP_TERMS, EXP_TERMS_64

LINEAR, RELU, TANH, SIGMOID = 0, 1, 2, 3  # the codes of activations


def lanewise(formula: Callable[..., tuple[Any, ...]], codes: int, outputs: str) -> Any:
    """Make ``loop(count, *codes, *inputs, *outputs)``, which applies `formula` to `count` elements.

    The formula takes a namespace of functions, `codes` integers and one vector for each input, and returns one vector
    for each name in `outputs`. Inputs and outputs are addresses of contiguous elements; an output may be an input.
    """
    names = list(inspect.signature(formula).parameters)[1:]
    split = 1 + codes

    def write(simd: Vectors, values: Sequence[ir.Value]) -> None:
        count, given, addresses = values[0], values[1:split], values[split:]
        inputs, targets = addresses[: len(names) - codes], addresses[len(names) - codes :]
        functions = VectorMath(simd)

        def body(offset: ir.Value, mask: ir.Value | None) -> None:
            vectors = [Lanes(simd, simd.load(simd.at(address, offset), mask)) for address in inputs]
            for result, target in zip(formula(functions, *given, *vectors), targets, strict=True):
                simd.store(result.value, simd.at(target, offset), mask)

        builder, width = simd.builder, INT(simd.lanes)
        blocks = builder.sdiv(count, width)
        loop = Loop(builder, blocks, [])
        body(builder.mul(loop.index, width), None)
        loop.close([])
        done = builder.mul(blocks, width)
        with builder.if_then(builder.icmp_signed("<", done, count)):
            body(done, simd.lanes_below(builder.sub(count, done)))

    def in_python(count: int, *values: Any) -> None:
        given, addresses = values[:codes], values[codes:]
        inputs, targets = addresses[: len(names) - codes], addresses[len(names) - codes :]
        results = formula(ArrayMath, *given, *(array[:count].copy() for array in inputs))
        for result, target in zip(results, targets, strict=True):
            target[:count] = result

    if not config.DISABLE_JIT:
        parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names]
        made = [inspect.Parameter(f"to_{name}", inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in outputs.split()]
        first = inspect.Parameter("count", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        in_python.__signature__ = inspect.Signature([first, *parameters, *made])  # type: ignore[attr-defined]
    return vector_code(write, in_python)


class Lanes:
    """A vector in a formula; takes + - * / with vectors and Python numbers."""

    def __init__(self, simd: Vectors, value: ir.Value) -> None:
        self.simd, self.value = simd, value

    def __add__(self, other: Any) -> Lanes:
        return self._write("fadd", self, other)

    def __sub__(self, other: Any) -> Lanes:
        return self._write("fsub", self, other)

    def __rsub__(self, other: Any) -> Lanes:
        return self._write("fsub", other, self)

    def __mul__(self, other: Any) -> Lanes:
        return self._write("fmul", self, other)

    def __truediv__(self, other: Any) -> Lanes:
        return self._write("fdiv", self, other)

    __radd__, __rmul__ = __add__, __mul__

    def _write(self, operation: str, *operands: Any) -> Lanes:
        values = [x.value if isinstance(x, Lanes) else self.simd.constant(float(x)) for x in operands]
        # "contract": a product that is added at once may be rounded together with the sum.
        return Lanes(self.simd, getattr(self.simd.builder, operation)(*values, flags=("contract",)))


@dataclass(frozen=True)
class _Exponential:
    """What ``e^x = 2^n (1 + r + r^2 p(r))`` needs, with x = n log 2 + r and n rounded by adding 1.5 * 2^mantissa."""

    log2: tuple[float, float]  # in two parts: n times the first is exact
    terms: tuple[Any, ...]
    mantissa: int
    bias: int
    lowest: float  # 2^n is a normal number from here on


_SINGLE = _Exponential((0.693359375, -2.12194440e-4), EXP_TERMS, 23, 127, -87.0)
_DOUBLE = _Exponential((0.693145751953125, 1.42860682030941723212e-6), EXP_TERMS_64, 52, 1023, -708.0)


class VectorMath:
    """The functions of formulas on `Lanes`; NaN gives NaN. Codes are the same for all lanes."""

    def __init__(self, simd: Vectors) -> None:
        self.simd, self.builder = simd, simd.builder
        self.constants = _SINGLE if simd.bytes == 4 else _DOUBLE

    def zero(self) -> Lanes:
        return self._constant(0.0)

    def activate(self, code: ir.Value, x: Lanes) -> Lanes:
        """The activation of this code.

        tanh is ``(1 - e) / (1 + e)`` with ``e = e^-2|x|`` and the sign of x; sigmoid is ``1 / (1 + e)`` with
        ``e = e^-|x|``, or ``e / (1 + e)`` for x < 0. Both keep their relative precision everywhere.
        """
        is_tanh = self._is(code, TANH)
        exponent = self._call("fabs", x) * self._choose(is_tanh, self._constant(-2.0), self._constant(-1.0))
        e, e_minus_1 = self._exponential(exponent)
        of_sigmoid = self._choose(self._compare("<", x, 0.0), e, self._constant(1.0))
        bounded = self._choose(is_tanh, self._call("copysign", e_minus_1, x), of_sigmoid) / (e + 1.0)
        return self._choose(self._is_bounded(code), bounded, self._rectified(code, x, x))

    def times_slope(self, g: Lanes, code: ir.Value, y: Lanes) -> Lanes:
        """`g` times the derivative of the activation of this code where its value is y."""
        slope = self._choose(self._is(code, TANH), self._constant(1.0), y) - y * y
        return self._choose(self._is_bounded(code), g * slope, self._rectified(code, g, y))

    def _rectified(self, code: ir.Value, x: Lanes, y: Lanes) -> Lanes:
        """`x`, or 0 where the code is that of relu and y <= 0."""
        is_off = self.builder.and_(self._compare("<=", y, 0.0), self.simd.broadcast(self._is(code, RELU)))
        return self._choose(is_off, self._constant(0.0), x)

    def _exponential(self, x: Lanes) -> tuple[Lanes, Lanes]:
        """``e^x`` and ``e^x - 1`` for x <= 0."""
        constants, builder = self.constants, self.builder
        x = self._choose(self._compare("<", x, constants.lowest), self._constant(constants.lowest), x)
        rounder = 1.5 * 2**constants.mantissa
        shifted = x * math.log2(math.e) + rounder
        n = shifted - rounder
        r = x - n * constants.log2[0] - n * constants.log2[1]
        p = self._constant(constants.terms[-1])
        for term in reversed(constants.terms[:-1]):
            p = p * r + term
        q = r * r * p + r
        integers = self.simd.integers
        bits = builder.add(builder.bitcast(shifted.value, integers), integers([constants.bias] * self.simd.lanes))
        bits = builder.shl(bits, integers([constants.mantissa] * self.simd.lanes))
        scale = Lanes(self.simd, builder.bitcast(bits, self.simd.type))
        return scale * q + scale, scale * q + (scale - 1.0)

    def _is(self, code: ir.Value, which: int) -> ir.Value:
        return self.builder.icmp_signed("==", code, INT(which))

    def _is_bounded(self, code: ir.Value) -> ir.Value:
        return self.builder.icmp_signed(">=", code, INT(TANH))

    def _compare(self, how: str, x: Lanes, y: float) -> ir.Value:
        return self.builder.fcmp_ordered(how, x.value, self.simd.constant(y))

    def _choose(self, condition: ir.Value, yes: Lanes, no: Lanes) -> Lanes:
        return Lanes(self.simd, self.builder.select(condition, yes.value, no.value))

    def _constant(self, value: float) -> Lanes:
        return Lanes(self.simd, self.simd.constant(value))

    def _call(self, name: str, *operands: Lanes) -> Lanes:
        name = f"llvm.{name}.v{self.simd.lanes}f{self.simd.bytes * 8}"
        return Lanes(self.simd, self.simd.call(name, self.simd.type, [x.value for x in operands]))


class ArrayMath:
    """The same functions on NumPy arrays."""

    @staticmethod
    def zero() -> float:
        return 0.0

    @staticmethod
    def activate(code: int, x: np.ndarray) -> np.ndarray:
        if code == SIGMOID:
            e = np.exp(-np.abs(x))
            return np.where(x < 0, e, np.ones_like(e)) / (e + 1)
        return (x, np.maximum(x, 0), np.tanh(x))[code]

    @staticmethod
    def times_slope(g: np.ndarray, code: int, y: np.ndarray) -> np.ndarray:
        return (g, np.where(y <= 0, 0, g), g * (1 - y * y), g * (y - y * y))[code]
