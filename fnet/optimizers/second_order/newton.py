"""Newton's method with the full Hessian, for functions of a few hundred parameters."""

from __future__ import annotations

from functools import partial
from typing import Any

from fnet.arguments import number
from fnet.optimizers.second_order.line_search import Found, Line, backtracking
from fnet.optimizers.second_order.matrix import columns, descent
from fnet.optimizers.second_order.minimizer import (
    METHODS,
    Minimizer,
    State,
    StepInfo,
    as_kind,
    minimizer,
    promise,
    report,
    resume,
    start,
)
from fnet.optimizers.second_order.objective import Objective


@METHODS.named()
@minimizer
def newton(learning_rate: float = 1.0, damping: float = 0.0, line_search: bool = True, c1: float = 1e-4) -> Minimizer:
    """``x <- x - t (H + c I + s D)^-1 g`` with the Hessian H: (n, n), formed from n products and factored.

    c is `damping`; s is 0 where ``H + c I`` is positive definite, else the first number that makes it so with the
    diagonal D, ``|H_ii|``, so units of parameters do not matter. t is `learning_rate`, shortened by `line_search` until
    the function decreases (Armijo's condition with `c1`). With the defaults a convex quadratic is solved in one step.
    Raises `ValueRangeError`; `DerivativeError` names an operation without second derivative.
    Source: Nocedal and Wright 2006, algorithms 3.2 and 3.3.

    >>> import numpy as np
    >>> from fnet.optimizers import newton
    >>> def f(x):
    ...     return (x[0] - 3.0) ** 2 + 10.0 * (x[1] - x[0]) ** 2
    >>> method, x = newton(), np.zeros(2)
    >>> method.step(f, x, method.init(f, x))[0].round(9)
    array([3., 3.])
    """
    number("newton", "learning_rate", learning_rate, "[0, inf)", says="expected {argument} >= 0")
    number("newton", "damping", damping, "[0, inf)", says="expected {argument} >= 0")
    number("newton", "c1", c1, "[0, inf)", says="expected {argument} >= 0")

    def init(f: Any, params: Any) -> State:
        return State(start(f, params, Objective))

    def step(f: Any, params: Any, state: State) -> tuple[Any, State, StepInfo]:
        x, flat = as_kind(f, Objective).at(params)
        point, evaluations = resume(flat, x, state.point)
        hessian = columns(partial(flat.product, x), x)
        direction, slope, shift = descent(hessian, point.gradient, damping)
        line = Line(flat, point, direction, slope)
        if line_search:
            found = backtracking(line, learning_rate, c1)
        else:
            found = Found(line.at(learning_rate), line.evaluations, False)
        promised = promise(point, learning_rate * direction, -learning_rate * slope)
        counts = {"evaluations": evaluations + line.evaluations, "products": x.size, "promised": promised}
        if found.trial is None:
            return params, State(point), report(point, 0.0, damping=shift, **counts)
        new = found.trial.point
        return flat.unravel(new.x.copy()), State(new), report(new, found.trial.step, damping=shift, **counts)

    return Minimizer(init, step)
