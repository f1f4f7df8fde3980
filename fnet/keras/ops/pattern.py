"""Axes rearranged by a pattern of their names."""

from __future__ import annotations

import math
import re
from typing import Any

from fnet import ops
from fnet.errors import ShapeError, ValueRangeError
from fnet.keras.ops.calls import of_arrays

_PATTERN = re.compile(r"(?:\w|\s|\(\s*\w+(?:\s+\w+)*\s*\))*")


@of_arrays
def rearrange(tensor: Any, pattern: str, **axes_lengths: int) -> Any:
    """Axes split, moved and joined, as a pattern says: "b (h two) c -> b two (h c)".

    Names in parentheses are one axis of the array, the last of them varying fastest; of each such axis all sizes but
    one are given as `axes_lengths`. Source: A. Rogozhnikov, Einops, 2022 (Keras ``ops.rearrange``).

    >>> import numpy as np
    >>> rearrange(np.arange(4.0), "(a b) -> b a", b=2)
    array([[0., 2.],
           [1., 3.]])
    """
    left, right = _sides(pattern)
    if len(left) != len(tensor.shape):
        raise ShapeError(f"rearrange: '{pattern}' has {len(left)} axes on its left, but the array {tensor.shape}.")
    sizes: dict[str, Any] = {}
    for group, size in zip(left, tensor.shape, strict=True):
        known = math.prod(axes_lengths[name] for name in group if name in axes_lengths)
        open_ones = [name for name in group if name not in axes_lengths]
        if len(open_ones) > 1 or (known > 1 and size % known) or (not open_ones and known != size):
            raise ShapeError(
                f"rearrange: an axis of size {size} does not become {' x '.join(group)} with {axes_lengths}. "
                f"Give all sizes but one, whose product divides it."
            )
        sizes |= {name: axes_lengths[name] for name in group if name in axes_lengths}
        sizes |= dict.fromkeys(open_ones, size if known == 1 else size // known)
    names = [name for group in left for name in group]
    apart = ops.reshape(tensor, [sizes[name] for name in names])
    moved = ops.transpose(apart, [names.index(name) for group in right for name in group])
    return ops.reshape(moved, [_product([sizes[name] for name in group]) for group in right])


def _product(sizes: list[Any]) -> Any:
    """The product, or the only size, which need not be known."""
    return sizes[0] if len(sizes) == 1 else math.prod(sizes)


def _sides(pattern: str) -> tuple[list[list[str]], list[list[str]]]:
    """The names of each axis on both sides."""
    sides = pattern.split("->")
    if len(sides) == 2 and all(map(_PATTERN.fullmatch, sides)):
        left, right = ([group.strip("()").split() for group in re.findall(r"\w+|\([^)]*\)", side)] for side in sides)
        names, others = (sorted(name for group in side for name in group) for side in (left, right))
        if names == others and len(set(names)) == len(names):
            return left, right
    raise ValueRangeError(
        f"rearrange: expected the same names on both sides of '->', each once, maybe in parentheses, as in "
        f"'b (h w) c -> b h (w c)', received {pattern!r:.60}."
    )
