"""Loops over vectors from formulas: arithmetic, tanh and sigmoid lane by lane, written once as plain expressions.

``lanewise(formula, codes, outputs)`` is for loops with too many operands for LLVM to see that none overlaps another.
The formula gets `Lanes`, whose operators write vector instructions of the full width; without the JIT compiler it gets
NumPy arrays instead.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import config

from fnet.activation_codes import RELU, SIGMOID, TANH
from fnet.kernels.cpu.vector.exponential import exponential
from fnet.kernels.cpu.vector.simd import INT, Loop, Vectors, vector_code


def lanewise(formula: Callable[..., tuple[Any, ...]], codes: Sequence[int], outputs: str) -> Any:
    """Make ``loop(count, *codes, *inputs, *outputs)``, which applies `formula` to `count` elements.

    The formula takes a namespace of functions, a code for each of the usual ones in `codes`, and one vector for each
    input, and returns one vector for each name in `outputs`. Inputs and outputs are addresses of contiguous elements;
    an output may be an input. The usual codes have a loop of their own, in which they are known.
    """
    names = list(inspect.signature(formula).parameters)[1:]
    split = 1 + len(codes)

    def write(simd: Vectors, values: Sequence[ir.Value]) -> None:
        count, given, addresses = values[0], values[1:split], values[split:]
        inputs, targets = addresses[: len(names) - len(codes)], addresses[len(names) - len(codes) :]
        functions, builder, width = VectorMath(simd), simd.builder, INT(simd.lanes)

        def body(offset: ir.Value, mask: ir.Value | None, given: Sequence[Any]) -> None:
            vectors = [Lanes(simd, [simd.load(simd.at(address, offset), mask)]) for address in inputs]
            for result, target in zip(formula(functions, *given, *vectors), targets, strict=True):
                simd.store(result.values[0], simd.at(target, offset), mask)

        def usual() -> None:
            blocks = builder.sdiv(count, width)
            loop = Loop(builder, blocks, [])
            body(builder.mul(loop.index, width), None, codes)
            loop.close([])
            done = builder.mul(blocks, width)
            with builder.if_then(builder.icmp_signed("<", done, count)):
                body(done, simd.lanes_below(builder.sub(count, done)), codes)

        def other() -> None:
            loop = Loop(builder, builder.sdiv(builder.add(count, INT(simd.lanes - 1)), width), [])
            done = builder.mul(loop.index, width)
            body(done, simd.lanes_below(builder.sub(count, done)), given)
            loop.close([])

        if not codes:
            usual()
            return
        is_usual = ir.IntType(1)(1)
        for code, which in zip(given, codes, strict=True):
            is_usual = builder.and_(is_usual, builder.icmp_signed("==", code, INT(which)))
        with builder.if_else(is_usual) as (then, otherwise):
            with then:
                usual()
            with otherwise:
                other()

    def in_python(count: int, *values: Any) -> None:
        given, addresses = values[: len(codes)], values[len(codes) :]
        inputs, targets = addresses[: len(names) - len(codes)], addresses[len(names) - len(codes) :]
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
    """A vector in a formula, or several that go through the same steps; takes + - * / with vectors and numbers."""

    def __init__(self, simd: Vectors, values: Sequence[ir.Value]) -> None:
        self.simd, self.values = simd, values

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

    def __rtruediv__(self, other: Any) -> Lanes:
        return self._write("fdiv", other, self)

    __radd__, __rmul__ = __add__, __mul__

    def filled(self, number: float) -> Lanes:
        """As many vectors of this number."""
        return Lanes(self.simd, [self.simd.constant(float(number))] * len(self.values))

    def of(self, operand: Any) -> Sequence[ir.Value]:
        """The vectors of an operand, which may be a number."""
        return (operand if isinstance(operand, Lanes) else self.filled(operand)).values

    def _write(self, operation: str, *operands: Any) -> Lanes:
        write = getattr(self.simd.builder, operation)
        pairs = zip(*map(self.of, operands), strict=True)
        # "contract": a product that is added at once may be rounded together with the sum.
        return Lanes(self.simd, [write(*pair, flags=("contract",)) for pair in pairs])


class VectorMath:
    """The functions of formulas on `Lanes`; NaN gives NaN. Codes are the same for all lanes, and known or not."""

    def __init__(self, simd: Vectors) -> None:
        self.simd, self.builder = simd, simd.builder
        self.constants = exponential(simd)

    def zero(self) -> Lanes:
        return Lanes(self.simd, [self.simd.constant(0.0)])

    def activate(self, code: int | ir.Value, x: Lanes) -> Lanes:
        """The activation of this code; tanh and sigmoid keep their relative precision everywhere."""
        if code == TANH:
            return self._tanh(x)
        if code == SIGMOID:
            return self._sigmoid(x)
        return self._activate_any(code, x)

    def activate_each(self, code: int | ir.Value, *vectors: Lanes) -> list[Lanes]:
        """The activation of each of the vectors, a step of all in turn: none waits for its own last step."""
        values = [value for vector in vectors for value in vector.values]
        return [Lanes(self.simd, [value]) for value in self.activate(code, Lanes(self.simd, values)).values]

    def times_slope(self, g: Lanes, code: int | ir.Value, y: Lanes) -> Lanes:
        """`g` times the derivative of the activation of this code where its value is y."""
        if code == TANH:
            return g * (1.0 - y * y)
        if code == SIGMOID:
            return g * (y - y * y)
        slope = self._either(self._is(code, TANH), y.filled(1.0), y) - y * y
        return self._either(self._is_bounded(code), g * slope, self._rectified(code, g, y))

    def _tanh(self, x: Lanes) -> Lanes:
        """``(1 - e) / (1 + e)`` with ``e = e^-2|x|``, and the sign of x."""
        scale, q = self._exponential(self._at_most(-self.constants.lowest / 2, self._call("fabs", x)), -2)
        below = self._multiply_add(scale, q, scale - 1.0)
        return self._call("copysign", below, x) / self._multiply_add(scale, q, scale + 1.0)

    def _sigmoid(self, x: Lanes) -> Lanes:
        """``1 / (1 + e^-x)``."""
        lowest = self.constants.lowest
        scale, q = self._exponential(self._at_most(-lowest, self._at_least(lowest, x)), -1)
        return 1.0 / self._multiply_add(scale, q, scale + 1.0)

    def _activate_any(self, code: ir.Value, x: Lanes) -> Lanes:
        """The same for any code; here sigmoid is ``1 / (1 + e)`` with ``e = e^-|x|``, or e times that."""
        is_tanh = self._is(code, TANH)
        exponent = self._call("fabs", x) * self._either(is_tanh, x.filled(-2.0), x.filled(-1.0))
        scale, q = self._exponential(self._at_least(self.constants.lowest, exponent), 1)
        e, below = self._multiply_add(scale, q, scale), self._multiply_add(scale, q, scale - 1.0)
        of_sigmoid = self._choose(self._compare("<", x, 0.0), e, x.filled(1.0))
        bounded = self._either(is_tanh, self._call("copysign", below, x), of_sigmoid) / (e + 1.0)
        return self._either(self._is_bounded(code), bounded, self._rectified(code, x, x))

    def _rectified(self, code: ir.Value, x: Lanes, y: Lanes) -> Lanes:
        """`x`, or 0 where the code is that of relu and y <= 0."""
        is_relu = self.simd.broadcast(self._is(code, RELU))
        is_off = [self.builder.and_(low, is_relu) for low in self._compare("<=", y, 0.0)]
        return self._choose(is_off, x.filled(0.0), x)

    def _exponential(self, x: Lanes, factor: int) -> tuple[Lanes, Lanes]:
        """The power of 2 s and the q with ``s + s q = e^(factor x)``; the factor is 1, -1 or -2.

        With ``x = n log 2 / factor + r`` they are 2^n and ``r (factor + r p(r))``.
        """
        constants, builder, simd = self.constants, self.builder, self.simd
        shifted = self._multiply_add(x, factor * math.log2(math.e), constants.round)
        n = shifted - constants.round
        r = x
        for part in constants.ln2:
            r = self._multiply_add(n, -part / factor, r)
        terms = [term * factor ** (2 + k) for k, term in enumerate(constants.terms)]
        p = r.filled(terms[-1])
        for term in reversed(terms[:-1]):
            p = self._multiply_add(p, r, term)
        q = r * self._multiply_add(p, r, factor)
        bias, shift = (simd.integers([number] * simd.lanes) for number in (constants.bias, constants.mantissa))
        bits = [builder.shl(builder.add(builder.bitcast(value, bias.type), bias), shift) for value in shifted.values]
        return Lanes(simd, [builder.bitcast(value, simd.type) for value in bits]), q

    def _is(self, code: ir.Value, which: int) -> ir.Value:
        return self.builder.icmp_signed("==", code, INT(which))

    def _is_bounded(self, code: ir.Value) -> ir.Value:
        return self.builder.icmp_signed(">=", code, INT(TANH))

    def _compare(self, how: str, x: Lanes, y: float) -> list[ir.Value]:
        return [self.builder.fcmp_ordered(how, value, self.simd.constant(y)) for value in x.values]

    def _at_least(self, least: float, x: Lanes) -> Lanes:
        return self._choose(self._compare("<", x, least), x.filled(least), x)

    def _at_most(self, most: float, x: Lanes) -> Lanes:
        return self._choose(self._compare(">", x, most), x.filled(most), x)

    def _choose(self, conditions: Sequence[ir.Value], yes: Lanes, no: Lanes) -> Lanes:
        triples = zip(conditions, yes.values, no.values, strict=True)
        return Lanes(self.simd, [self.builder.select(*triple) for triple in triples])

    def _either(self, condition: ir.Value, yes: Lanes, no: Lanes) -> Lanes:
        return self._choose([condition] * len(yes.values), yes, no)

    def _multiply_add(self, a: Lanes, b: Any, c: Any) -> Lanes:
        triples = zip(a.values, a.of(b), a.of(c), strict=True)
        return Lanes(self.simd, [self.simd.multiply_add(*triple) for triple in triples])

    def _call(self, name: str, *operands: Lanes) -> Lanes:
        name = f"llvm.{name}.v{self.simd.lanes}f{self.simd.bytes * 8}"
        sets = zip(*(x.values for x in operands), strict=True)
        return Lanes(self.simd, [self.simd.call(name, self.simd.type, list(each)) for each in sets])


class ArrayMath:
    """The same functions on NumPy arrays."""

    @staticmethod
    def zero() -> float:
        return 0.0

    @classmethod
    def activate_each(cls, code: int, *vectors: np.ndarray) -> list[np.ndarray]:
        return [cls.activate(code, vector) for vector in vectors]

    @staticmethod
    def activate(code: int, x: np.ndarray) -> np.ndarray:
        if code == SIGMOID:
            e = np.exp(-np.abs(x))
            return np.where(x < 0, e, np.ones_like(e)) / (e + 1)
        return (x, np.maximum(x, 0), np.tanh(x))[code]

    @staticmethod
    def times_slope(g: np.ndarray, code: int, y: np.ndarray) -> np.ndarray:
        return (g, np.where(y <= 0, 0, g), g * (1 - y * y), g * (y - y * y))[code]
