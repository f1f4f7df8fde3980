"""Eager execution: one primitive on arrays, by the same kernels and the same rules as in a plan."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.device import cpu, device_of
from fnet.spec import SUPPORTED, check_dtype


def evaluate(primitive: Any, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """Compute `primitive` on arrays; returns an array, or a tuple of them when it has several results."""
    device, arrays = cpu(), args
    for x in args:
        if type(x) is not np.ndarray:
            device = device_of(args)
            arrays = tuple(map(device.operand, args))
            break
    for x in arrays:
        if x.dtype not in SUPPORTED:
            check_dtype(x.dtype)
    if primitive.view is not None:
        return device.viewed(arrays[0], primitive, params)
    results = device.compute(primitive, arrays, params)
    return tuple(results) if primitive.multiple else results[0]
