"""Checks of derivatives in float64: against differences, against each other, and against complex steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fnet import tree
from fnet.errors import DerivativeError, ValueRangeError
from fnet.transforms.jvp import jvp
from fnet.transforms.vjp import vjp

MODES = ("rev", "fwd")
STEP = float(np.finfo(np.float64).eps ** (1 / 3))  # balances rounding and truncation of a central difference
COMPLEX_STEP = 1e-20  # nothing is subtracted, so the step can be far below the precision
DUALITY = 1e-10  # both sides are the same sums in another order

Arrays = tuple[Any, ...]


def check_grads(
    f: Callable,
    *args: Any,
    order: int = 1,
    modes: Sequence[str] = MODES,
    seed: int = 0,
    rtol: float = 1e-6,
    atol: float = 1e-8,
) -> None:
    """Check the derivatives of `f` at `args`, in float64, along a random direction for each argument leaf.

    Forward: ``J v == (f(x + h v) - f(x - h v)) / 2h``; reverse: ``<J^T w, v> == <w, J v>``. With `order` 2 the
    derivatives themselves are checked the same way, reverse and forward over each of `modes`.

    args: trees; floating leaves are converted to float64, other leaves are held fixed. `f` returns a tree, must be
    differentiable around `args` (choose them away from kinks) and compute in the dtype of its arguments.
    Raises AssertionError with the path of the argument whose derivative is wrong; `atol` is relative to the largest
    value of `f` where that exceeds 1.

    >>> check_grads(lambda x: np.sum(np.sin(x) * x), np.array([1.0, 2.0]), order=2)
    """
    unknown = set(modes) - set(MODES)
    if unknown or not modes:
        raise ValueRangeError(f"modes must be some of {MODES}, received {tuple(modes)}.")
    values, structure = tree.flatten(args)
    varying = [i for i, x in enumerate(values) if _floating(x)]
    if not varying:
        raise DerivativeError("check_grads needs at least one floating-point argument, received none.")

    def of_floats(*floats: Any) -> tuple:
        full = list(values)
        for i, x in zip(varying, floats, strict=True):
            full[i] = x
        return tuple(y for y in tree.leaves(f(*tree.unflatten(structure, full))) if _floating(y))

    paths = [structure.paths()[i] for i in varying]
    checker = _Checker(paths, tuple(modes), np.random.default_rng(seed), rtol, atol)
    checker.check(of_floats, tuple(_double(values[i]) for i in varying), order, "f")


def check_complex_step(
    f: Callable, reference: Callable, *args: Any, seed: int = 0, rtol: float = 1e-10, atol: float = 1e-12
) -> None:
    """Check the first derivatives of `f` against ``J v = imag(reference(x + i h v)) / h`` with ``h = 1e-20``.

    `reference` is the same function in plain NumPy, analytic and fit for complex arguments; there is no difference
    of close numbers, so the test is sharp to the last digits. Both modes are tested, in float64.
    args: arrays. Raises AssertionError.

    >>> from fnet import ops
    >>> check_complex_step(ops.tanh, np.tanh, np.array([0.5, -2.0]))
    """
    rng = np.random.default_rng(seed)
    primals = tuple(_double(x) for x in args)
    directions = tuple(rng.normal(size=x.shape) for x in primals)
    expected = np.imag(reference(*(x + 1j * COMPLEX_STEP * v for x, v in zip(primals, directions, strict=True))))
    expected = expected / COMPLEX_STEP
    _, tangent = jvp(f, primals, directions)
    np.testing.assert_allclose(tangent, expected, rtol, atol, err_msg="forward derivative against the complex step")
    value, pull = vjp(f, *primals)
    w = rng.normal(size=np.shape(value))
    pulled = sum(np.vdot(g, v) for g, v in zip(pull(w), directions, strict=True))
    # the projection may cancel: the tolerance is relative to its terms
    scale = float(np.sum(np.abs(w * expected)))
    np.testing.assert_allclose(
        pulled, np.vdot(w, expected), rtol, atol + rtol * scale, err_msg="reverse derivative against the complex step"
    )


class _Checker:
    """The settings of one `check_grads`; functions take and return flat tuples of floating arrays here."""

    def __init__(
        self, paths: list[str], modes: tuple[str, ...], rng: np.random.Generator, rtol: float, atol: float
    ) -> None:
        self.paths, self.modes, self.rng, self.rtol, self.atol = paths, modes, rng, rtol, atol

    def check(self, f: Callable, args: Arrays, order: int, name: str) -> None:
        """`name` says in messages which function `f` is: the user's, or a derivative of it."""
        value = f(*args)
        weights = self._normal(value)
        scale = max([1.0, *(float(np.max(np.abs(y), initial=0)) for y in value)])
        for i, path in enumerate(self.paths):
            zeros = [np.zeros(x.shape) for x in args]
            v = self.rng.normal(size=args[i].shape)
            direction = (*zeros[:i], v, *zeros[i + 1 :])
            where = f"of {name} in argument '{path}'"
            numeric = _difference(f, args, direction)
            if not all(np.all(np.isfinite(t)) for t in numeric):
                raise AssertionError(f"derivative {where}: {name} is not finite around the arguments.")
            tangent = jvp(f, args, direction)[1] if "fwd" in self.modes else None
            for got, expected in zip(tangent or (), numeric if tangent else (), strict=True):
                self._compare(got, expected, scale, f"forward derivative {where} against the central difference")
            if "rev" in self.modes:
                self._check_reverse(_pulled(f, args, weights)[i], v, weights, numeric, tangent, scale, where)
        if order > 1:
            self._check_derivatives(f, args, weights, order - 1, name)

    def _check_reverse(
        self, pulled: Any, v: Any, weights: Arrays, numeric: Arrays, tangent: Any, scale: float, where: str
    ) -> None:
        """Both sides of ``<J^T w, v> == <w, J v>``, whose terms may cancel: tolerances follow the terms."""
        if np.shape(pulled) != v.shape:
            raise AssertionError(f"reverse derivative {where}: shape {np.shape(pulled)}, expected {v.shape}.")
        got = float(np.sum(pulled * v))
        expected, size = _inner(weights, numeric)
        size = max(scale, size, float(np.sum(np.abs(pulled * v))))
        self._compare(got, expected, size, f"reverse derivative {where} against the central difference")
        if tangent is not None and not abs(got - _inner(weights, tangent)[0]) <= DUALITY * size:
            raise AssertionError(
                f"derivative {where}: the modes disagree, reverse gives {got!r}, "
                f"forward {_inner(weights, tangent)[0]!r}."
            )

    def _compare(self, got: Any, expected: Any, scale: float, what: str) -> None:
        np.testing.assert_allclose(got, expected, self.rtol, self.atol * scale, err_msg=what)

    def _check_derivatives(self, f: Callable, args: Arrays, weights: Arrays, order: int, name: str) -> None:
        if "rev" in self.modes:
            self.check(lambda *x: _pulled(f, x, weights), args, order, f"the reverse derivative of {name}")
        if "fwd" in self.modes:
            direction = self._normal(args)
            self.check(lambda *x: jvp(f, x, direction)[1], args, order, f"the forward derivative of {name}")

    def _normal(self, like: Arrays) -> Arrays:
        return tuple(self.rng.normal(size=np.shape(x)) for x in like)


def _pulled(f: Callable, args: Arrays, weights: Arrays) -> Arrays:
    return vjp(f, *args)[1](weights)


def _inner(a: Arrays, b: Arrays) -> tuple[float, float]:
    """The inner product, and the sum of its absolute terms."""
    terms = [x * np.asarray(y) for x, y in zip(a, b, strict=True)]
    return float(sum(np.sum(t) for t in terms)), float(sum(np.sum(np.abs(t)) for t in terms))


def _difference(f: Callable, args: Arrays, direction: Arrays) -> Arrays:
    ahead, behind = (f(*(x + h * v for x, v in zip(args, direction, strict=True))) for h in (STEP, -STEP))
    return tuple((a - b) / (2 * STEP) for a, b in zip(ahead, behind, strict=True))


def _floating(x: Any) -> bool:
    return np.dtype(getattr(x, "dtype", type(x))).kind == "f"


def _double(x: Any) -> Any:
    return np.asarray(x, np.float64)
