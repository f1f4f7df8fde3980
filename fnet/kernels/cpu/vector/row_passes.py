"""Passes over one row of a matrix as explicit vector code: maxima, sums, exponentials.

The last vector of a row is masked, so that rows of ten elements cost one vector and rows of any length no scalar loop.
Every pass takes the address of the row and its length; lanes are added by halves, in an order that depends on nothing
but the length and the vector width. Without the JIT compiler a pass is a line of NumPy.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

from fnet.kernels.cpu.vector.exponential import exp
from fnet.kernels.cpu.vector.simd import INT, Loop, Vectors, vector_code

_CHAINS = 4  # of a sum, whose additions would wait for each other in one


def _row_pass(write: Callable[..., ir.Value | None], in_python: Callable[..., Any], returns: bool = True) -> Any:
    """A function of addresses, numbers of their element type and integers, written by `write`."""
    return vector_code(lambda simd, values: write(simd, *values), in_python, returns=returns)


def over_row(
    simd: Vectors, n: ir.Value, starts: list[ir.Value], body: Callable[..., list[ir.Value]], ways: int = 1
) -> list[list[ir.Value]]:
    """``values = body(offset, mask, values)`` for every vector of a row, the last one masked though it may be full.

    The vectors are dealt out to so many chains of values, which do not wait for each other; returns the last values.
    """
    builder, width, size = simd.builder, simd.lanes, len(starts)
    whole = builder.sdiv(builder.sub(n, INT(1)), INT(width))
    rounds = builder.sdiv(whole, INT(ways))
    loop = Loop(builder, rounds, starts * ways)
    first = builder.mul(loop.index, INT(ways * width))
    places = [builder.add(first, INT(way * width)) for way in range(ways)]
    chains = [body(place, None, loop.values[way * size : (way + 1) * size]) for way, place in enumerate(places)]
    loop.close([value for chain in chains for value in chain])
    values, *others = (loop.values[way * size : (way + 1) * size] for way in range(ways))
    done = builder.mul(rounds, INT(ways))
    if ways > 1:
        loop = Loop(builder, builder.sub(whole, done), values)
        loop.close(body(builder.mul(builder.add(done, loop.index), INT(width)), None, loop.values))
        values = loop.values
    last = builder.mul(whole, INT(width))
    return [body(last, simd.lanes_below(builder.sub(n, last)), values), *others]


def _folded(simd: Vectors, vectors: list[ir.Value], join: Callable[[ir.Value, ir.Value], ir.Value]) -> ir.Value:
    """The vectors of all chains joined, then their lanes, by halves."""
    total = functools.reduce(join, vectors)
    half = simd.lanes // 2
    while half:
        low, high = (ir.VectorType(ir.IntType(32), half)(list(range(at, at + half))) for at in (0, half))
        nothing = total.type(ir.Undefined)
        total = join(*(simd.builder.shuffle_vector(total, nothing, lanes) for lanes in (low, high)))
        half //= 2
    return simd.builder.extract_element(total, ir.IntType(32)(0))


def _sum(simd: Vectors, chains: list[list[ir.Value]]) -> ir.Value:
    return _folded(simd, [values[0] for values in chains], simd.builder.fadd)


def _or(simd: Vectors, mask: ir.Value | None, vector: ir.Value, other: float) -> ir.Value:
    """The vector, with another number in the lanes outside of the mask."""
    return vector if mask is None else simd.builder.select(mask, vector, simd.constant(other))


# ------------------------------------------------------------------------------------------------- the passes


def _write_max(simd: Vectors, x: ir.Value, n: ir.Value) -> ir.Value:
    lowest = float("-inf")

    def larger(a: ir.Value, b: ir.Value) -> ir.Value:
        return simd.builder.select(simd.builder.fcmp_ordered(">", a, b), a, b)

    def body(offset: ir.Value, mask: ir.Value | None, values: list[ir.Value]) -> list[ir.Value]:
        return [larger(_or(simd, mask, simd.load(simd.at(x, offset), mask), lowest), values[0])]

    chains = over_row(simd, n, [simd.constant(lowest)], body, _CHAINS)
    return _folded(simd, [values[0] for values in chains], larger)


def _write_sum(simd: Vectors, x: ir.Value, n: ir.Value) -> ir.Value:
    def body(offset: ir.Value, mask: ir.Value | None, values: list[ir.Value]) -> list[ir.Value]:
        return [simd.builder.fadd(values[0], simd.load(simd.at(x, offset), mask))]

    return _sum(simd, over_row(simd, n, [simd.constant(0.0)], body, _CHAINS))


def _write_dot(simd: Vectors, x: ir.Value, y: ir.Value, n: ir.Value) -> ir.Value:
    def body(offset: ir.Value, mask: ir.Value | None, values: list[ir.Value]) -> list[ir.Value]:
        a, b = (simd.load(simd.at(address, offset), mask) for address in (x, y))
        return [simd.multiply_add(a, b, values[0])]

    return _sum(simd, over_row(simd, n, [simd.constant(0.0)], body, _CHAINS))


def _write_target_dot(simd: Vectors, t: ir.Value, x: ir.Value, shift: ir.Value, n: ir.Value) -> ir.Value:
    shift, zero = simd.broadcast(shift), simd.constant(0.0)

    def body(offset: ir.Value, mask: ir.Value | None, values: list[ir.Value]) -> list[ir.Value]:
        weight = simd.load(simd.at(t, offset), mask)
        gap = simd.builder.fsub(simd.load(simd.at(x, offset), mask), shift)
        none = simd.builder.fcmp_ordered("==", weight, zero)
        return [simd.multiply_add(weight, simd.builder.select(none, zero, gap), values[0])]

    return _sum(simd, over_row(simd, n, [zero], body, _CHAINS))


def _write_exp(simd: Vectors, x: ir.Value, y: ir.Value | None, shift: ir.Value, n: ir.Value) -> ir.Value:
    shift = simd.broadcast(shift)

    def body(offset: ir.Value, mask: ir.Value | None, values: list[ir.Value]) -> list[ir.Value]:
        e = exp(simd, simd.builder.fsub(simd.load(simd.at(x, offset), mask), shift))
        if y is not None:
            simd.store(e, simd.at(y, offset), mask)
        return [simd.builder.fadd(values[0], _or(simd, mask, e, 0.0))]

    return _sum(simd, over_row(simd, n, [simd.constant(0.0)], body, _CHAINS))


def _mapped(formula: Callable[..., ir.Value]) -> Callable[..., None]:
    """A writer that stores ``formula(simd, vectors, numbers)`` over a row; addresses come first, the target last."""

    def write(simd: Vectors, *arguments: ir.Value) -> None:
        *given, n = arguments
        addresses = [a for a in given if isinstance(a.type, ir.PointerType)]
        numbers = [simd.broadcast(a) for a in given if not isinstance(a.type, ir.PointerType)]

        def body(offset: ir.Value, mask: ir.Value | None, values: list[ir.Value]) -> list[ir.Value]:
            vectors = [simd.load(simd.at(address, offset), mask) for address in addresses[:-1]]
            simd.store(formula(simd, vectors, numbers), simd.at(addresses[-1], offset), mask)
            return []

        over_row(simd, n, [], body)

    return write


def _scaled(simd: Vectors, vectors: Any, numbers: Any) -> ir.Value:
    return simd.builder.fmul(vectors[0], numbers[0])


def _lowered(simd: Vectors, vectors: Any, numbers: Any) -> ir.Value:
    return simd.builder.fsub(simd.builder.fsub(vectors[0], numbers[0]), numbers[1])


def _centered(simd: Vectors, vectors: Any, numbers: Any) -> ir.Value:
    return simd.builder.fmul(vectors[0], simd.builder.fsub(vectors[1], numbers[0]))


def _reduced(simd: Vectors, vectors: Any, numbers: Any) -> ir.Value:
    return simd.multiply_add(simd.builder.fneg(numbers[0]), vectors[0], vectors[1])


def _combined(simd: Vectors, vectors: Any, numbers: Any) -> ir.Value:
    product = simd.builder.fmul(vectors[1], numbers[1])
    return simd.builder.fsub(simd.builder.fmul(vectors[0], numbers[0]), product)


def _less_exp(simd: Vectors, vectors: Any, numbers: Any) -> ir.Value:
    product = simd.builder.fmul(exp(simd, vectors[0]), numbers[1])
    return simd.builder.fsub(simd.builder.fmul(vectors[1], numbers[0]), product)


def _exp_in_python(x, y, shift, n):
    y[:n] = np.exp(x[:n] - shift)
    return y[:n].sum()


def _set(target, value):
    target[: len(value)] = value


# max(x): NaN is passed over, -inf for nothing.
row_max = _row_pass(_write_max, lambda x, n: np.fmax.reduce(x[:n], initial=-np.inf))
row_total = _row_pass(_write_sum, lambda x, n: x[:n].sum())
row_dot = _row_pass(_write_dot, lambda x, y, n: (x[:n] * y[:n]).sum())
# The sum of t (x - shift), nothing where t = 0.
target_dot = _row_pass(
    _write_target_dot, lambda t, x, shift, n: (t[:n] * np.where(t[:n] == 0, 0, x[:n] - shift)).astype(x.dtype).sum()
)
# y = e^(x - shift), and its sum; or the sum alone.
exp_row = _row_pass(_write_exp, _exp_in_python)
exp_total = _row_pass(
    lambda simd, x, shift, n: _write_exp(simd, x, None, shift, n), lambda x, shift, n: np.exp(x[:n] - shift).sum()
)
# y = a x;  y = (x - a) - b;  y = p (g - a);  y = a p - b t;  y = a g - b e^p.
scale_row = _row_pass(_mapped(_scaled), lambda x, y, a, n: _set(y, x[:n] * a), returns=False)
lower_row = _row_pass(_mapped(_lowered), lambda x, y, a, b, n: _set(y, x[:n] - a - b), returns=False)
center_row = _row_pass(_mapped(_centered), lambda p, g, y, a, n: _set(y, p[:n] * (g[:n] - a)), returns=False)
combine_row = _row_pass(_mapped(_combined), lambda p, t, y, a, b, n: _set(y, a * p[:n] - b * t[:n]), returns=False)
less_exp_row = _row_pass(
    _mapped(_less_exp), lambda p, g, y, a, b, n: _set(y, a * g[:n] - b * np.exp(p[:n])), returns=False
)


def _write_reduced(simd: Vectors, x: ir.Value, y: ir.Value, a: ir.Value, n: ir.Value) -> None:
    _mapped(_reduced)(simd, x, y, y, a, n)


# y -= a x.
subtract_row = _row_pass(_write_reduced, lambda x, y, a, n: _set(y, y[:n] - a * x[:n]), returns=False)
