"""Levenberg and Marquardt's least squares: between Gauss and Newton's step and a short one along the gradient."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from fnet.arguments import number
from fnet.ops.arithmetic import where
from fnet.ops.positive_systems import solve_positive
from fnet.ops.summation import sum
from fnet.optimizers.second_order.conjugate_gradients import truncated
from fnet.optimizers.second_order.minimizer import (
    LEAST_SQUARES,
    LeastSquares,
    StepInfo,
    as_kind,
    finite,
    least_squares_method,
    promise,
    report,
    resume,
    rounding,
    start,
)
from fnet.optimizers.second_order.normal_equations import FORCING, check_solver, is_dense, normal_matrix
from fnet.optimizers.second_order.objective import FlatResiduals, Point, Residuals, dot, largest
from fnet.transforms.jit import jit

MOST_TRIALS = 50  # of the damping in one step
SMALLEST = 1e-8  # damping that growth begins from
DECREASE = 1e-2  # of a damping that hides what the model promises
GROWTH = 2.0  # of the damping when the first trial of a step is refused; it doubles with every other


class LevenbergMarquardtState(NamedTuple):
    """The point, the damping for the next step, and the scaling D: (n,)."""

    point: Point
    damping: float
    scaling: np.ndarray


@LEAST_SQUARES.named()
@least_squares_method
def levenberg_marquardt(damping: float = 1e-3, solver: str = "auto") -> LeastSquares:
    """``x <- x - (J^T J + c D)^-1 J^T r`` minimises ``r . r / 2`` of residuals r(x): (m,) with the Jacobian J: (m, n).

    D is the diagonal of ``J^T J``, the largest seen so far, so units of parameters do not matter; with solver "cg" it
    is the largest ``|J g|^2 / |g|^2`` seen so far times the identity, so units of the residuals do not matter. c begins
    with `damping`. While a step does not decrease the value, it is refused and c grows by 2, 4, 8...; when the value
    decreases by the part q of what the linear model promises, c shrinks by ``max(1/3, 1 - (2 q - 1)^3)``.
    solver: as in `gauss_newton`. Raises `ValueRangeError`.
    Source: Levenberg 1944, Marquardt 1963; Moré 1978 on D, Nielsen 1999 on c.

    >>> import numpy as np
    >>> import fnet
    >>> t = np.linspace(0.0, 2.0, 9)
    >>> def residuals(p):
    ...     return p["a"] * np.exp(p["b"] * t) - 3.0 * np.exp(-1.5 * t)
    >>> fit = fnet.least_squares(residuals, {"a": np.ones(()), "b": np.zeros(())})
    >>> fit.converged, round(float(fit.params["a"]), 6), round(float(fit.params["b"]), 6)
    (True, 3.0, -1.5)
    """
    number("levenberg_marquardt", "damping", damping, "[0, inf)", says="expected {argument} >= 0")
    check_solver("levenberg_marquardt", solver)

    def init(f: Any, params: Any) -> LevenbergMarquardtState:
        point = start(f, params, Residuals)
        return LevenbergMarquardtState(point, damping, np.zeros_like(point.x))

    def step(f: Any, params: Any, state: LevenbergMarquardtState) -> tuple[Any, LevenbergMarquardtState, StepInfo]:
        x, flat = as_kind(f, Residuals).at(params)
        point, evaluations = resume(flat, x, state.point)
        model: _Dense | _Products
        model = (_Dense if is_dense(solver, x.size) else _Products)(flat, point, state.scaling)
        new, shift, trials, promised = _trials(flat, point, model, state.damping)
        counts = {"evaluations": evaluations + trials, "products": model.products, "promised": promised}
        info = report(new or point, 0.0 if new is None else 1.0, damping=shift, **counts)
        state = LevenbergMarquardtState(new or point, shift, model.scaling)
        return (params if new is None else flat.unravel(new.x.copy())), state, info

    return LeastSquares(init, step)


class _Dense:
    """The linear model at a point by its matrix ``A = J^T J``."""

    def __init__(self, flat: FlatResiduals, point: Point, scaling: np.ndarray) -> None:
        self._matrix, self._gradient = normal_matrix(flat, point.x), point.gradient
        self.scaling = np.maximum(scaling, np.diagonal(self._matrix))
        self.products = point.x.size

    def step(self, shift: float) -> tuple[np.ndarray, float]:
        """The step with this damping, and the decrease that the model promises; NaN where the matrix is singular."""
        move, promised = _damped(self._matrix, self._gradient, self.scaling, np.asarray(shift, self._gradient.dtype))
        return move, float(promised)


class _Products:
    """The linear model at a point by products with ``A = J^T J``; D is a multiple of the identity."""

    def __init__(self, flat: FlatResiduals, point: Point, scaling: np.ndarray) -> None:
        self._product, self._point = partial(flat.product, point.x), point
        size = largest(point.gradient)
        unit = point.gradient / size if size > 0 else point.gradient
        steepness = float(dot(unit, self._product(unit))) / (float(dot(unit, unit)) or 1.0)
        self._scale = max(largest(scaling), steepness)
        self.scaling = np.full_like(point.x, self._scale)
        self.products = 1

    def step(self, shift: float) -> tuple[np.ndarray, float]:
        """As of `_Dense`; solved to the last digit where the first solution may have missed a flat direction."""
        x, gradient = self._point.x, self._point.gradient
        move, promised = gradient, 0.0
        for forcing in (FORCING, float(np.finfo(x.dtype).eps)):
            move, slope, used = truncated(self._product, gradient, shift * self._scale, forcing, 2 * x.size)
            promised = -slope - 0.5 * float(dot(move, self._product(move)))
            self.products += used + 1
            if promised > rounding(self._point):
                break
        return move, promised


def _trials(
    flat: FlatResiduals, point: Point, model: _Dense | _Products, shift: float
) -> tuple[Point | None, float, int, float]:
    """The next point, if any decreases the value; the damping; evaluations; the decrease that the model promises.

    A step that promises less than the rounding errors of the value is not tried. It is taken for the end only where
    the damping is not what makes it short.
    """
    least = float(np.finfo(point.x.dtype).eps)
    shift, (move, promised) = _revealing(model, point, shift, least)
    growth, evaluations = GROWTH, 0
    for _ in range(MOST_TRIALS):
        if promised <= rounding(point):
            break
        if promised < math.inf:
            value, _, moved, gradient = flat.along(point.x, move, np.ones((), point.x.dtype))
            evaluations += 1
            new, part = Point(moved, value, gradient), (float(point.value) - float(value)) / promised
            if part > 0 and finite(new):
                return new, shift * max(1 / 3, 1 - (2 * part - 1) ** 3), evaluations, promised
        shift, growth = max(shift, SMALLEST) * growth, 2 * growth
        move, promised = model.step(shift)
    move, promised = _boldest(model, least)
    return None, shift, evaluations, promise(point, move, promised)


def _revealing(
    model: _Dense | _Products, point: Point, shift: float, least: float
) -> tuple[float, tuple[np.ndarray, float]]:
    """The damping, smaller where it hides what the model promises but at least `least`, and the step with it."""
    found = model.step(shift)
    while found[1] <= rounding(point) and shift > least:
        smaller = max(DECREASE * shift, least)
        bolder = model.step(smaller)
        if not math.isfinite(bolder[1]):
            break
        shift, found = smaller, bolder
    return shift, found


def _boldest(model: _Dense | _Products, shift: float) -> tuple[np.ndarray, float]:
    """The step with the least damping, from `shift` on, for which the model has one."""
    found = model.step(shift)
    while not math.isfinite(found[1]) and shift < 1:
        shift = shift / DECREASE
        found = model.step(shift)
    return found


@jit
def _damped(matrix: Any, gradient: Any, scaling: Any, shift: Any) -> tuple[Any, Any]:
    """``p = -(A + c D)^-1 g`` and the decrease ``-(g.p + p.A p / 2) = (c p.D p - g.p) / 2``."""
    added = shift * where(scaling > 0, scaling, 1)
    move = solve_positive(matrix + added * np.eye(len(matrix), dtype=matrix.dtype), -gradient)
    return move, 0.5 * sum(move * (added * move - gradient))
