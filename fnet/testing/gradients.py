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
    _Checker(tuple(modes), np.random.default_rng(seed), rtol, atol).check(f, tree.map(_double, args), order, "f")


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
    """The settings of one `check_grads`; `name` in its methods says which function is being checked."""

    def __init__(self, modes: tuple[str, ...], rng: np.random.Generator, rtol: float, atol: float) -> None:
        self.modes, self.rng, self.rtol, self.atol = modes, rng, rtol, atol

    def check(self, f: Callable, args: tuple, order: int, name: str) -> None:
        leaves = tree.leaves_with_path(args)
        varying = [i for i, (_, x) in enumerate(leaves) if _floating(x)]
        if not varying:
            raise DerivativeError("check_grads needs at least one floating-point argument, received none.")
        value = f(*args)
        cotangent = tree.map(lambda y: self.rng.normal(size=np.shape(y)) if _floating(y) else None, value)
        for i in varying:
            self._check_leaf(f, args, i, leaves[i][0], value, cotangent, name)
        if order > 1:
            self._check_derivatives(f, args, cotangent, order - 1, name)

    def _check_leaf(
        self, f: Callable, args: tuple, position: int, path: str, value: Any, cotangent: Any, name: str
    ) -> None:
        where = f"of {name} in argument '{path}'"
        direction = self._direction(args, position)
        numeric = _difference(f, args, direction)
        scale = max([1.0, *(float(np.max(np.abs(y), initial=0)) for y in _floats(value))])
        if not all(np.all(np.isfinite(y)) for y in numeric):
            raise AssertionError(f"derivative {where}: {name} is not finite around the arguments.")
        if "fwd" in self.modes:
            _, tangent = jvp(f, args, direction)
            forward = [np.asarray(t) for t, y in zip(tree.leaves(tangent), tree.leaves(value), strict=True) if _floating(y)]
            for got, expected in zip(forward, numeric, strict=True):
                self._compare(got, expected, scale, f"forward derivative {where} against the central difference")
        if "rev" in self.modes:
            weights = [np.asarray(w) for w in tree.leaves(cotangent)]
            pulled = tree.leaves(_pulled(f, args, cotangent), is_leaf=lambda x: x is None)[position]
            v = tree.leaves(direction, is_leaf=lambda x: x is None)[position]
            if np.shape(pulled) != np.shape(v):
                raise AssertionError(f"reverse derivative {where}: shape {np.shape(pulled)}, expected {np.shape(v)}.")
            got = np.vdot(pulled, v)
            terms = np.concatenate([np.ravel(w * t) for w, t in zip(weights, numeric, strict=True)])
            size = max(scale, float(np.sum(np.abs(terms))))
            self._compare(got, terms.sum(), size, f"reverse derivative {where} against the central difference")
            if "fwd" in self.modes:
                dual = sum(float(np.vdot(w, t)) for w, t in zip(weights, forward, strict=True))
                if abs(got - dual) > DUALITY * max(size, float(np.sum(np.abs(pulled * v)))):
                    raise AssertionError(f"derivative {where}: reverse {got!r} and forward {dual!r} modes disagree.")

    def _compare(self, got: Any, expected: Any, scale: float, what: str) -> None:
        np.testing.assert_allclose(got, expected, self.rtol, self.atol * scale, err_msg=what)

    def _check_derivatives(self, f: Callable, args: tuple, cotangent: Any, order: int, name: str) -> None:
        if "rev" in self.modes:
            self.check(lambda *x: _pulled(f, x, cotangent), args, order, f"the reverse derivative of {name}")
        if "fwd" in self.modes:
            direction = self._direction(args, None)
            self.check(lambda *x: jvp(f, x, direction)[1], args, order, f"the forward derivative of {name}")

    def _direction(self, args: tuple, position: int | None) -> Any:
        """A random tangent for the leaf at `position` (for all leaves if None), zeros for the others."""
        count = iter(range(len(tree.leaves(args))))

        def draw(x: Any) -> Any:
            here = next(count)
            if not _floating(x):
                return None
            return self.rng.normal(size=np.shape(x)) if position in (None, here) else np.zeros(np.shape(x))

        return tree.map(draw, args)


def _pulled(f: Callable, args: tuple, cotangent: Any) -> Any:
    return vjp(f, *args)[1](cotangent)


def _difference(f: Callable, args: tuple, direction: Any) -> list[np.ndarray]:
    """Central differences of the floating results of `f`."""
    none = {"is_leaf": lambda x: x is None}
    moves = tree.leaves(direction, **none)

    def at(step: float) -> list[np.ndarray]:
        values, structure = tree.flatten(args)
        moved = [x if v is None else x + step * v for x, v in zip(values, moves, strict=True)]
        return _floats(f(*tree.unflatten(structure, moved)))

    return [(a - b) / (2 * STEP) for a, b in zip(at(STEP), at(-STEP), strict=True)]


def _floats(value: Any) -> list[np.ndarray]:
    return [np.asarray(y) for y in tree.leaves(value) if _floating(y)]


def _floating(x: Any) -> bool:
    return np.dtype(getattr(x, "dtype", type(x))).kind == "f"


def _double(x: Any) -> Any:
    return np.asarray(x, np.float64) if _floating(x) else x
