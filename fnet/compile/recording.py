"""The calls of kernels that compute one primitive, kept to be run on any arrays of the same shapes and layouts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fnet.compile.emit import Ref, Shape, contiguous_strides
from fnet.compile.lower import lower
from fnet.device import Device
from fnet.spec import ArraySpec


@dataclass(frozen=True, slots=True)
class Layout:
    """An argument: its shape, its dtype, and how its elements follow one another in memory."""

    shape: Shape
    dtype: np.dtype
    row_major: bool = True

    @property
    def strides(self) -> Shape:
        """The strides in elements."""
        if self.row_major:
            return contiguous_strides(self.shape)
        return contiguous_strides(self.shape[::-1])[::-1]


class Recording:
    """An `Emitter` that keeps the calls of kernels; the buffers of their windows are numbers.

    First come the arguments, then the results, then the memory of `extra`: sizes and dtypes of scratch memory, and
    constants.
    """

    def __init__(self, device: Device, known: int) -> None:
        self.device = device
        self.known = known
        self.extra: list[tuple[int, np.dtype] | np.ndarray] = []
        self.calls: list[tuple[Callable[..., Any], tuple[Ref | int, ...]]] = []

    def call(self, kernel: Callable[..., Any], *args: Ref | int, touched: int | None = None) -> None:
        self.calls.append((kernel, args))

    def scratch(self, size: int, dtype: np.dtype) -> Ref:
        size, dtype = max(size, 1), np.dtype(dtype)
        return self._more((size, dtype), dtype, (size,))

    def constant(self, value: np.ndarray) -> Ref:
        value = np.array(value, order="C")
        return self._more(value.reshape(-1), value.dtype, value.shape)

    def counters(self, count: int) -> Ref:
        return self.constant(np.zeros(count, np.uint32))

    def _more(self, memory: tuple[int, np.dtype] | np.ndarray, dtype: np.dtype, shape: Shape) -> Ref:
        self.extra.append(memory)
        return Ref.whole(self.known + len(self.extra) - 1, dtype, shape)


def record(
    primitive: Any, device: Device, inputs: Sequence[Layout], params: dict[str, Any]
) -> tuple[Recording, list[ArraySpec]]:
    """The calls that compute `primitive` on a device, for arguments that lie as `inputs` say; specs of the results."""
    result = primitive.abstract(*[ArraySpec(x.shape, x.dtype) for x in inputs], **params)
    specs = list(result) if primitive.multiple else [result]
    recording = Recording(device, len(inputs) + len(specs))
    sources = [Ref(number, x.dtype, x.shape, x.strides) for number, x in enumerate(inputs)]
    targets = [Ref.whole(number, y.dtype, y.shape) for number, y in enumerate(specs, len(inputs))]
    lower(primitive, sources, targets, params, recording)
    return recording, specs
