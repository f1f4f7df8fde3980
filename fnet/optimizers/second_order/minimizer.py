"""What a second-order method is: a pure pair ``(init, step)``, which takes the function besides the parameters."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeVar

import numpy as np

from fnet import configured
from fnet.arguments import number
from fnet.configured import Recipe, make_again
from fnet.errors import ValueRangeError
from fnet.names import Names
from fnet.optimizers.second_order.objective import Objective, Point, Residuals, largest

T = TypeVar("T", bound=Objective | Residuals)
P = ParamSpec("P")


class StepInfo(NamedTuple):
    """What one step did.

    value, gradient_norm (the largest absolute element): at the parameters it returned.
    step_size: of the direction found; 0 where no step was accepted.
    damping: the multiple of the identity, or of the scaling, that was added to the matrix; 0 without one.
    evaluations: of the function, with or without its gradient. products: with a Hessian or a Jacobian.
    wolfe: whether the step meets the strong Wolfe conditions, None for methods without that line search.
    promised: the decrease of the value that the method expects of its whole step; 0 of a step that only rounds x.
    """

    value: float
    gradient_norm: float
    step_size: float
    damping: float
    evaluations: int
    products: int
    wolfe: bool | None = None
    promised: float = math.inf

    @property
    def accepted(self) -> bool:
        """Whether the parameters moved."""
        return self.step_size > 0


class Step(Protocol):
    """One iteration: new parameters, new state, and what was done; no argument is changed."""

    def __call__(self, f: Any, params: Any, state: Any) -> tuple[Any, Any, StepInfo]: ...


class State(NamedTuple):
    """The state of a method that remembers nothing but where it is."""

    point: Point


class Minimizer(NamedTuple):
    """The pair ``init(f, params) -> state`` and ``step(f, params, state) -> (params, state, info)``.

    f: a scalar function of the parameters, or an `Objective` of it, which is compiled once instead of running eagerly
    in every step. ``state.point`` holds f and its gradient at the parameters, so f must stay the same function; where
    the parameters are not those that the last step returned, they are evaluated anew.
    """

    init: Callable[[Any, Any], Any]
    step: Step


class LeastSquares(NamedTuple):
    """A `Minimizer` of ``r . r / 2`` that takes the function of the residuals r, or `Residuals` of it."""

    init: Callable[[Any, Any], Any]
    step: Step


class _MadeMinimizer(Minimizer):
    recipe: Recipe

    def __reduce__(self) -> tuple[Any, ...]:
        return make_again, tuple(self.recipe)


class _MadeLeastSquares(LeastSquares):
    recipe: Recipe

    def __reduce__(self) -> tuple[Any, ...]:
        return make_again, tuple(self.recipe)


METHODS: Names[Callable[..., Minimizer]] = Names("method", "a name or a Minimizer", "fnet.optimizers")
LEAST_SQUARES: Names[Callable[..., LeastSquares]] = Names("method", "a name or a LeastSquares", "fnet.optimizers")


def minimizer(make: Callable[P, Minimizer]) -> Callable[P, Minimizer]:
    """Make a function the constructor of a method that is pickled by its arguments."""

    def finish(made: Minimizer, recipe: Recipe) -> Minimizer:
        method = _MadeMinimizer(*made)
        method.recipe = recipe
        return method

    return configured.combinator(finish)(make)


def least_squares_method(make: Callable[P, LeastSquares]) -> Callable[P, LeastSquares]:
    """As `minimizer`, for methods of least squares."""

    def finish(made: LeastSquares, recipe: Recipe) -> LeastSquares:
        method = _MadeLeastSquares(*made)
        method.recipe = recipe
        return method

    return configured.combinator(finish)(make)


def as_kind(f: Any, kind: type[T]) -> T:
    """An `Objective` or `Residuals` as it is; a plain function to run eagerly."""
    return f if isinstance(f, kind) else kind(f, jit=False)


def start(f: Any, params: Any, kind: type[Objective] | type[Residuals]) -> Point:
    """The parameters as a point, evaluated."""
    x, flat = as_kind(f, kind).at(params)
    value, gradient = flat.evaluate(x)
    return Point(x, value, gradient)


def resume(flat: Any, x: np.ndarray, point: Point) -> tuple[Point, int]:
    """The point of the state where it is still that of the parameters, else a new one; and how often f ran for it."""
    if np.array_equal(x, point.x):
        return point, 0
    value, gradient = flat.evaluate(x)
    return Point(x, value, gradient), 1


def report(point: Point, step_size: float, *, damping: float = 0.0, **counts: Any) -> StepInfo:
    """The `StepInfo` of a step that ended at `point`."""
    return StepInfo(float(point.value), largest(point.gradient), step_size, damping, **counts)


def finite(point: Point) -> bool:
    """Whether a value and its whole gradient are finite."""
    return math.isfinite(point.value) and math.isfinite(largest(point.gradient))


def rounding(point: Point) -> float:
    """How far the value may be off by rounding, as far as it is known: a few units in its last place."""
    return 4 * float(np.finfo(point.x.dtype).eps) * abs(float(point.value))


def promise(point: Point, move: np.ndarray, decrease: float) -> float:
    """The `decrease` expected of a step, 0 where it moves no parameter by more than a few units in its last place.

    Infinite where it is not known.
    """
    if not math.isfinite(decrease):
        return math.inf
    eps = 4 * np.finfo(point.x.dtype).eps
    return 0.0 if bool(np.all(np.abs(move) <= eps * np.abs(point.x))) else decrease


def check_wolfe(method: str, c1: float, c2: float) -> None:
    """Refuse constants without ``0 < c1 < c2 < 1``."""
    if not 0 < number(method, "c1", c1) < number(method, "c2", c2) < 1:
        raise ValueRangeError(f"{method}: expected 0 < c1 < c2 < 1, received c1={c1}, c2={c2}.")
