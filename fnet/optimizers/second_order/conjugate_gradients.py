"""Conjugate gradients for ``(A + c I) p = -g`` from products with A alone, stopped early."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fnet.ops.summation import sum
from fnet.optimizers.second_order.objective import dot, largest
from fnet.transforms.jit import jit


class Truncated(NamedTuple):
    """An approximate step, its slope ``g . p``, and the products it took."""

    direction: np.ndarray
    slope: float
    products: int


def truncated(
    product: Callable[[np.ndarray], np.ndarray], gradient: np.ndarray, damping: float, tolerance: float, most: int
) -> Truncated:
    """A direction of descent: p with ``|(A + c I) p + g| <= tolerance |g|``, or what is known when it has to stop.

    It stops after `most` products and where the curvature along the next direction is not positive (or not finite):
    with the p so far, or with ``-g`` if that is the first. The gradient is scaled to 1 meanwhile, so squares of a large
    or small one stay within the range of floats. Source: Dembo and Steihaug 1983; Nocedal and Wright 2006,
    algorithm 7.1.
    """
    size = largest(gradient)
    if not 0 < size < math.inf:
        return Truncated(-gradient, -float(dot(gradient, gradient)), 0)
    unit, shift = gradient / size, np.asarray(damping, gradient.dtype)
    start = squared = float(dot(unit, unit))
    residual, direction = unit, -unit
    found, slope = direction, -squared
    p = np.zeros_like(gradient)
    products = 0
    while products < most and math.sqrt(squared) > tolerance * math.sqrt(start):
        curvature, p, residual, direction, new_slope, new_squared = _iterate(
            p, residual, direction, product(direction), unit, shift, np.asarray(squared, gradient.dtype)
        )
        products += 1
        squared, new_slope = float(new_squared), float(new_slope)
        if not (0 < curvature < math.inf and math.isfinite(squared) and -math.inf < new_slope < 0):
            break
        found, slope = p, new_slope
    return Truncated(found * gradient.dtype.type(size), slope * size * size, products)


@jit
def _iterate(
    p: Any, residual: Any, direction: Any, product: Any, gradient: Any, shift: Any, squared: Any
) -> tuple[Any, Any, Any, Any, Any, Any]:
    """The curvature along the direction; then the new p, residual, direction, slope of p and ``|residual|^2``."""
    product = product + shift * direction
    curvature = sum(direction * product)
    length = squared / curvature
    p, residual = p + length * direction, residual + length * product
    new_squared = sum(residual * residual)
    direction = (new_squared / squared) * direction - residual
    return curvature, p, residual, direction, sum(p * gradient), new_squared
