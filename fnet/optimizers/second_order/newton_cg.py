"""Newton's method from products with the Hessian, which is never formed: for functions of many parameters."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from fnet.optimizers.second_order.conjugate_gradients import truncated
from fnet.optimizers.second_order.line_search import Line, strong_wolfe
from fnet.optimizers.second_order.minimizer import (
    Minimizer,
    State,
    StepInfo,
    as_kind,
    check_at_least_zero,
    check_count,
    check_wolfe,
    report,
    resume,
    rounding,
    start,
)
from fnet.optimizers.second_order.objective import Objective, largest


def newton_cg(damping: float = 0.0, max_products: int | None = None, c1: float = 1e-4, c2: float = 0.9) -> Minimizer:
    """``x <- x + t p`` with ``(H + c I) p = -g`` solved by conjugate gradients, c being `damping`.

    They stop at ``|(H + c I) p + g| <= min(1/2, sqrt(max |g_i|)) |g|``, which makes convergence superlinear; after
    `max_products` (2 n by default); and at a direction of negative curvature, keeping the p before it, or -g. t meets
    the strong Wolfe conditions with `c1` and `c2`. Raises `ValueRangeError`; `DerivativeError` names an operation
    without second derivative. Source: Dembo and Steihaug 1983; Nocedal and Wright 2006, algorithm 7.1.

    >>> import numpy as np
    >>> import fnet
    >>> result = fnet.minimize(lambda x: np.sum((x - 1.0) ** 4), np.zeros(3), method="newton_cg")
    >>> result.converged, result.params.round(2)
    (True, array([1., 1., 1.]))
    """
    check_at_least_zero("newton_cg", damping=damping)
    check_count("newton_cg", max_products=max_products)
    check_wolfe("newton_cg", c1, c2)

    def init(f: Any, params: Any) -> State:
        return State(start(f, params, Objective))

    def step(f: Any, params: Any, state: State) -> tuple[Any, State, StepInfo]:
        x, flat = as_kind(f, Objective).at(params)
        point, evaluations = resume(flat, x, state.point)
        forcing = min(0.5, math.sqrt(largest(point.gradient)))
        most = 2 * x.size if max_products is None else max_products
        direction, slope, products = truncated(partial(flat.product, x), point.gradient, damping, forcing, most)
        found = strong_wolfe(Line(flat, point, direction, slope), 1.0, c1, c2)
        counts = {"evaluations": evaluations + found.evaluations, "products": products, "wolfe": found.wolfe}
        if found.trial is None:
            stuck = report(point, 0.0, damping=damping, **counts)
            return params, State(point), stuck._replace(at_rounding=-slope <= rounding(point))
        new = found.trial.point
        return flat.unravel(new.x.copy()), State(new), report(new, found.trial.step, damping=damping, **counts)

    return Minimizer(init, step)
