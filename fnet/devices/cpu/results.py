"""Memory for results: on whole cache lines, and from blocks that earlier results have left.

New memory costs a page fault for every page that is first written. That takes longer than many an operation. So blocks
are used again. A result refers to the array that owns its block, and so does every view of the result. An owner that
only this module refers to has no user any more, and its block is free.
"""

from __future__ import annotations

import math
import os
import sys
import threading
from typing import Any

import numpy as np

from fnet.devices.cpu.blocks import ALIGNMENT

SMALLEST, LARGEST = 1 << 15, 1 << 25  # bytes of a block: what is smaller is soon in the caches, wherever it lies
LIMIT = 1 << 26  # bytes of all blocks together, used or not
EACH = 32  # blocks of one size: one that is not used is looked for among all of them


class Owner(np.ndarray):
    """The memory of a block: of a class that is not NumPy's, so that views of a result have that for their base."""


Block = tuple[Owner, int]
"""An owner, and where in it a cache line begins."""


def _references(block: Block) -> int:
    """How many references to the owner of a block there are, in the count of this interpreter."""
    return sys.getrefcount(block[0])


UNUSED = _references((Owner((1,), np.uint8), 0))
"""The references to an owner whose block nobody uses; versions of Python count those of a call differently."""

_blocks: dict[int, list[Block]] = {}
_lock = threading.RLock()
_is_looking = False  # for a block, which a signal's handler or a finalizer may interrupt


def is_reused(shape: tuple[int, ...], dtype: np.dtype) -> bool:
    """Whether results of this shape lie in blocks that are used again: their size makes it worth while."""
    return SMALLEST <= dtype.itemsize * math.prod(shape) <= LARGEST


def empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array of this shape whose contents have no meaning, as `numpy.empty`.

    >>> empty((2, 3), "float32").shape
    (2, 3)
    """
    global _is_looking  # noqa: PLW0603  (the blocks are those of the process)
    dtype = dtype if isinstance(dtype, np.dtype) else np.dtype(dtype)
    size = dtype.itemsize * math.prod(shape)
    if not SMALLEST <= size <= LARGEST:
        return np.empty(shape, dtype)
    with _lock:
        if _is_looking:
            return np.ndarray(shape, dtype, *_new(size))
        try:
            _is_looking = True
            blocks = _blocks.get(size, [])
            for block in blocks:
                if _references(block) == UNUSED:
                    return np.ndarray(shape, dtype, *block)
            block = _new(size)
            if len(blocks) < EACH and _make_room(size):
                _blocks.setdefault(size, []).append(block)
            return np.ndarray(shape, dtype, *block)
        finally:
            _is_looking = False


def _new(size: int) -> Block:
    owner = Owner((size + ALIGNMENT,), np.uint8)
    return owner, -owner.__array_interface__["data"][0] % ALIGNMENT


def clear() -> None:
    """Forget all blocks; those that arrays use live as long as these do."""
    with _lock:
        _blocks.clear()


def release() -> None:
    """Give back the blocks that nobody uses."""
    with _lock:
        _make_room(LIMIT)


def kept_bytes() -> int:
    """The memory of all blocks that are kept, used or not."""
    return sum(size * len(blocks) for size, blocks in _blocks.items())


def _make_room(size: int) -> bool:
    """Whether a block of this size may be kept, once those that nobody uses have gone as far as needed."""
    excess = kept_bytes() + size - LIMIT
    for other in list(_blocks):
        blocks = _blocks[other]
        for number in range(len(blocks) - 1, -1, -1):
            if excess <= 0:
                return True
            if _references(blocks[number]) == UNUSED:
                del blocks[number]
                excess -= other
        if not blocks:
            del _blocks[other]
    return excess <= 0


def _renew_lock() -> None:
    global _lock, _is_looking
    _lock, _is_looking = threading.RLock(), False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
