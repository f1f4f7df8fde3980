"""Products of small matrices by the tensor cores of a card, and the numbers of 16 bits that they take.

A warp multiplies 16 x 16 by 16 x 8 numbers in bfloat16 and adds the exact products to sums in float32. Each lane holds
a part of each matrix. A word holds two numbers whose k are neighbours, the lower one in its lower half. A lane is the
number 4 group + q:

| matrix | word or number | row | column |
|---|---|---|---|
| a, 16 x 16 | 0, 1, 2, 3 | group, group + 8, group, group + 8 | k: pairs q, q, q + 4, q + 4 |
| b, 16 x 8 | 0, 1 | k: pairs q, q + 4 | group |
| c, 16 x 8 | 0, 1, 2, 3 | group, group, group + 8, group + 8 | 2 q, 2 q + 1, 2 q, 2 q + 1 |

In shared memory with k as rows of pairs, 32 lanes read a word of a or b from 32 banks if a row is 8 words longer than a
multiple of 32. So single words are as fast as ``ldmatrix``, which moves the same bytes by fewer instructions.

Source: PTX ISA, matrix fragments for mma.m16n8k16 with floating point type .bf16.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.kernel import cuda, instruction

_ALL = 0xFFFFFFFF


@instruction
def multiply_add_matrices(a, b, c):
    """``c + a b``, by all lanes of a warp; a: four words, b: two words, c: four numbers. Gives the lane's part."""
    return cuda.mma_sync(_ALL, a, b, c)


@instruction
def pair(lower, upper):
    """Two float32 numbers rounded to bfloat16, to the nearest and to even ones, in a word."""
    return np.uint32(_rounded(lower) | _rounded(upper) << 16)


@instruction
def number_of(bits):
    """The float32 number of these 32 bits."""
    return np.uint32(bits).view(np.float32)


@instruction
def bits_of(number):
    """The 32 bits of a float32 number."""
    return np.float32(number).view(np.uint32)


@instruction
def power_of_two(x):
    """2 to the power of a float32 number, to a relative error of 2**-22: beside products of bfloat16 it is exact."""
    return np.exp2(np.float32(x))


def _rounded(number):
    bits = int(np.float32(number).view(np.uint32))
    if bits & 0x7FFFFFFF > 0x7F800000:  # no number
        return 0x7FFF
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
