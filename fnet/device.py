"""What a device is: where arrays lie and kernels run. The devices themselves are in `fnet.devices`."""

from __future__ import annotations

import functools
import importlib
from typing import Any, Protocol


class Rule(Protocol):
    """How one device computes one primitive: ``rule(emit, inputs, outputs, **params)`` emits calls of kernels.

    strided: it takes inputs of any layout; otherwise they are row-major.
    absorbs: names of the elementwise operations that may follow at once, given as ``activation=``.
    masks_behind: name of the primitive whose gradient it computes and whose absorbed relu it can apply to that.
    """

    strided: bool
    absorbs: tuple[str, ...]
    masks_behind: str

    def __call__(self, emit: Any, inputs: list[Any], outputs: list[Any], **params: Any) -> None: ...


class Device(Protocol):
    """A place where arrays lie and kernels run."""

    name: str

    def rule(self, primitive: Any) -> Rule:
        """The lowering rule of a primitive; an error that names both where there is none."""
        ...


@functools.cache
def cpu() -> Device:
    """The device of NumPy's arrays."""
    return importlib.import_module("fnet.devices.cpu.device").DEVICE
