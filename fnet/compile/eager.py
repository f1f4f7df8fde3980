"""Eager execution: one primitive on arrays, by the same kernels and the same rules as in a plan."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.compile.lower import lower
from fnet.device import cpu, device_of
from fnet.spec import SUPPORTED, ArraySpec, check_dtype


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
    result = primitive.abstract(*[ArraySpec(x.shape, x.dtype) for x in arrays], **params)
    if primitive.view is not None:
        return device.viewed(arrays[0], primitive.view, params)
    outputs = [device.empty(spec.shape, spec.dtype) for spec in (result if primitive.multiple else (result,))]
    lower(primitive, [device.ref(x) for x in arrays], [device.ref(y) for y in outputs], params, device.emitter)
    return tuple(outputs) if primitive.multiple else outputs[0]
