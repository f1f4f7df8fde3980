"""Functions of parameters as second-order methods use them: compiled, over one flat vector.

A tree of parameters is a vector x: (n,) to the methods. The function, its derivatives and the arithmetic around them
are compiled into one plan for each purpose, so a trial of a line search is a single call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from fnet import tree
from fnet.errors import DtypeError, StructureError
from fnet.ops.summation import sum
from fnet.transforms.jit import jit as compile
from fnet.transforms.jvp import hessian_vector_product, jvp
from fnet.transforms.primitive import spec_of
from fnet.transforms.vjp import pullback, value_and_grad

Vector = np.ndarray
Flat = TypeVar("Flat")


class Point(NamedTuple):
    """Where a method is: x: (n,), the value of the function there and its gradient: (n,)."""

    x: Vector
    value: float
    gradient: Vector


class FlatObjective(NamedTuple):
    """A scalar function of a vector, and its derivatives.

    evaluate(x) -> (value, gradient)
    along(x, p, t) -> (value, slope, x + t p, gradient), all at ``x + t p``, where the slope is ``gradient . p``
    product(x, v) -> H v
    """

    unravel: Callable[[Vector], Any]
    evaluate: Callable[[Vector], tuple[Any, Vector]]
    along: Callable[[Vector, Vector, np.ndarray], tuple[Any, Any, Vector, Vector]]
    product: Callable[[Vector, Vector], Vector]


class FlatResiduals(NamedTuple):
    """A vector of residuals r: (m,) of a vector x, and its derivatives; the value is ``r . r / 2``.

    evaluate and along: as of `FlatObjective`; push(x, v) -> J v: (m,); product(x, v) -> J^T J v
    """

    unravel: Callable[[Vector], Any]
    evaluate: Callable[[Vector], tuple[Any, Vector]]
    along: Callable[[Vector, Vector, np.ndarray], tuple[Any, Any, Vector, Vector]]
    push: Callable[[Vector, Vector], Vector]
    product: Callable[[Vector, Vector], Vector]


class _Compiled(Generic[Flat]):
    """A function of a tree, made flat and compiled once for each structure of the tree."""

    def __init__(self, f: Callable[[Any], Any], jit: bool = True) -> None:
        self.f = f
        self._wrap: Callable[[Callable], Any] = compile if jit else lambda function: function
        self._flat: dict[Any, Flat] = {}

    def at(self, params: Any) -> tuple[Vector, Flat]:
        """The parameters as one vector of their own, and the function of such vectors."""
        leaves, structure = tree.flatten(params)
        key = (structure, *map(spec_of, leaves))
        if leaves and key in self._flat:
            return np.concatenate([np.reshape(leaf, (-1,)) for leaf in leaves]), self._flat[key]
        vector, unravel = ravelled(params)
        self._flat[key] = self._flatten(unravel)
        return vector, self._flat[key]

    def _flatten(self, unravel: Callable[[Vector], Any]) -> Flat:
        raise NotImplementedError


class Objective(_Compiled[FlatObjective]):
    """A scalar function ``f(params)`` to minimise, compiled once for all the steps that it is given to.

    With ``jit=False`` it runs eagerly: `f` may then branch on values.

    >>> import numpy as np
    >>> f = Objective(lambda p: np.sum(p["w"] ** 2))
    >>> x, flat = f.at({"w": np.array([1.0, 2.0])})
    >>> flat.evaluate(x)
    (array(5.), array([2., 4.]))
    """

    def _flatten(self, unravel: Callable[[Vector], Any]) -> FlatObjective:
        gradient_of = value_and_grad(self.f)

        def evaluate(x: Any) -> tuple[Any, Any]:
            value, gradient = gradient_of(unravel(x))
            return value, tree.ravel(gradient)[0]

        def product(x: Any, v: Any) -> Any:
            return tree.ravel(hessian_vector_product(self.f, unravel(x), unravel(v)))[0]

        return FlatObjective(unravel, self._wrap(evaluate), self._wrap(_along(evaluate)), self._wrap(product))


class Residuals(_Compiled[FlatResiduals]):
    """Residuals ``r(params)``, whose sum of squares is to be minimised, compiled once for all steps.

    r returns a tree of floating arrays, which is one vector r: (m,) to the methods; they minimise ``r . r / 2``.

    >>> import numpy as np
    >>> x, flat = Residuals(lambda p: 2.0 * p).at(np.array([1.0, 2.0]))
    >>> flat.evaluate(x)
    (array(10.), array([4., 8.]))
    """

    def _flatten(self, unravel: Callable[[Vector], Any]) -> FlatResiduals:
        def flat(x: Any) -> Any:
            return _vector(self.f(unravel(x)))

        def evaluate(x: Any) -> tuple[Any, Any]:
            r, pull_back = pullback(flat, x)
            return 0.5 * sum(r * r), pull_back(r)[0]

        def push(x: Any, v: Any) -> Any:
            return jvp(flat, (x,), (v,))[1]

        def product(x: Any, v: Any) -> Any:
            return pullback(flat, x)[1](push(x, v))[0]

        compiled = (evaluate, _along(evaluate), push, product)
        return FlatResiduals(unravel, *(self._wrap(function) for function in compiled))


def ravelled(params: Any) -> tuple[Vector, Callable[[Vector], Any]]:
    """A copy of the parameters as one vector, and the function that takes such a vector apart."""
    for path, leaf in tree.leaves_with_path(params):
        if not spec_of(leaf).differentiable:
            raise DtypeError(
                f"second-order methods: parameter '{path}' is {spec_of(leaf)}, expected float32 or float64. "
                f"Leave it out with fnet.tree.partition, or convert it with .astype('float64')."
            )
    vector, unravel = tree.ravel(params)
    return vector.copy(), unravel


@compile
def dot(a: Any, b: Any) -> Any:
    """The inner product of two vectors."""
    return sum(a * b)


def largest(gradient: Vector) -> float:
    """The largest absolute element, NaN if any is; 0 of an empty vector."""
    return float(np.max(np.abs(gradient))) if gradient.size else 0.0


def _along(evaluate: Callable[[Any], tuple[Any, Any]]) -> Callable[[Any, Any, Any], tuple[Any, Any, Any, Any]]:
    def along(x: Any, p: Any, t: Any) -> tuple[Any, Any, Any, Any]:
        moved = x + t * p
        value, gradient = evaluate(moved)
        return value, sum(gradient * p), moved, gradient

    return along


def _vector(residuals: Any) -> Any:
    """All residuals as one vector."""
    leaves = tree.leaves(residuals)
    if not leaves:
        raise StructureError("least squares: the function of residuals returned no arrays. Return prediction - target.")
    for leaf in leaves:
        if not spec_of(leaf).differentiable:
            raise DtypeError(f"least squares: residuals must be floating-point numbers, received {spec_of(leaf)}.")
    return np.concatenate([np.reshape(leaf, (-1,)) for leaf in leaves])
