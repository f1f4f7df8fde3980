"""Linear maps that are no views: a part in its place among zeros, and arrays side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fnet.compile.emit import Emitter, Ref, copy
from fnet.devices.lowering import lowering


@lowering(strided=True)
def place(
    emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, shape: tuple[int, ...], index: tuple[Any, ...]
) -> None:
    """Zeros everywhere, then the part over those in its place."""
    (source,), (target,) = inputs, outputs
    window = tuple(slice(*i) if isinstance(i, tuple) else i for i in index)
    emit.device.fill(target, 0, emit)
    copy(source, target.viewed(lambda whole: whole[(*window, ...)]), emit)


@lowering(strided=True)
def concatenate(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axis: int) -> None:
    """One copy for each array."""
    (target,) = outputs
    start = 0
    for source in inputs:
        offset = target.offset + start * target.strides[axis]
        copy(source, replace(target, shape=source.shape, offset=offset), emit)
        start += source.shape[axis]
