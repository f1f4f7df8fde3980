"""Gauss and Newton's least squares: steps to the minimum for the residuals made linear."""

from __future__ import annotations

from functools import partial
from typing import Any

from fnet.arguments import number
from fnet.optimizers.second_order.conjugate_gradients import truncated
from fnet.optimizers.second_order.line_search import Found, Line, backtracking
from fnet.optimizers.second_order.matrix import descent
from fnet.optimizers.second_order.minimizer import (
    LEAST_SQUARES,
    LeastSquares,
    State,
    StepInfo,
    as_kind,
    least_squares_method,
    promise,
    report,
    resume,
    start,
)
from fnet.optimizers.second_order.normal_equations import FORCING, check_solver, is_dense, normal_matrix
from fnet.optimizers.second_order.objective import Residuals


@LEAST_SQUARES.named()
@least_squares_method
def gauss_newton(
    damping: float = 0.0, line_search: bool = True, solver: str = "auto", c1: float = 1e-4
) -> LeastSquares:
    """``x <- x - t (J^T J + c I)^-1 J^T r`` minimises ``r . r / 2`` of residuals r(x): (m,), with Jacobian J: (m, n).

    It is Newton's method without the second derivatives of r, which are small where r is: then it converges as fast.
    c is `damping`, or the first larger one for which the matrix is positive definite; t is 1, shortened by
    `line_search` until the value decreases. solver: "dense" forms ``J^T J``, "cg" needs products with J and J^T only,
    "auto" is dense up to 1000 parameters. Raises `ValueRangeError`. Source: Nocedal and Wright 2006, section 10.3.

    >>> import numpy as np
    >>> from fnet.optimizers import gauss_newton
    >>> a, b = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]), np.array([1.0, 3.0, 5.0])
    >>> def residuals(x):
    ...     return a @ x - b
    >>> method, x = gauss_newton(), np.zeros(2)
    >>> method.step(residuals, x, method.init(residuals, x))[0].round(9)
    array([1., 2.])
    """
    number("gauss_newton", "damping", damping, "[0, inf)", says="expected {argument} >= 0")
    number("gauss_newton", "c1", c1, "[0, inf)", says="expected {argument} >= 0")
    check_solver("gauss_newton", solver)

    def init(f: Any, params: Any) -> State:
        return State(start(f, params, Residuals))

    def step(f: Any, params: Any, state: State) -> tuple[Any, State, StepInfo]:
        x, flat = as_kind(f, Residuals).at(params)
        point, evaluations = resume(flat, x, state.point)
        if is_dense(solver, x.size):
            direction, slope, shift = descent(normal_matrix(flat, x), point.gradient, damping)
            products = x.size
        else:
            product = partial(flat.product, x)
            direction, slope, products = truncated(product, point.gradient, damping, FORCING, 2 * x.size)
            shift = damping
        line = Line(flat, point, direction, slope)
        found = backtracking(line, 1.0, c1) if line_search else Found(line.at(1.0), 1, False)
        promised = promise(point, direction, -slope)
        counts = {"evaluations": evaluations + found.evaluations, "products": products, "promised": promised}
        if found.trial is None:
            return params, State(point), report(point, 0.0, damping=shift, **counts)
        new = found.trial.point
        return flat.unravel(new.x.copy()), State(new), report(new, found.trial.step, damping=shift, **counts)

    return LeastSquares(init, step)
