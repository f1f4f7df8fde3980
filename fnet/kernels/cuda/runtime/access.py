"""Access to four neighbouring elements at once: 16 bytes of float32 and int32, two times 16 of 64-bit numbers.

The address of the first of the four must be a multiple of their size, or of 16 bytes where they take more. A card
refuses other addresses, and with them the whole program; the checker of kernels says which it was.
"""

from __future__ import annotations

from fnet.errors import StructureError
from fnet.kernels.cuda.runtime.kernel import instruction

BYTES = 16


@instruction
def is_aligned(x):
    """Whether x begins at a multiple of 16 bytes, so that four elements may be read from any multiple of four on."""
    return x.address % BYTES == 0


@instruction
def load4(x, i):
    """The elements i to i + 3."""
    _refuse_unaligned(x, i)
    return x[i], x[i + 1], x[i + 2], x[i + 3]


@instruction
def store4(x, i, values):
    """Write four values into the elements i to i + 3."""
    _refuse_unaligned(x, i)
    for k in range(4):
        x[i + k] = values[k]


@instruction
def prefetch(x, i):
    """Let element i be brought to the cache of the card; this waits for nothing."""
    if not 0 <= i < x.size:
        raise StructureError(f"{x.name}[{i}] cannot be brought to the cache: there are {x.size} elements.")


def _refuse_unaligned(x, i):
    size = x.dtype.itemsize
    unit = min(BYTES, 4 * size)
    if (x.address + int(i) * size) % unit:
        raise StructureError(f"{x.name}[{i}]: four elements at once begin at a multiple of {unit} bytes.")
