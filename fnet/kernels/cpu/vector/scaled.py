"""Numbers with an exponent of their own, for products of many probabilities: ``mantissa * 2^exponent``, both floats.

They neither underflow nor lose digits as logarithms of tiny probabilities do, and sums of them need no exponential.
A normalised mantissa is in [1, 2). A number whose exponent is about `NEVER` is zero, whatever its mantissa; NaN is a
NaN mantissa. In memory the exponents of an array lie `apart` elements behind its mantissas.

`ScaledVectors` writes the arithmetic as vector instructions, `ScaledArrays` does the same on NumPy arrays.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from fnet.kernels.cpu.vector.simd import Vectors

NEVER = np.float32(-1e30)  # the exponent of zero: sums and products of such numbers stay below POSSIBLE
POSSIBLE = np.float32(-1e29)


class Scaled(NamedTuple):
    """A vector of numbers."""

    mantissa: Any
    exponent: Any


class ScaledVectors:
    """Writes the arithmetic of scaled numbers at the builder's position."""

    def __init__(self, simd: Vectors) -> None:
        self.simd, self.builder = simd, simd.builder
        bits = 8 * simd.bytes
        self.integers = ir.VectorType(ir.IntType(bits), simd.lanes)
        self.digits, self.bias = (52, 1023) if bits == 64 else (23, 127)

    def load(self, address: ir.Value, apart: ir.Value) -> Scaled:
        return Scaled(self.simd.load(address), self.simd.load(self.simd.at(address, apart)))

    def load_one(self, address: ir.Value, apart: ir.Value) -> Scaled:
        """The number at the address, in every lane."""
        places = (address, self.simd.at(address, apart))
        one = [self.builder.load(place, align=self.simd.bytes, typ=self.simd.element) for place in places]
        return Scaled(*(self.simd.broadcast(value) for value in one))

    def store(self, number: Scaled, address: ir.Value, apart: ir.Value) -> None:
        self.simd.store(number.mantissa, address)
        self.simd.store(number.exponent, self.simd.at(address, apart))

    def times(self, a: Scaled, b: Scaled) -> Scaled:
        """The product, not normalised."""
        return Scaled(self.builder.fmul(a.mantissa, b.mantissa), self.builder.fadd(a.exponent, b.exponent))

    def times_power(self, a: Scaled, exponent: ir.Value) -> Scaled:
        """``a * 2^exponent``."""
        return Scaled(a.mantissa, self.builder.fadd(a.exponent, exponent))

    def plus(self, *terms: Scaled) -> Scaled:
        """The sum, not normalised; of mantissas below 2^100."""
        top = terms[0].exponent
        for term in terms[1:]:
            larger = self.builder.fcmp_ordered(">", top, term.exponent)
            top = self.builder.select(larger, top, term.exponent)
        total: Any = None
        for term in terms:
            power = self._power(self.builder.fsub(term.exponent, top))
            aligned = self.builder.fmul(term.mantissa, power) if total is None else None
            total = aligned if total is None else self.simd.multiply_add(term.mantissa, power, total)
        return Scaled(total, top)

    def normalised(self, number: Scaled) -> Scaled:
        """The same number with a mantissa in [1, 2)."""
        bits = self.builder.bitcast(number.mantissa, self.integers)
        field = self.builder.and_(bits, self._whole((2 * self.bias + 1) << self.digits))
        inverse = self.builder.sub(self._whole((2 * self.bias) << self.digits), field)
        mantissa = self.builder.fmul(number.mantissa, self.builder.bitcast(inverse, self.simd.type))
        power = self.builder.sitofp(self.builder.lshr(field, self._whole(self.digits)), self.simd.type)
        power = self.builder.fsub(power, self.simd.constant(self.bias))
        return Scaled(mantissa, self.builder.fadd(number.exponent, power))

    def value(self, number: Scaled) -> ir.Value:
        """The number as a float, for values up to about 1; tiny ones become 0."""
        return self.builder.fmul(number.mantissa, self._power(number.exponent))

    def _power(self, exponent: ir.Value) -> ir.Value:
        """``2^exponent`` for whole exponents up to the bias; 0 for those below -bias."""
        floor = self.simd.constant(-float(self.bias))
        exponent = self.builder.select(self.builder.fcmp_ordered(">", exponent, floor), exponent, floor)
        # Behind the point of this sum nothing is left, so its low bits are the biased exponent.
        shifted = self.builder.fadd(exponent, self.simd.constant(1.5 * 2.0**self.digits + self.bias))
        bits = self.builder.shl(self.builder.bitcast(shifted, self.integers), self._whole(self.digits))
        return self.builder.bitcast(bits, self.simd.type)

    def _whole(self, value: int) -> ir.Constant:
        return self.integers([value] * self.simd.lanes)


class ScaledArrays:
    """The arithmetic of `ScaledVectors` on NumPy arrays: `width` numbers from an address on."""

    def __init__(self, width: int) -> None:
        self.width = width

    def load(self, address: Any, apart: int) -> Scaled:
        return Scaled(address[: self.width].copy(), address[apart:][: self.width].copy())

    def load_one(self, address: Any, apart: int) -> Scaled:
        return Scaled(address[0], address[apart])

    def store(self, number: Scaled, address: Any, apart: int) -> None:
        address[: self.width], address[apart:][: self.width] = number

    def times(self, a: Scaled, b: Scaled) -> Scaled:
        return Scaled(a.mantissa * b.mantissa, a.exponent + b.exponent)

    def times_power(self, a: Scaled, exponent: Any) -> Scaled:
        return Scaled(a.mantissa, a.exponent + exponent)

    def plus(self, *terms: Scaled) -> Scaled:
        top = terms[0].exponent
        for term in terms[1:]:
            top = np.where(top > term.exponent, top, term.exponent)
        return Scaled(sum(term.mantissa * _power(term.exponent - top) for term in terms), top)

    def normalised(self, number: Scaled) -> Scaled:
        mantissa, power = np.frexp(number.mantissa)
        return Scaled(2 * mantissa, number.exponent + (power - 1).astype(mantissa.dtype))

    def value(self, number: Scaled) -> Any:
        return number.mantissa * _power(number.exponent)


def _power(exponent: Any) -> Any:
    whole = np.clip(np.nan_to_num(exponent, nan=-2000), -2000, 1000).astype(int)
    return np.ldexp(np.ones_like(exponent), whole)
