"""Convolution: direct kernels that read the input in place, chosen by sizes and by the level of precision."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fnet.activation_codes import code as activation_code
from fnet.compile.emit import Emitter, Ref, contiguous, copy
from fnet.devices.cpu.lower.linalg import EPILOGUES
from fnet.devices.lowering import lowering
from fnet.kernels import cpu
from fnet.kernels.cpu.operands import PAIRS
from fnet.kernels.cpu.runtime import ways
from fnet.kernels.cpu.vector import amx
from fnet.taps import Axes


@lowering(absorbs=EPILOGUES)
def conv(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axes: Axes, groups: int, **params: str) -> None:
    """The rows of packed weights are (tap, channel), their columns filters."""
    x, w, *bias = inputs
    depth, filters = w.shape[-2:]
    if groups == 1 and _takes_tiles(**params):
        pairs = cpu.conv_tiles.pair_count(depth)
        table = cpu.conv_table.output_table(axes, pairs, filters, pairs)
        if cpu.conv_tiles.gains(table, x.shape[0], filters):
            _gather_tiles(emit, [x, w, *bias], outputs[0], table, 0, **params)
            return
    if depth % 2 == 0 and _gains(_pixels(x), filters, depth, groups, **params):
        x, w, depth = _paired(emit, x), _paired_above(emit, w), depth // 2
    sizes, steps = (depth * groups, filters, depth), _Steps(0, filters // groups, depth * filters, filters, 1)
    tables = cpu.conv_table.output_taps, cpu.conv_table.output_table
    _gather(emit, [x, w, *bias], outputs[0], tables, axes, sizes, groups, filters // groups, steps, **params)


@lowering(absorbs=EPILOGUES)
def conv_input(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axes: Axes, groups: int, **params: str) -> None:
    """The rows of packed weights are (reversed tap, filter), their columns channels."""
    g, w, *bias = inputs
    channels, filters = w.shape[-2:]
    if groups == 1 and _takes_tiles(**params):
        pairs = cpu.conv_tiles.pair_count(filters)
        table = cpu.conv_table.input_table(axes, channels, pairs, pairs)
        if cpu.conv_tiles.gains(table, g.shape[0], channels):
            turned = Ref(w.buffer, w.dtype, _swapped(w.shape), _swapped(w.strides), w.offset)
            _gather_tiles(emit, [g, contiguous(turned, emit), *bias], outputs[0], table, 1, **params)
            return
    if filters % 2 == 0 and _gains(_pixels(g), channels, filters, groups, **params):
        g, w, filters = _paired(emit, g), _paired(emit, w), filters // 2
    elif groups == 1 and cpu.conv_scatter.gains(axes, channels, filters, g.dtype):
        _scatter(emit, [g, w, *bias], outputs[0], axes, **params)
        return
    depth = filters // groups
    sizes, steps = (channels * groups, filters, depth), _Steps(1, depth, channels * filters, 1, filters)
    tables = cpu.conv_table.input_taps, cpu.conv_table.input_table
    _gather(emit, [g, w, *bias], outputs[0], tables, axes, sizes, groups, channels, steps, **params)


class _Steps(NamedTuple):
    """Whether taps of weights are counted backwards, and how far apart their groups, taps, rows and columns are."""

    reverse: int
    group_step: int
    tap_step: int
    row_step: int
    column_step: int


def _pixels(x: Ref) -> int:
    """The pixels of all samples."""
    return math.prod(x.shape[:-1])


def _swapped(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The last two sizes exchanged."""
    return (*sizes[:-2], sizes[-1], sizes[-2])


def _takes_tiles(precision: str = "highest", **params: str) -> bool:
    """Whether this level of precision computes with tiles."""
    return ways.takes_tiles(precision)


def _gains(pixels: int, columns: int, depth: int, groups: int, precision: str = "highest", **params: str) -> bool:
    """Whether to compute with pairs of bfloat16."""
    enough = groups == 1 and cpu.gemm_bfloat16.large_enough(pixels, columns, depth)
    return enough and ways.takes_pairs(precision)


def _words(emit: Emitter, shape: tuple[int, ...]) -> Ref:
    """Scratch memory for pairs of bfloat16."""
    return Ref.whole(emit.scratch(math.prod(shape), PAIRS).buffer, PAIRS, shape)


def _paired(emit: Emitter, x: Ref) -> Ref:
    """Pairs of neighbours on the last axis, which has an even size."""
    rows, columns = x.shape[0], math.prod(x.shape[1:])
    words = _words(emit, (*x.shape[:-1], x.shape[-1] // 2))
    emit.call(cpu.bfloat16.pair_columns, x, words, rows, columns, columns)
    return words


def _paired_samples(emit: Emitter, x: Ref) -> Ref:
    """Pairs of neighbours on the first axis; a last one alone has zeros beside it."""
    samples, *rest = x.shape
    words, size = _words(emit, ((samples + 1) // 2, *rest)), math.prod(rest)
    emit.call(cpu.bfloat16.pair_rows, x, words, samples, size, size)
    return words


def _paired_above(emit: Emitter, w: Ref) -> Ref:
    """Pairs of neighbours on the second-last axis, which has an even size."""
    *taps, depth, filters = w.shape
    words = _words(emit, (*taps, depth // 2, filters))
    emit.call(cpu.bfloat16.pair_rows, w, words, math.prod(taps) * depth, filters, filters)
    return words


def _gather(
    emit: Emitter, inputs: list[Ref], y: Ref, tables: tuple[Callable[..., np.ndarray], Callable[..., np.ndarray]],
    axes: Axes, sizes: tuple[int, int, int], groups: int, columns: int, steps: _Steps, **params: str,
) -> None:  # fmt: skip
    """Sums over taps and channels: tap by tap where images are small and channels many, else over all of them at once.

    tables: where the taps of either way read, made for these axes and sizes (channels, filters, depth of a group).
    """
    depth = sizes[-1]
    by_taps = cpu.conv_taps.gains(_pixels(y) // max(y.shape[0], 1), depth)
    gather, table = (_gather_taps if by_taps else _gather_all), tables[0 if by_taps else 1](axes, *sizes)
    gather(emit, inputs, y, table, groups, depth, columns, steps, **params)


def _gather_all(
    emit: Emitter, inputs: list[Ref], y: Ref, table: np.ndarray, groups: int, depth: int, columns: int,
    steps: _Steps, activation: str = "linear", precision: str = "highest",
) -> None:  # fmt: skip
    """The weights are packed before."""
    x, w, *bias = inputs
    taps = math.prod(w.shape[:-2])
    packed = emit.scratch(cpu.conv.packed_size(taps * depth, columns, groups, y.dtype), w.dtype)
    sizes = emit.constant(_sizes(inputs, y, groups, depth, columns, steps, activation))
    emit.call(cpu.conv.pack, w, packed, sizes)
    emit.call(cpu.conv.gather, x, packed, bias[0] if bias else y, y, emit.constant(table), sizes)


def _gather_taps(
    emit: Emitter, inputs: list[Ref], y: Ref, table: np.ndarray, groups: int, depth: int, columns: int,
    steps: _Steps, activation: str = "linear", precision: str = "highest",
) -> None:  # fmt: skip
    """The weights are copied tap by tap where they are used."""
    x, w, *bias = inputs
    samples = x.shape[0]
    pixels = _pixels(y) // max(samples, 1)
    panels = emit.scratch(cpu.conv_taps.panels_size(samples, pixels, groups, depth, columns), w.dtype)
    sizes = emit.constant(_sizes(inputs, y, groups, depth, columns, steps, activation))
    emit.call(
        cpu.conv_taps.gather_taps, x, w, bias[0] if bias else y, y, emit.constant(table), panels,
        cpu.conv_taps.samples_of_task(samples, pixels), sizes,
    )  # fmt: skip


def _sizes(
    inputs: list[Ref], y: Ref, groups: int, depth: int, columns: int, steps: _Steps, activation: str
) -> np.ndarray:
    """What kernels need to know of x, w, the bias if there is one, and y."""
    x, w, *bias = inputs
    return cpu.conv.SIZES.array(
        samples=x.shape[0], x_sample=math.prod(x.shape[1:]), y_sample=math.prod(y.shape[1:]), groups=groups,
        taps=math.prod(w.shape[:-2]), depth=depth, columns=columns, has_bias=bool(bias),
        act=activation_code(activation), **steps._asdict(),
    )  # fmt: skip


def _gather_tiles(
    emit: Emitter, inputs: list[Ref], y: Ref, table: np.ndarray, reverse: int, activation: str = "linear",
    precision: str = "highest",
) -> None:  # fmt: skip
    """The rows of w are (tap, channel of x), their columns channels of y."""
    tiles, (x, w, *bias), products = cpu.conv_tiles, inputs, ways.products_in_tiles(precision)
    taps, (depth, columns), pixels = math.prod(w.shape[:-2]), w.shape[-2:], _pixels(x)
    words = emit.scratch(
        tiles.tiles_words(pixels, tiles.pair_count(depth), table, columns, products), np.dtype("uint32")
    )
    sizes = tiles.SIZES.array(
        pixels=pixels, samples=x.shape[0], x_pixels=pixels // x.shape[0], y_sample=math.prod(y.shape[1:]), taps=taps,
        depth=depth, columns=columns, packed=tiles.packed_words(table, columns), row=tiles.row_words(table),
        reverse=reverse, has_bias=bool(bias), products=products, act=activation_code(activation),
    )  # fmt: skip
    emit.call(
        tiles.gather_tiles, x, w, bias[0] if bias else y, y, emit.constant(table), words,
        emit.scratch(tiles.tiles_work(), y.dtype), emit.constant(amx.state(tiles.TASKS)), emit.constant(sizes),
    )  # fmt: skip


def _weight_tiles(emit: Emitter, x: Ref, g: Ref, dw: Ref, axes: Axes, precision: str = "highest") -> None:
    """Tasks are parts of the samples times slices of the taps."""
    tiles, products = cpu.conv_weight_tiles, ways.products_in_tiles(precision)
    taps, (channels, filters), samples = math.prod(dw.shape[:-2]), dw.shape[-2:], x.shape[0]
    parts = cpu.conv_weight.part_count(samples, x.size + g.size, dw.size)
    slices, room = tiles.slice_count(parts, taps), tiles.task_words(channels, filters, products)
    tasks = parts * slices
    sizes = tiles.SIZES.array(
        samples=samples, x_sample=math.prod(x.shape[1:]), g_sample=math.prod(g.shape[1:]), taps=taps,
        channels=channels, filters=filters, parts=parts, slices=slices, room=room, products=products,
    )  # fmt: skip
    emit.call(
        tiles.weight_gradient_tiles, x, g, dw, emit.scratch(parts * dw.size, dw.dtype),
        emit.constant(cpu.conv_table.weight_table(axes, channels, filters, channels)),
        emit.scratch(tasks * room, np.dtype("uint32")), emit.scratch(tasks * 2 * tiles.PIXELS, np.dtype("int64")),
        emit.scratch(tasks * 2 * tiles.BLOCK**2, dw.dtype), emit.constant(amx.state(tasks)), emit.constant(sizes),
    )  # fmt: skip


def _scatter(
    emit: Emitter, inputs: list[Ref], dx: Ref, axes: Axes, activation: str = "linear", precision: str = "highest"
) -> None:
    """For few channels, which would leave lanes idle: each output adds to where its taps lie."""
    (g, w, *bias), last = inputs, axes[-1]
    channels, filters = w.shape[-2:]
    table, columns = cpu.conv_scatter.line_table(axes, g.shape[0]), w.size // filters
    panels = emit.scratch(cpu.conv_scatter.panels_size(filters, columns, dx.dtype), dx.dtype)
    work = emit.scratch(cpu.conv_scatter.work_size(g.shape[0], table, last.outputs, columns), dx.dtype)
    sizes = cpu.conv_scatter.SIZES.array(
        samples=g.shape[0], lines=math.prod(g.shape[1:-2]), outputs=last.outputs, filters=filters, columns=columns,
        channels=channels, size=last.size, taps=last.kernel, stride=last.stride, before=last.before,
        has_bias=bool(bias), act=activation_code(activation),
    )  # fmt: skip
    emit.call(
        cpu.conv_scatter.input_gradient, g, w, bias[0] if bias else dx, dx, emit.constant(table), panels, work,
        emit.constant(sizes),
    )  # fmt: skip


@lowering()
def conv_weight(
    emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axes: Axes, groups: int, **params: str
) -> None:
    """Pairs of bfloat16 are neighbouring samples here, which are summed over with the pixels."""
    (x, g), (dw,) = inputs, outputs
    depth, filters = dw.shape[-2:]
    samples, (x_sample, g_sample) = x.shape[0], (math.prod(r.shape[1:]) for r in (x, g))
    if groups == 1 and _takes_tiles(**params) and cpu.conv_weight_tiles.gains(_pixels(g), depth, filters):
        _weight_tiles(emit, x, g, dw, axes, **params)
        return
    if samples > 1 and _gains(_pixels(g), filters, math.prod(dw.shape[:-1]), groups, **params):
        x, g, samples = _paired_samples(emit, x), _paired_samples(emit, g), (samples + 1) // 2
    parts = cpu.conv_weight.part_count(samples, x.size + g.size, dw.size)
    partial = emit.scratch(parts * dw.size if parts > 1 else 0, dw.dtype)
    rows, columns = math.prod(dw.shape[:-1]), filters // groups
    sizes = (samples, x_sample, g_sample, groups, depth, columns, rows, parts)
    if groups == 1 and cpu.conv_weight.gains_transposed(depth, filters, dw.dtype):
        taps = rows // depth
        transposed = emit.scratch(dw.size, dw.dtype)
        table = emit.constant(cpu.conv_table.filter_table(axes, depth, filters))
        sizes = (samples, g_sample, x_sample, 1, filters, depth, taps * filters, parts)
        emit.call(cpu.conv_weight.weight_gradient, g, x, transposed, partial, table, *sizes)
        turned = transposed.viewed(lambda a: a.reshape(taps, filters, depth).transpose(0, 2, 1))
        copy(turned, dw.viewed(np.reshape, shape=turned.shape), emit)
    elif depth >= cpu.conv_weight_taps.DEEP:
        table = cpu.conv_table.tap_table(axes, x.shape[-1], filters, depth)
        lines = cpu.conv_table.line_places(tuple(a.outputs for a in axes), filters)
        panel = emit.scratch(cpu.conv_weight_taps.panel_size(samples, lines, groups, columns, rows, parts), g.dtype)
        constants = (emit.constant(table), emit.constant(lines))
        emit.call(cpu.conv_weight_taps.weight_gradient, x, g, dw, partial, panel, *constants, *sizes)
    else:
        table = cpu.conv_weight.table_of(axes, x.shape[-1], filters, depth)
        emit.call(cpu.conv_weight.weight_gradient, x, g, dw, partial, emit.constant(table), *sizes)
