"""Linear maps that are no views: a part in its place among zeros, and arrays side by side, by a launch each.

What the kernels do not take is filled and copied, as on every device.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import accumulate
from typing import Any

from fnet.compile.emit import Emitter, Ref, contiguous, contiguous_strides, copy
from fnet.devices import linear_maps
from fnet.devices.cuda.grids import MOST_ELEMENTS, spread
from fnet.devices.lowering import lowering
from fnet.kernels import cuda


@lowering(strided=True)
def place(
    emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, shape: tuple[int, ...], index: tuple[Any, ...]
) -> None:
    """One launch where the part is less than the whole along one axis only, and in its order."""
    (source,), (target,) = inputs, outputs
    of_axes = [part for part in index if part is not None]  # an axis of one element more changes no places
    parts = [(axis, part) for axis, part in enumerate(of_axes) if not _is_whole(part, shape[axis])]
    if not parts:
        copy(
            contiguous(source, emit),
            replace(target, shape=source.shape, strides=contiguous_strides(source.shape)),
            emit,
        )
        return
    axis, part = parts[0]
    taken = range(shape[axis])[slice(*part)] if isinstance(part, tuple) else [part % shape[axis]]
    step = taken.step if isinstance(taken, range) else 1
    if len(parts) > 1 or step < 1 or not source.size or target.size >= MOST_ELEMENTS:
        linear_maps.place(emit, inputs, outputs, shape=shape, index=index)
        return
    launch = cuda.assemble.place[spread(-(-target.size // 4))]
    sizes = shape[axis], taken[0], step, len(taken), math.prod(shape[axis + 1 :])
    emit.call(launch, contiguous(source, emit), target, *sizes)


@lowering(strided=True)
def concatenate(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axis: int) -> None:
    """One launch for four arrays."""
    (target,) = outputs
    inputs = [source for source in inputs if source.size]
    if len(inputs) < 2 or target.size >= MOST_ELEMENTS:
        linear_maps.concatenate(emit, inputs, outputs, axis=axis)
        return
    rows, inner = math.prod(target.shape[:axis]), math.prod(target.shape[axis + 1 :])
    start, most = 0, cuda.assemble.MOST
    for begin in range(0, len(inputs), most):
        some = [contiguous(source, emit) for source in inputs[begin : begin + most]]
        ends = list(accumulate(source.shape[axis] * inner for source in some))
        size = rows * ends[-1]
        ends += [ends[-1]] * (most - len(ends))
        places = {f"end{k}": end for k, end in enumerate(ends)}
        width = target.shape[axis] * inner
        sizes = cuda.assemble.SIZES.array(first=start, **places, width=width, rows=rows)
        launch = cuda.assemble.concatenate[spread(-(-size // 4))]
        emit.call(launch, *some, *some[-1:] * (most - len(some)), target, emit.constant(sizes))
        start += ends[-1]


def _is_whole(part: Any, size: int) -> bool:
    """Whether a part of an index is all of an axis."""
    return isinstance(part, tuple) and range(size)[slice(*part)] == range(size)
