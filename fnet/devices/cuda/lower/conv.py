"""Convolution: matrix products whose operands are read in place."""

from __future__ import annotations

import math

import numpy as np

from fnet.activation_codes import code as activation_code
from fnet.compile.emit import Emitter, Ref
from fnet.devices.cuda.grids import spread
from fnet.devices.cuda.lower.linalg import EPILOGUES
from fnet.devices.lowering import lowering
from fnet.kernels import cuda
from fnet.taps import Axes, Axis

BLOCKS = 1024  # of a weight gradient that are enough
PART = 256  # pixels that are worth a block


@lowering(absorbs=EPILOGUES)
def conv(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axes: Axes, groups: int, **params: str) -> None:
    """Targets are output pixels, and the columns filters."""
    depth, filters = inputs[1].shape[-2:]
    sizes = {
        **_window(inputs[0].shape[0], axes, groups, depth, filters // groups, False),
        "group_step": filters // groups, "tap_step": depth * filters, "row_step": filters, "column_step": 1,
    }  # fmt: skip
    _gather(emit, inputs, outputs[0], _lines(axes[:-1], False), sizes, **params)


@lowering(absorbs=EPILOGUES)
def conv_input(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axes: Axes, groups: int, **params: str) -> None:
    """Targets are input pixels, and the columns channels."""
    channels, filters = inputs[1].shape[-2:]
    sizes = {
        **_window(inputs[0].shape[0], axes, groups, filters // groups, channels, True),
        "group_step": filters // groups, "tap_step": channels * filters, "row_step": 1, "column_step": filters,
    }  # fmt: skip
    _gather(emit, inputs, outputs[0], _lines(axes[:-1], True), sizes, **params)


@lowering()
def conv_weight(
    emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axes: Axes, groups: int, **params: str
) -> None:
    """Blocks sum over parts of the output pixels, then the parts are summed."""
    (x, g), (dw,) = inputs, outputs
    if dw.size == 0:
        return
    depth, columns = dw.shape[-2], dw.shape[-1] // groups
    rows, targets = dw.size // dw.shape[-1], math.prod(g.shape[:-1])
    tiles = _tiles(rows), _tiles(columns)
    part, parts = _parts(targets, math.prod(tiles) * groups)
    partial = emit.scratch(parts * dw.size, dw.dtype) if parts > 1 else dw
    window = _window(x.shape[0], axes, groups, depth, columns, False)
    sizes, leads = cuda.conv.WEIGHT_SIZES.array(**window, part=part), _lines(axes[:-1], False)
    launch = cuda.conv.weight_gradient[(*tiles, groups * parts), (cuda.conv.TILE, cuda.conv.TILE)]
    emit.call(launch, x, g, partial, emit.constant(leads), emit.constant(sizes))
    if parts > 1:
        emit.call(cuda.conv.sum_parts[spread(dw.size)], partial, dw, parts, dw.size)


def _gather(
    emit: Emitter, inputs: list[Ref], y: Ref, leads: np.ndarray, sizes: dict[str, int], activation: str = "linear",
    precision: str = "highest",
) -> None:  # fmt: skip
    """Emit a product; sizes: of the window and of the weights."""
    x, w, *bias = inputs
    if y.size == 0:
        return
    grid = _tiles(math.prod(y.shape[:-1])), _tiles(sizes["columns"]), sizes["groups"]
    values = cuda.conv.SIZES.array(**sizes, bias=int(bool(bias)), act=activation_code(activation))
    launch = cuda.conv.gather[grid, (cuda.conv.TILE, cuda.conv.TILE)]
    emit.call(launch, x, w, bias[0] if bias else y, y, emit.constant(leads), emit.constant(values))


def _window(samples: int, axes: Axes, groups: int, depth: int, columns: int, transposed: bool) -> dict[str, int]:
    """The sizes of `fnet.kernels.cuda.conv.WINDOW`; transposed: targets are inputs, not outputs."""
    last = axes[-1]
    targets, sources = [_ends(axis, transposed) for axis in axes], [_ends(axis, not transposed) for axis in axes]
    scale, step, offset, divisor = _movement(last, transposed)
    return {
        "samples": samples, "groups": groups, "depth": depth, "columns": columns,
        "lines": math.prod(targets[:-1]), "line": targets[-1], "pixels": math.prod(sources),
        "taps": math.prod(axis.kernel for axis in axes), "last_taps": last.kernel,
        "scale": scale, "step": step, "offset": offset, "divisor": divisor, "limit": sources[-1],
    }  # fmt: skip


def _ends(axis: Axis, transposed: bool) -> int:
    """The targets along an axis."""
    return axis.size if transposed else axis.outputs


def _movement(axis: Axis, transposed: bool) -> tuple[int, int, int, int]:
    """The scale, step, offset and divisor by which targets and taps along an axis give places of the source."""
    if transposed:
        return 1, -axis.dilation, axis.before, axis.stride
    return axis.stride, axis.dilation, -axis.before, 1


def _lines(axes: Axes, transposed: bool) -> np.ndarray:
    """What taps (rows) of these axes read for targets (columns): positions in the source, -1 outside of it."""
    found = np.zeros((1, 1), np.int32)
    for axis in axes:
        scale, step, offset, divisor = _movement(axis, transposed)
        targets, limit = np.arange(_ends(axis, transposed)), _ends(axis, not transposed)
        places = targets * scale + np.arange(axis.kernel)[:, None] * step + offset
        inside = (places % divisor == 0) & (places >= 0) & (places < limit * divisor)
        outer, inner = found[:, None, :, None], np.where(inside, places // divisor, -1)[:, None]
        both = np.where((outer < 0) | (inner < 0), -1, outer * limit + inner)
        found = both.reshape(len(found) * axis.kernel, -1).astype(np.int32)
    return found.reshape(-1)


def _parts(targets: int, blocks: int) -> tuple[int, int]:
    """How many targets a part has, and how many parts there are, for so many blocks that have the same part."""
    wanted = min(-(-BLOCKS // blocks), targets // PART)
    part = -(-targets // max(wanted, 1))
    return part, max(1, -(-targets // max(part, 1)))


def _tiles(n: int) -> int:
    return -(-n // cuda.conv.TILE)
