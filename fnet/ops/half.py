"""The values of numbers that are stored in 16 bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.ops.elementwise import elementwise
from fnet.transforms.primitive import Primitive

FLOAT32 = np.dtype(np.float32)


def from_bits(bits: Any, storage: str) -> Any:
    """The float32 values of numbers of the format `storage`, "bfloat16" or "float16"; bits: (...) uint16 -> (...).

    >>> from_bits(np.array([0x3F80, 0x4000], "uint16"), "bfloat16")
    array([1., 2.], dtype=float32)
    """
    return (_from_bfloat16 if storage == "bfloat16" else _from_float16)(bits)


_from_bfloat16: Primitive = elementwise("from_bfloat16", "bfloat16_f32({0})", dtype=FLOAT32)
_from_float16: Primitive = elementwise("from_float16", "float16_f32({0})", dtype=FLOAT32)
