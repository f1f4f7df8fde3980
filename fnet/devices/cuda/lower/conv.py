"""Convolution: matrix products whose operands are read in place."""

from __future__ import annotations

import math
from dataclasses import replace
from types import ModuleType

import numpy as np

from fnet.activation_codes import code as activation_code
from fnet.compile.emit import Emitter, Ref
from fnet.devices.cuda.lower.linalg import EPILOGUES, emit_product, emit_sum_of_parts
from fnet.devices.cuda.tiling import SMALLEST, Tiling, tensor_tiling, tiles, tiling
from fnet.devices.lowering import lowering
from fnet.kernels import cuda
from fnet.taps import Axes, Axis

PLAIN = (SMALLEST, SMALLEST)
BLOCKS = 1024  # of a weight gradient in plain tiles that are enough
PART = 256  # pixels that are worth a block


@lowering(absorbs=EPILOGUES)
def conv(
    emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axes: Axes, groups: int, activation: str = "linear",
    precision: str = "highest",
) -> None:  # fmt: skip
    """Targets are output pixels, and the columns filters."""
    (x, w, *bias), (y,) = inputs, outputs
    depth, filters = w.shape[-2:]
    if _is_matrix(axes, groups):
        emit_product(
            emit, x, w, y, bias[0] if bias else None, (_pixels(y), depth, filters), (1, 0, 0), activation, precision
        )
        return
    window = _window(x.shape[0], axes, groups, depth, filters // groups, False)
    _gather(emit, inputs, y, _lines(axes[:-1], False), window, (filters // groups, filters, 1), activation, precision)


@lowering(absorbs=EPILOGUES)
def conv_input(
    emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axes: Axes, groups: int, activation: str = "linear",
    precision: str = "highest",
) -> None:  # fmt: skip
    """Targets are input pixels, and the columns channels."""
    (g, w, *bias), (y,) = inputs, outputs
    channels, filters = w.shape[-2:]
    if _is_matrix(axes, groups):
        turned = w.viewed(np.swapaxes, axis1=-1, axis2=-2)
        emit_product(
            emit,
            g,
            turned,
            y,
            bias[0] if bias else None,
            (_pixels(y), filters, channels),
            (1, 0, 0),
            activation,
            precision,
        )
        return
    window = _window(g.shape[0], axes, groups, filters // groups, channels, True)
    _gather(emit, inputs, y, _lines(axes[:-1], True), window, (filters // groups, 1, filters), activation, precision)


@lowering()
def conv_weight(
    emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axes: Axes, groups: int, precision: str = "highest"
) -> None:
    """Blocks sum over parts of the output pixels, then the parts are summed."""
    (x, g), (dw,) = inputs, outputs
    if dw.size == 0:
        return
    depth, columns = dw.shape[-2], dw.shape[-1] // groups
    rows, targets = dw.size // dw.shape[-1], _pixels(g)
    if _is_matrix(axes, groups):
        turned = Ref.whole(x.buffer, x.dtype, (targets, depth)).viewed(np.transpose)
        emit_product(
            emit,
            replace(turned, offset=x.offset),
            g,
            dw,
            None,
            (depth, targets, columns),
            (1, 0, 0),
            "linear",
            precision,
        )
        return
    window = _window(x.shape[0], axes, groups, depth, columns, False)
    cut, family, level = _way(rows, columns, targets, groups, dw.dtype, precision, True)
    part, parts = cut.part, cut.parts
    if cut.tile == SMALLEST:
        part, parts = _parts(targets, tiles(rows, SMALLEST) * tiles(columns, SMALLEST) * groups)
        kernel, block = cuda.conv.weight_gradient, PLAIN
        sizes = cuda.conv.WEIGHT_SIZES.array(**window, part=part)
    else:
        kernel, block = getattr(family, level.format("weight_gradient")), cuda.conv_tiled.THREADS
        sizes = cuda.conv_tiled.WEIGHT_SIZES.array(**_divided(_in_runs(window)), part=part, k_step=groups * columns)
    partial = emit.scratch(parts * dw.size, dw.dtype) if parts > 1 else dw
    launch = kernel[_grid(rows, columns, cut.tile, groups * parts), block]
    emit.call(launch, x, g, partial, emit.constant(_lines(axes[:-1], False)), emit.constant(sizes))
    if parts > 1:
        emit_sum_of_parts(emit, partial, dw, parts)


def _gather(
    emit: Emitter, inputs: list[Ref], y: Ref, leads: np.ndarray, window: dict[str, int], steps: tuple[int, int, int],
    activation: str, precision: str,
) -> None:  # fmt: skip
    """Emit a product of windows and weights; steps: of the weights, from one group, row and column to the next."""
    x, w, *bias = inputs
    if y.size == 0:
        return
    targets, columns, groups = _pixels(y), window["columns"], window["groups"]
    epilogue = {"bias": int(bool(bias)), "act": activation_code(activation)}
    k = window["taps"] * window["depth"]
    cut, family, level = _way(targets, columns, k, groups, y.dtype, precision, False)
    group_step, row_step, column_step = steps
    if cut.tile == SMALLEST:
        tap_step = w.shape[-2] * w.shape[-1]
        sizes = cuda.conv.SIZES.array(
            **window, group_step=group_step, tap_step=tap_step, row_step=row_step, column_step=column_step, **epilogue
        )
        kernel, block = cuda.conv.gather, PLAIN
    else:
        if column_step != 1:
            w, group_step, row_step = _turned(emit, w, groups)
        sizes = cuda.conv_tiled.SIZES.array(
            **_divided(_in_runs(window)), part=0, group_step=group_step, k_step=row_step, **epilogue
        )
        kernel, block = getattr(family, level.format("gather")), cuda.conv_tiled.THREADS
    launch = kernel[_grid(targets, columns, cut.tile, groups), block]
    emit.call(launch, x, w, bias[0] if bias else y, y, emit.constant(leads), emit.constant(sizes))


def _turned(emit: Emitter, w: Ref, groups: int) -> tuple[Ref, int, int]:
    """A copy of weights with the axes group, tap, filter, channel; its steps from one group and filter to the next."""
    *_, channels, filters = w.shape
    taps = w.size // (channels * filters)
    by_group = Ref.whole(w.buffer, w.dtype, (taps, channels, groups, filters // groups))
    turned = replace(by_group, offset=w.offset).viewed(np.transpose, axes=(2, 0, 3, 1))
    made = emit.scratch(w.size, w.dtype)
    made = replace(Ref.whole(made.buffer, made.dtype, turned.shape), offset=made.offset)
    emit.device.copy(turned, made, emit)
    return replace(made, shape=(w.size,), strides=(1,)), w.size // groups, channels


def _is_matrix(axes: Axes, groups: int) -> bool:
    """Whether each pixel of the output is the product of one pixel of the input and one matrix."""
    return groups == 1 and all(a.kernel == a.stride == 1 and a.before == 0 and a.outputs == a.size for a in axes)


def _way(
    rows: int, columns: int, k: int, groups: int, dtype: np.dtype, precision: str, in_parts: bool
) -> tuple[Tiling, ModuleType, str]:
    """How a product is cut, and which kernel computes it: its family, and its name around that of what is computed.

    Only products of float32 have other tiles than plain ones here.
    """
    if dtype != np.float32:
        return Tiling(SMALLEST, k, 1), cuda.conv, "{}"
    cut = None if precision == "highest" else tensor_tiling(rows, columns, k, groups, in_parts)
    if cut is not None:
        return cut, cuda.conv_tensor, f"{precision}_{{}}"
    cut = tiling(rows, columns, k, groups, dtype, in_parts)
    return cut, cuda.conv_tiled, f"{{}}_{cut.tile}"


def _in_runs(window: dict[str, int]) -> dict[str, int]:
    """The same window with one channel, whose last axis runs over pixels and channels, where it can be seen so.

    Taps side by side read what lies side by side, so that four elements need no pixel of their own.
    """
    depth = window["depth"]
    if window["groups"] > 1 or window["step"] != 1 or window["divisor"] != 1 or depth % 4 == 0:
        return window
    longer = ("pixels", "taps", "last_taps", "scale", "offset", "limit")
    return {**window, "depth": 1, **{name: depth * window[name] for name in longer}}


def _divided(window: dict[str, int]) -> dict[str, int]:
    """The window, and by what to multiply and shift instead of dividing by its numbers."""
    found = dict(window)
    for name in cuda.window_operand.DIVISORS:
        found[f"{name}_by"], found[f"{name}_shift"] = cuda.window_operand.multiplier(max(1, window[name]))
    return found


def _pixels(image: Ref) -> int:
    """The pixels of all samples."""
    return math.prod(image.shape[:-1])


def _grid(rows: int, columns: int, tile: int, layers: int) -> tuple[int, int, int]:
    """A block for each tile of a product, in so many layers."""
    return tiles(rows, tile) * tiles(columns, tile), 1, layers


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
