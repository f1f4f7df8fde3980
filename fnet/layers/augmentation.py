"""What layers share that change images by chance while training: one draw for each image, none in inference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fnet import random
from fnet.arguments import integer_or_none, number, sequence
from fnet.errors import ValueRangeError
from fnet.layers.activation import nothing
from fnet.layers.checks import image, stream
from fnet.layers.constructor import Pair
from fnet.ops.promotion import promote

Changed = Callable[[Any, Any], Any]


def augmenting(kind: str, changed: Changed, seed: int | None, otherwise: Callable[[Any], Any] | None = None) -> Pair:
    """The pair of a layer that gives ``changed(x, key)`` in training, and x, or ``otherwise(x)``, in inference.

    x: (N, H, W, C); integers become float32.
    """
    seed = integer_or_none(kind, "seed", seed)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        (x,) = promote(image(kind, x, 2), floating=True)
        if train:
            return changed(x, stream(kind, key, seed)), state
        return (x if otherwise is None else otherwise(x)), state

    return nothing, apply


def drawn(key: Any, number_of: int, bounds: tuple[float, float], x: Any) -> Any:
    """One uniform number between the bounds for each image: (N,), of the dtype of x."""
    return random.uniform(key, (number_of,), x.dtype, *bounds)


def bounds(kind: str, argument: str, given: Any, least: float, most: float) -> tuple[float, float]:
    """The bounds that a factor says: two numbers, or one for minus and plus it, as far as they lie in the range."""
    if isinstance(given, list | tuple):
        low, high = (number(kind, argument, part) for part in _two(kind, argument, given))
    else:
        high = number(kind, argument, given)
        low = max(-high, least)
    if not least <= low <= high <= most:
        raise ValueRangeError(
            f"{kind}: {argument} is a number, or two that rise, from {least:g} to {most:g}, received {given!r:.60}."
        )
    return low, high


def least_and_largest(kind: str, given: Any) -> tuple[float, float]:
    """The least and the largest value of images."""
    low, high = (number(kind, "value_range", part) for part in _two(kind, "value_range", given))
    if low >= high:
        raise ValueRangeError(f"{kind}: value_range is (least, largest), received {given!r:.60}.")
    return low, high


def _two(kind: str, argument: str, given: Any) -> list[Any]:
    parts = sequence(kind, argument, given)
    if len(parts) != 2:
        raise ValueRangeError(f"{kind}: {argument} has two numbers, received {given!r:.60}.")
    return parts
