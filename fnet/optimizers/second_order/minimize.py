"""Whole minimisations: steps of one method until nothing is left to gain."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from fnet.arguments import number
from fnet.errors import ValueRangeError
from fnet.names import Names
from fnet.optimizers.second_order.minimizer import LEAST_SQUARES, METHODS, LeastSquares, Minimizer, StepInfo, report
from fnet.optimizers.second_order.objective import Objective, Residuals, ravelled

GRADIENT = {4: 1e-5, 8: 1e-8}  # tolerance for float32 and float64
STILL = 2  # steps without a change of the value, after which there is nothing to gain
STALLED = 10  # such steps, after which a method is given up that still promises a decrease
Callback = Callable[[Any, StepInfo], Any]


class Minimum(NamedTuple):
    """The result of a minimisation.

    value and gradient_norm (the largest absolute element): at `params`. evaluations: of the function, with or without
    its gradient; products: with a Hessian or a Jacobian. message says why it ended.
    """

    params: Any
    value: float
    gradient_norm: float
    iterations: int
    evaluations: int
    products: int
    converged: bool
    message: str


def minimize(
    f: Callable[[Any], Any] | Objective,
    params: Any,
    method: str | Minimizer = "lbfgs",
    *,
    max_iterations: int = 1000,
    tolerance: float | None = None,
    value_tolerance: float | None = None,
    callback: Callback | None = None,
    jit: bool = True,
    **options: Any,
) -> Minimum:
    """A local minimum of the scalar function ``f(params)`` by a second-order method, begun at `params`.

    params: any tree of arrays of one floating dtype, never changed. method: "lbfgs", "newton" or "newton_cg" with its
    `options`, see `fnet.optimizers`, or a `Minimizer`.
    It has converged when the largest absolute element of the gradient is at most `tolerance`: by default 1e-8 (1e-5 in
    float32) times the largest that was met, if that is below 1, so a small unit of f is no minimum. Or when the value
    can change no more: two steps in a row change it by at most ``value_tolerance |f|`` (4 eps by default) and promise
    little more; or no step decreases it, where the method promises less than rounding errors.
    callback(params, info): called after every step; a true result ends the minimisation.
    jit: compile `f`; without, it runs eagerly and may branch on values.
    Raises `ValueRangeError` for unknown methods. Values that are not finite end it with ``converged=False``.

    >>> import numpy as np, fnet
    >>> def rosenbrock(p):
    ...     return (1.0 - p["x"]) ** 2 + 100.0 * (p["y"] - p["x"] ** 2) ** 2
    >>> found = fnet.minimize(rosenbrock, {"x": -1.2, "y": 1.0})
    >>> found.converged, round(float(found.params["x"]), 6), round(float(found.params["y"]), 6)
    (True, 1.0, 1.0)
    """
    chosen = _chosen(method, options, METHODS, LEAST_SQUARES, Minimizer, "minimize", "least_squares")
    objective = f if isinstance(f, Objective) else Objective(f, jit)
    return _run(objective, params, chosen, max_iterations, tolerance, value_tolerance, callback)


def least_squares(
    residuals: Callable[[Any], Any] | Residuals,
    params: Any,
    method: str | LeastSquares = "levenberg_marquardt",
    *,
    max_iterations: int = 1000,
    tolerance: float = 0.0,
    value_tolerance: float | None = None,
    callback: Callback | None = None,
    jit: bool = True,
    **options: Any,
) -> Minimum:
    """A local minimum of ``r . r / 2`` of the residuals ``r = residuals(params)``, begun at `params`.

    residuals returns an array, or a tree of them, e.g. ``prediction - target``; method: "levenberg_marquardt" or
    "gauss_newton" with its `options`, or a `LeastSquares`. The value of the result is half the sum of squares.
    Everything else is as in `minimize`, but for the tolerance of the gradient, whose size follows the units of r and of
    the parameters: by default it is 0, so the minimisation goes on until the value can change no more.

    >>> import numpy as np, fnet
    >>> x, y = np.arange(4.0), np.array([1.0, 3.0, 5.0, 7.0])
    >>> fnet.least_squares(lambda p: p[0] + p[1] * x - y, np.zeros(2)).params.round(6)
    array([1., 2.])
    """
    chosen = _chosen(method, options, LEAST_SQUARES, METHODS, LeastSquares, "least_squares", "minimize")
    objective = residuals if isinstance(residuals, Residuals) else Residuals(residuals, jit)
    return _run(objective, params, chosen, max_iterations, tolerance, value_tolerance, callback)


def _chosen(
    method: Any, options: Mapping[str, Any], own: Names, others: Names, kind: type, driver: str, other: str
) -> Any:
    """The method by its name and options, or as it was given."""
    if isinstance(method, kind):
        if options:
            raise ValueRangeError(f"{driver}: options ({', '.join(options)}) go into the method where it is made.")
        return method
    if isinstance(method, str) and method in own:
        return own[method](**options)
    if isinstance(method, Minimizer | LeastSquares) or (isinstance(method, str) and method in others):
        given = "LeastSquares" if isinstance(method, LeastSquares) else "Minimizer"
        raise ValueRangeError(
            f"{driver}: method {method if isinstance(method, str) else given!r} takes another kind of "
            f"function. Use fnet.{other}, or one of {', '.join(own)}."
        )
    raise own.unknown(method)


def _run(
    f: Objective | Residuals,
    params: Any,
    method: Minimizer | LeastSquares,
    max_iterations: int,
    tolerance: float | None,
    value_tolerance: float | None,
    callback: Callback | None,
) -> Minimum:
    number("minimize", "max_iterations", max_iterations, "[0, inf)", says="expected {argument} >= 0")
    number("minimize", "tolerance", tolerance or 0.0, "[0, inf)", says="expected {argument} >= 0")
    x, unravel = ravelled(params)
    params, eps = unravel(x), float(np.finfo(x.dtype).eps)
    value_tolerance = 4 * eps if value_tolerance is None else value_tolerance
    plausible = max(10 * value_tolerance, math.sqrt(eps))
    state = method.init(f, params)
    info = report(state.point, 0.0, evaluations=1, products=0)
    evaluations, products, iterations, still, stalled = 1, 0, 0, 0, 0
    steepest, largest_value = info.gradient_norm, abs(info.value)

    def ended(message: str, converged: bool = False) -> Minimum:
        counts = (iterations, evaluations, products)
        return Minimum(params, info.value, info.gradient_norm, *counts, converged, message)

    while True:
        if not (math.isfinite(info.value) and math.isfinite(info.gradient_norm)):
            return ended("the value or its gradient at the parameters is not finite: start elsewhere")
        steepest, largest_value = max(steepest, info.gradient_norm), max(largest_value, abs(info.value))
        within = GRADIENT[x.dtype.itemsize] * min(1.0, steepest) if tolerance is None else tolerance
        if info.gradient_norm <= within:
            return ended(f"the gradient is within the tolerance of {within:g}", True)
        if isinstance(method, LeastSquares) and info.value <= eps**2 * largest_value:
            return ended("the residuals are zero, up to rounding errors", True)
        if still == STILL:
            return ended(f"the value changes by less than its {value_tolerance:.1g} part", True)
        if stalled == STALLED:
            return ended(f"the value has not changed in {STALLED} steps, though its gradient says that it would")
        if iterations == max_iterations:
            return ended(f"max_iterations={max_iterations} are over")
        before = info.value
        params, state, info = method.step(f, params, state)
        evaluations, products = evaluations + info.evaluations, products + info.products
        if not info.accepted and info.promised <= 4 * eps * largest_value:
            return ended("no step can decrease the value by more than its rounding errors", True)
        if not info.accepted:
            return ended("no step along the direction decreases the value: it may not be smooth or finite there")
        iterations += 1
        stalled = stalled + 1 if abs(before - info.value) <= value_tolerance * abs(before) else 0
        still = still + 1 if stalled and info.promised <= plausible * abs(before) else 0
        if callback is not None and callback(params, info):
            return ended("the callback asked to stop")
