"""Every elementwise operation: its NumPy reference, the domain on which it is smooth, what it does to integers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from fnet import ops
from fnet.testing import strategies

Domain = tuple[float, float]
HALVES = tuple(np.arange(-6, 7) / 2)


@dataclass(frozen=True)
class Op:
    """One row: `domains` has an interval for each operand, away from `kinks`.

    smooth: has derivatives; analytic: the reference takes complex numbers; floating: integers become floats;
    booleans: NumPy defines it on booleans, with a boolean result or a numeric one.
    """

    name: str
    function: Callable[..., Any]
    reference: Callable[..., Any]
    domains: tuple[Domain, ...] = ((-3, 3),)
    kinks: tuple[float, ...] = ()
    smooth: bool = True
    analytic: bool = False
    floating: bool = False
    booleans: bool = True

    @property
    def arity(self) -> int:
        return len(self.domains)

    def operands(self, shape: tuple[int, ...], dtype: Any = np.float64, seed: int = 0) -> list[np.ndarray]:
        """Random operands in the domains, away from the kinks."""
        rng = np.random.default_rng(seed)
        drawn = []
        for low, high in self.domains:
            x = rng.uniform(low, high, shape)
            for kink in self.kinks:
                x = np.where(np.abs(x - kink) < 0.05, kink + 0.1, x)
            drawn.append(np.asarray(x, dtype))
        return drawn

    def __str__(self) -> str:
        return self.name


def _analytic(name: str, reference: Any = None, low: float = -3, high: float = 3) -> Op:
    return Op(name, getattr(ops, name), reference or getattr(np, name), ((low, high),), analytic=True, floating=True)


def _step(name: str, reference: Any, kinks: tuple[float, ...]) -> Op:
    return Op(name, getattr(ops, name), reference, kinks=kinks)


def _test(name: str, arity: int = 1) -> Op:
    return Op(name, getattr(ops, name), getattr(np, name), ((-3, 3),) * arity, smooth=False)


TWO: tuple[Domain, ...] = ((-3, 3), (-3, 3))
OPS = [
    _analytic("exp"),
    _analytic("expm1"),
    _analytic("log", low=0.2),
    _analytic("log1p", low=-0.8),
    _analytic("log2", low=0.2),
    _analytic("log10", low=0.2),
    _analytic("sqrt", low=0.2),
    _analytic("sin"),
    _analytic("cos"),
    _analytic("tan", low=-1.2, high=1.2),
    _analytic("arctan"),
    Op("arcsin", ops.arcsin, np.arcsin, ((-0.9, 0.9),), floating=True),
    Op("arccos", ops.arccos, np.arccos, ((-0.9, 0.9),), floating=True),
    _analytic("arcsinh"),
    Op("arccosh", ops.arccosh, np.arccosh, ((1.2, 3),), floating=True),
    Op("arctanh", ops.arctanh, np.arctanh, ((-0.9, 0.9),), floating=True),
    Op("cbrt", ops.cbrt, np.cbrt, ((0.2, 3),), floating=True),
    Op("rsqrt", ops.rsqrt, lambda x: 1 / np.sqrt(x), ((0.2, 3),), floating=True),
    Op("erfc", ops.erfc, special.erfc, floating=True),
    Op("erfinv", ops.erfinv, special.erfinv, ((-0.95, 0.95),), floating=True),
    Op("hypot", ops.hypot, np.hypot, ((0.2, 3), (-3, 3)), floating=True),
    Op("arctan2", ops.arctan2, np.arctan2, ((0.2, 3), (-3, 3)), floating=True),
    Op("copysign", ops.copysign, np.copysign, TWO, kinks=(0.0,), floating=True),
    _analytic("sinh"),
    _analytic("cosh"),
    _analytic("tanh"),
    _analytic("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
    _analytic(
        "softplus", lambda x: np.log1p(np.exp(-abs(x))) + np.maximum(x, 0) if np.isrealobj(x) else np.log1p(np.exp(x))
    ),
    _analytic("erf", special.erf),
    _analytic("reciprocal", lambda x: 1 / x, low=0.3),
    Op("square", ops.square, np.square, analytic=True, booleans=False),
    Op("negative", ops.negative, np.negative, analytic=True, booleans=False),
    Op("relu", ops.relu, lambda x: np.maximum(x, 0), kinks=(0.0,), floating=True),
    Op("gelu", ops.gelu, lambda x: np.maximum(x, -1e4) * special.ndtr(x), floating=True),
    Op("leaky_relu", ops.leaky_relu, lambda x: np.where(x < 0, 0.2 * x, x), kinks=(0.0,)),
    Op("absolute", ops.absolute, np.absolute, kinks=(0.0,)),
    Op("sign", ops.sign, np.sign, kinks=(0.0,), booleans=False),
    _step("floor", np.floor, HALVES),
    _step("ceil", np.ceil, HALVES),
    _step("trunc", np.trunc, HALVES),
    _step("round", np.round, HALVES),
    _test("isnan"),
    _test("isinf"),
    _test("isfinite"),
    _test("logical_not"),
    Op("add", ops.add, np.add, TWO, analytic=True),
    Op("subtract", ops.subtract, np.subtract, TWO, analytic=True, booleans=False),
    Op("multiply", ops.multiply, np.multiply, TWO, analytic=True),
    Op("divide", ops.divide, np.divide, ((-3, 3), (0.3, 3)), analytic=True, floating=True),
    Op("power", ops.power, np.power, ((0.3, 3), (-2, 2)), analytic=True, booleans=False),
    Op("floor_divide", ops.floor_divide, np.floor_divide, ((0.1, 0.9), (1, 3)), booleans=False),
    Op("remainder", ops.remainder, np.remainder, ((2.1, 2.9), (1.1, 1.4)), booleans=False),
    Op("maximum", ops.maximum, np.maximum, TWO),
    Op("minimum", ops.minimum, np.minimum, TWO),
    Op("logaddexp", ops.logaddexp, np.logaddexp, TWO, floating=True),
    Op("squared_difference", ops.squared_difference, lambda a, b: (a - b) ** 2, TWO, analytic=True, booleans=False),
    Op("clip", ops.clip, np.clip, ((-3, 3), (-1, -0.5), (0.5, 1)), kinks=(-1, -0.5, 0.5, 1), booleans=False),
    Op("where", lambda c, a, b: ops.where(c > 0, a, b), lambda c, a, b: np.where(c > 0, a, b), ((-3, 3), *TWO)),
    *[_test(name, 2) for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")],
    _test("logical_and", 2),
    _test("logical_or", 2),
]
BY_NAME = {op.name: op for op in OPS}
SMOOTH = [op for op in OPS if op.smooth]
ANALYTIC = [op for op in OPS if op.analytic]


def close(got: Any, expected: Any, scale: float = 1.0) -> None:
    """Equal up to a few rounding errors of the dtype of `got`, NaN equal to NaN; dtype and shape must agree."""
    expected = np.asarray(expected)
    assert isinstance(got, np.ndarray)
    assert got.dtype == expected.dtype, f"dtype {got.dtype}, expected {expected.dtype}"
    assert got.shape == expected.shape, f"shape {got.shape}, expected {expected.shape}"
    tolerance = scale * {"float32": 2e-6, "float64": 1e-13}.get(got.dtype.name, 0)
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


def laid_out(x: np.ndarray, layout: Callable) -> np.ndarray:
    """`x` in another memory layout, with the same values."""
    moved = layout(x)
    assert moved.shape == x.shape and np.array_equal(moved, x, equal_nan=True)
    return moved


layouts = strategies.layouts
