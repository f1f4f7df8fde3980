"""Newton's method from products with the Hessian, which is never formed: for functions of many parameters."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

from fnet.arguments import integer, number
from fnet.optimizers.second_order.conjugate_gradients import truncated
from fnet.optimizers.second_order.line_search import Line, strong_wolfe
from fnet.optimizers.second_order.minimizer import (
    METHODS,
    Minimizer,
    StepInfo,
    as_kind,
    check_wolfe,
    minimizer,
    promise,
    report,
    resume,
    start,
)
from fnet.optimizers.second_order.objective import Objective, Point, largest


class NewtonCgState(NamedTuple):
    """The point, and the largest absolute element of any gradient so far."""

    point: Point
    largest: float


@METHODS.named()
@minimizer
def newton_cg(damping: float = 0.0, max_products: int | None = None, c1: float = 1e-4, c2: float = 0.9) -> Minimizer:
    """``x <- x + t p`` with ``(H + c I) p = -g`` solved by conjugate gradients, c being `damping`.

    They stop at ``|(H + c I) p + g| <= min(1/2, sqrt(max |g_i| / G)) |g|``, G being the largest element of any gradient
    so far, which makes convergence superlinear in any unit of the value; after `max_products` (2 n by default); and at
    a direction of negative curvature, keeping the p before it, or -g. t meets the strong Wolfe conditions with `c1` and
    `c2`. Raises `ValueRangeError`; `DerivativeError` names an operation without second derivative.
    Source: Dembo and Steihaug 1983; Nocedal and Wright 2006, algorithm 7.1.

    >>> import numpy as np
    >>> import fnet
    >>> result = fnet.minimize(lambda x: np.sum((x - 1.0) ** 4), np.zeros(3), method="newton_cg")
    >>> result.converged, result.params.round(2)
    (True, array([1., 1., 1.]))
    """
    number("newton_cg", "damping", damping, "[0, inf)", says="expected {argument} >= 0")
    if max_products is not None:
        integer("newton_cg", "max_products", max_products)
    check_wolfe("newton_cg", c1, c2)

    def init(f: Any, params: Any) -> NewtonCgState:
        point = start(f, params, Objective)
        return NewtonCgState(point, largest(point.gradient))

    def step(f: Any, params: Any, state: NewtonCgState) -> tuple[Any, NewtonCgState, StepInfo]:
        x, flat = as_kind(f, Objective).at(params)
        point, evaluations = resume(flat, x, state.point)
        size = largest(point.gradient)
        most_seen = max(size, state.largest)
        forcing = min(0.5, math.sqrt(size / most_seen)) if most_seen else 0.5
        most = 2 * x.size if max_products is None else max_products
        direction, slope, products = truncated(partial(flat.product, x), point.gradient, damping, forcing, most)
        found = strong_wolfe(Line(flat, point, direction, slope), 1.0, c1, c2)
        promised = promise(point, direction, -slope)
        counts = {"evaluations": evaluations + found.evaluations, "products": products, "promised": promised}
        if found.trial is None:
            return params, NewtonCgState(point, most_seen), report(point, 0.0, damping=damping, wolfe=False, **counts)
        new = found.trial.point
        info = report(new, found.trial.step, damping=damping, wolfe=found.wolfe, **counts)
        return flat.unravel(new.x.copy()), NewtonCgState(new, most_seen), info

    return Minimizer(init, step)
