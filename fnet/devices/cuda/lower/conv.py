"""Convolution: matrix products whose operands are read in place."""

from __future__ import annotations

import math
from dataclasses import replace
from types import ModuleType

import numpy as np

from fnet.activation_codes import code as activation_code
from fnet.compile.emit import Emitter, Ref
from fnet.devices.cuda.grids import MOST_ELEMENTS
from fnet.devices.cuda.lower import index
from fnet.devices.cuda.lower.linalg import EPILOGUES, emit_product, emit_sum_of_parts
from fnet.devices.cuda.tiling import SMALLEST, Tiling, conv_tiling, tiles
from fnet.devices.cuda.windows import Windows, windows
from fnet.devices.lowering import lowering
from fnet.kernels import cuda
from fnet.taps import Axes

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
    found = windows(x.shape[0], axes, groups, depth, filters // groups, False)
    _gather(emit, inputs, y, found, (filters // groups, filters, 1), activation, precision)


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
    found = windows(g.shape[0], axes, groups, filters // groups, channels, True)
    _gather(emit, inputs, y, found, (filters // groups, 1, filters), activation, precision)


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
    (window,), table, _ = windows(x.shape[0], axes, groups, depth, columns, False)
    cut, family, level = _way(rows, columns, targets, groups, x, dw.size, precision, True)
    part, parts = cut.part, cut.parts
    if cut.tile == SMALLEST:
        part, parts = _parts(targets, tiles(rows, SMALLEST) * tiles(columns, SMALLEST) * groups)
        kernel, block = cuda.conv.weight_gradient, PLAIN
        sizes = cuda.conv.WEIGHT_SIZES.array(**window, part=part)
    else:
        kernel, block = getattr(family, level.format("weight_gradient")), cuda.conv_tiled.THREADS
        sizes = cuda.conv_tiled.WEIGHT_SIZES.array(**_divided(_in_runs(window)), part=part, k_step=groups * columns)
    partial = emit.scratch(parts * dw.size, dw.dtype) if parts > 1 else dw
    launch = kernel[_grid(rows, columns, cut, groups * parts), block]
    emit.call(launch, x, g, partial, emit.constant(table), emit.constant(sizes))
    if parts > 1:
        emit_sum_of_parts(emit, partial, dw, parts)


def _gather(
    emit: Emitter, inputs: list[Ref], y: Ref, found: Windows, steps: tuple[int, int, int], activation: str,
    precision: str,
) -> None:  # fmt: skip
    """Emit a product of windows and weights; steps: of the weights, from one group, row and column to the next."""
    x, w, *bias = inputs
    if y.size == 0:
        return
    targets = max(w["samples"] * w["lines"] * w["line"] for w in found.sizes)  # of a residue
    columns, groups, residues = found.sizes[0]["columns"], found.sizes[0]["groups"], len(found.sizes)
    k = max(w["taps"] * w["depth"] for w in found.sizes)
    epilogue = {"bias": int(bool(bias)), "act": activation_code(activation)}
    cut, family, level = _way(targets, columns, k, groups * residues, x, 0, precision, False)
    group_step, row_step, column_step = steps
    if cut.tile == SMALLEST:
        epilogue |= {"group_step": group_step, "row_step": row_step, "column_step": column_step}
        epilogue["tap_step"] = w.shape[-2] * w.shape[-1]
        rows = zip(found.sizes, found.tap_tables, strict=True)
        sizes = [cuda.conv.SIZES.array(**window, tap_table=taps, **epilogue) for window, taps in rows]
        kernel, block = cuda.conv.gather, PLAIN
    else:
        if column_step != 1:
            w, group_step, row_step = _turned(emit, w, groups, found.taps)
        epilogue |= {"group_step": group_step, "k_step": row_step, "part": 0}
        sizes = [cuda.conv_tiled.SIZES.array(**_divided(_in_runs(window)), **epilogue) for window in found.sizes]
        kernel, block = getattr(family, level.format("gather")), cuda.conv_tiled.THREADS
    launch = kernel[_grid(targets, columns, cut, groups, residues), block]
    numbers = emit.constant(np.concatenate(sizes))
    emit.call(launch, x, w, bias[0] if bias else y, y, emit.constant(found.table), numbers)


def _turned(emit: Emitter, w: Ref, groups: int, order: np.ndarray) -> tuple[Ref, int, int]:
    """A copy of weights with the axes group, tap, filter, channel; its steps from one group and filter to the next.

    order: of the taps.
    """
    *_, channels, filters = w.shape
    taps = w.size // (channels * filters)
    if np.any(order != np.arange(taps)):
        ordered = emit.scratch(w.size, w.dtype)
        w = replace(Ref.whole(w.buffer, w.dtype, (taps, channels, filters)), offset=w.offset)
        ordered = replace(Ref.whole(ordered.buffer, w.dtype, w.shape), offset=ordered.offset)
        index.take(emit, [w, emit.constant(order)], [ordered], axis=0)
        w = ordered
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
    rows: int, columns: int, k: int, groups: int, source: Ref, result: int, precision: str, in_parts: bool
) -> tuple[Tiling, ModuleType, str]:
    """How a product is cut, and which kernel computes it: its family, and its name around that of what is computed.

    result: elements of it. Only products of float32 have other tiles than plain ones here, and pixels and weights that
    are counted in 32 bits.
    """
    if source.dtype != np.float32 or max(source.size, result) >= MOST_ELEMENTS:
        return Tiling(SMALLEST, k, 1), cuda.conv, "{}"
    cut, by_tensor_cores = conv_tiling(rows, columns, k, groups, precision, in_parts)
    if by_tensor_cores:
        return cut, cuda.conv_tensor, f"{precision}_{{}}{'_narrow' if cut.is_narrow and not in_parts else ''}"
    return cut, cuda.conv_tiled, f"{{}}_{'narrow' if cut.is_narrow else cut.tile}"


def _in_runs(window: dict[str, int]) -> dict[str, int]:
    """The same window with one channel, whose last axis runs over pixels and channels, where it can be seen so.

    Taps side by side read what lies side by side, so that four elements need no pixel of their own.
    """
    depth = window["depth"]
    if window["groups"] > 1 or window["step"] != 1 or depth % 4 == 0:
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


def _grid(rows: int, columns: int, cut: Tiling, layers: int, residues: int = 1) -> tuple[int, int, int]:
    """A block for each tile of a product, of the largest residue for each residue, in so many layers."""
    return residues * tiles(rows, cut.tile) * tiles(columns, cut.columns), 1, layers


def _parts(targets: int, blocks: int) -> tuple[int, int]:
    """How many targets a part has, and how many parts there are, for so many blocks that have the same part."""
    wanted = min(-(-BLOCKS // blocks), targets // PART)
    part = -(-targets // max(wanted, 1))
    return part, max(1, -(-targets // max(part, 1)))
