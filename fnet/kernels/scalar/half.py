"""Numbers of 16 bits as float32: bfloat16, the upper half of a float32, and IEEE 754 binary16."""

from __future__ import annotations

import numpy as np

_16, _13 = np.uint32(16), np.uint32(13)
_SIGN, _REST, _INFINITE = np.uint32(0x8000), np.uint32(0x7FFF), np.uint32(0x7C00)
_EXPONENT = np.uint32(0x7F800000)
_REBIAS = np.float32(2.0**112)  # between the exponents of binary16 (bias 15) and float32 (bias 127)


def bfloat16_f32(bits):
    """The float32 whose upper half is `bits`."""
    return np.uint32(np.uint32(bits) << _16).view(np.float32)


def float16_f32(bits):
    """The value of a binary16 number, exactly; infinities and NaN stay what they are."""
    wide = np.uint32(bits)
    shifted = np.uint32((wide & _REST) << _13)
    finite = np.float32(shifted.view(np.float32) * _REBIAS).view(np.uint32)
    size = np.uint32(shifted | _EXPONENT) if (wide & _REST) >= _INFINITE else finite
    return np.uint32(size | np.uint32((wide & _SIGN) << _16)).view(np.float32)
