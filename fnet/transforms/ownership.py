"""Results that belong to the caller: writeable arrays that share memory with nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fnet.device_array import DeviceArray
from fnet.transforms.tracer import Tracer


class Own:
    """Copies what may show in one of `others`, or in an array that it gave before; traced values stay as they are."""

    def __init__(self, others: Iterable[Any]) -> None:
        self._roots: dict[int, Any] = {}
        for x in others:
            if isinstance(x, np.ndarray):
                self._roots[id(x if x.base is None else _root(x))] = x
            elif isinstance(x, DeviceArray):
                self._roots[id(x.memory)] = x

    def __call__(self, x: Any) -> Any:
        if isinstance(x, Tracer):
            return x
        if isinstance(x, DeviceArray):
            x = x.copy() if id(x.memory) in self._roots else x
        elif not x.flags.writeable or id(_root(x)) in self._roots:
            x = np.array(x)
        self._roots[id(_root(x))] = x
        return x


def _root(array: Any) -> Any:
    """What owns the memory of an array."""
    root = array.memory if isinstance(array, DeviceArray) else array
    while isinstance(root, np.ndarray) and root.base is not None:
        root = root.base
    return root
