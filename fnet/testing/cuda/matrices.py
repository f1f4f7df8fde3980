"""The product of a warp by tensor cores, as `fnet.kernels.cuda.runtime.tensor_cores` says which lane has what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fnet.errors import StructureError
from fnet.testing.cuda.faults import DivergenceError
from fnet.testing.cuda.order import WARP

_GROUP, _Q = np.divmod(np.arange(WARP), 4)
_WORDS, _NUMBERS = np.dtype(np.uint32), np.dtype(np.float32)


def products(where: str, given: Mapping[int, tuple[Any, ...]]) -> list[Any]:
    """The sums of each lane; given: a, b and c by lane. Products are exact, each sum is rounded once.

    A card may round within a sum, too: where it does is not said.
    """
    if len(given) < WARP:
        raise DivergenceError(f"{where}: {len(given)} of {WARP} lanes take part in the product of a warp.")
    lanes = [given[lane] for lane in range(WARP)]
    a, b, c = (
        _gathered(where, name, [lane[k] for lane in lanes], count, dtype)
        for k, (name, count, dtype) in enumerate((("a", 4, _WORDS), ("b", 2, _WORDS), ("c", 4, _NUMBERS)))
    )
    left, right, sums = np.zeros((16, 16)), np.zeros((16, 8)), np.zeros((16, 8))
    for half in range(2):
        low = 2 * _Q + half
        for word, (down, deep) in enumerate(((0, 0), (8, 0), (0, 8), (8, 8))):
            left[_GROUP + down, low + deep] = _half(a[:, word], half)
        for word, deep in enumerate((0, 8)):
            right[low + deep, _GROUP] = _half(b[:, word], half)
        for down in range(2):
            sums[_GROUP + 8 * down, low] = c[:, 2 * down + half]
    found = (sums + left @ right).astype(np.float32)
    return [
        tuple(found[group + down, 2 * q + half] for down in (0, 8) for half in range(2))
        for group, q in zip(_GROUP, _Q, strict=True)
    ]


def _gathered(where: str, name: str, parts: list[Any], count: int, dtype: np.dtype) -> np.ndarray:
    """What the lanes have of a matrix, one lane a row."""
    for lane, part in enumerate(parts):
        if len(part) != count or any(np.asarray(x).dtype != dtype for x in part):
            found = ", ".join(type(x).__name__ for x in part)
            raise StructureError(f"{where}: lane {lane} gives ({found}) for {name}, expected {count} of {dtype}.")
    return np.array(parts, dtype)


def _half(words: np.ndarray, half: int) -> np.ndarray:
    """The numbers in the lower halves of words, or in the upper ones."""
    bits = words << np.uint32(16) if half == 0 else words & np.uint32(0xFFFF0000)
    return bits.view(np.float32)
