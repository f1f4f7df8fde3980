"""Files that are mapped into memory: whether they still have what is asked for."""

from __future__ import annotations

import mmap

import numpy as np


def check_mapped(part: np.memmap) -> None:
    """Raise an `OSError` where the file of an `np.memmap` has become shorter than this part of it.

    A page behind the end of a file ends the process by a signal that Python cannot catch (SIGBUS), and the rest of the
    last page reads as zeros. Between this check and the reading a file can still be cut off.
    """
    mapped = getattr(part, "_mmap", None)
    if mapped is None or not part.size:
        return
    first = np.frombuffer(mapped, np.uint8).__array_interface__["data"][0]
    begin = part.offset - part.offset % mmap.ALLOCATIONGRANULARITY
    needed, there = begin + np.lib.array_utils.byte_bounds(part)[1] - first, mapped.size()
    if there < needed:
        raise OSError(f"the file '{part.filename}' has {there} bytes, of which {needed} were mapped")
