"""L-BFGS: directions from the last few steps and changes of the gradient."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fnet.arguments import integer
from fnet.ops.arithmetic import where
from fnet.ops.maths import sqrt
from fnet.ops.shape import concatenate
from fnet.ops.summation import sum
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
from fnet.optimizers.second_order.objective import Objective, Point
from fnet.transforms.jit import jit
from fnet.transforms.operand import beside
from fnet.transforms.primitive import spec_of


class LbfgsState(NamedTuple):
    """Pairs of the last steps, oldest first: steps s and changes of the gradient y: (m, n), inverses 1 / s.y: (m,).

    A pair that does not exist yet has inverse 0, which takes it out of every formula. scale: ``s.y / y.y`` of the last.
    """

    point: Point
    steps: np.ndarray
    changes: np.ndarray
    inverses: np.ndarray
    scale: np.ndarray


@METHODS.named()
@minimizer
def lbfgs(history: int = 10, c1: float = 1e-4, c2: float = 0.9) -> Minimizer:
    """``x <- x - t H g`` where H, never formed, makes up for the curvature seen in the last `history` steps.

    H g comes from the two-loop recursion over pairs ``s = x_k+1 - x_k``, ``y = g_k+1 - g_k``, from ``(s.y / y.y) I``;
    t meets the strong Wolfe conditions with `c1` and `c2`, so ``s.y > 0``. The first step, and one after a direction
    that is not of descent, goes along -g. It needs values and gradients only. Raises `ValueRangeError`.
    Source: Liu and Nocedal 1989; Nocedal and Wright 2006, algorithms 7.4 and 7.5.

    >>> import numpy as np
    >>> from fnet.optimizers import Objective, lbfgs
    >>> f, method, x = Objective(lambda x: np.sum((x - 3.0) ** 2)), lbfgs(), np.zeros(2)
    >>> state = method.init(f, x)
    >>> for _ in range(2):
    ...     x, state, info = method.step(f, x, state)
    >>> x, info.evaluations
    (array([3., 3.]), 1)
    """
    integer("lbfgs", "history", history)
    check_wolfe("lbfgs", c1, c2)

    def init(f: Any, params: Any) -> LbfgsState:
        return _without_history(start(f, params, Objective), history)

    def step(f: Any, params: Any, state: LbfgsState) -> tuple[Any, LbfgsState, StepInfo]:
        x, flat = as_kind(f, Objective).at(params)
        point, evaluations = resume(flat, x, state.point)
        if evaluations:
            state = _without_history(point, history)
        direction, slope = _direction(point.gradient, *state[1:])
        if not -np.inf < slope < 0:
            state = _without_history(point, history)
            direction, slope = _direction(point.gradient, *state[1:])
        steepest = state.inverses[-1] == 0
        first = 1 / max(1.0, float(-slope) ** 0.5) if steepest else 1.0
        found = strong_wolfe(Line(flat, point, direction, float(slope)), first, c1, c2)
        promised = promise(point, first * direction, -first * float(slope))
        counts = {"evaluations": evaluations + found.evaluations, "products": 0, "promised": promised}
        if found.trial is None:
            return params, _without_history(point, history), report(point, 0.0, wolfe=False, **counts)
        new = found.trial.point
        info = report(new, found.trial.step, wolfe=found.wolfe, **counts)
        return flat.unravel(new.x.copy()), LbfgsState(new, *_remember(*point, *new, *state[1:])), info

    return Minimizer(init, step)


def _without_history(point: Point, history: int) -> LbfgsState:
    size, dtype = point.x.size, point.x.dtype
    nothing, inverses = beside(np.zeros((history, size), dtype), point.x), beside(np.zeros(history, dtype), point.x)
    return LbfgsState(point, nothing, nothing, inverses, beside(np.ones((), dtype), point.x))


@jit
def _direction(gradient: Any, steps: Any, changes: Any, inverses: Any, scale: Any) -> tuple[Any, Any]:
    """``-H g`` by the two-loop recursion, and its slope ``-g . H g``."""
    q, weights = gradient, []
    for k in reversed(range(len(steps))):
        weight = inverses[k] * sum(steps[k] * q)
        weights.append(weight)
        q = q - weight * changes[k]
    r = scale * q
    for k, weight in enumerate(reversed(weights)):
        r = r + (weight - inverses[k] * sum(changes[k] * r)) * steps[k]
    return -r, -sum(gradient * r)


@jit
def _remember(
    x: Any, value: Any, gradient: Any, new_x: Any, new_value: Any, new_gradient: Any,
    steps: Any, changes: Any, inverses: Any, scale: Any,
) -> tuple[Any, Any, Any, Any]:  # fmt: skip
    """The pairs with that of this step for the oldest; as they were where it shows no curvature beyond rounding.

    Beyond rounding is an angle between s and y, which no unit of the value or of the parameters changes.
    """
    s, y = new_x - x, new_gradient - gradient
    curvature, squared = sum(s * y), sum(y * y)
    curved = curvature > np.finfo(spec_of(x).dtype).eps * sqrt(sum(s * s)) * sqrt(squared)

    def shifted(pairs: Any, newest: Any) -> Any:
        return where(curved, concatenate([pairs[1:], newest[None]]), pairs)

    return (
        shifted(steps, s),
        shifted(changes, y),
        shifted(inverses, 1 / curvature),
        where(curved, curvature / squared, scale),
    )
