"""The micro-kernels of depthwise convolution, for rows that lie evenly: their lanes are channels.

`line_tile` computes a few neighbouring outputs of a line, `taps_tile` the gradient of a few neighbouring weights. Where
taps are as far apart as outputs (in a convolution: stride = dilation), neighbours read the same pixels through other
taps: a tile made for several `taps` at a time loads such a pixel once, and prefetches those that it will read soon.

As in `fnet.kernels.cpu.conv_tile`, runs and steps name what is summed over, and an element's sum is one chain of
multiply-adds in their order, whatever the tile.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from fnet.kernels.cpu.conv_tile import keep_rolled
from fnet.kernels.cpu.vector.simd import INT, Loop, Vectors, lanes, vector_code

CACHE_LINE = 64  # bytes
AHEAD = 16  # pixels between those that are read and those that are prefetched


def line_tile(outputs: int, vectors: int, taps: int = 1, *, partial: bool = False) -> Any:
    """Make ``tile(x, w, y, bias, apart_x, apart_y, count, runs_x, runs_b, runs, steps, step_x, step_b, w_row, ...)``.

    For the outputs i < count of a line, ``y[i*apart_y + c] = S[c] + sum over runs j and steps t of
    x[i*apart_x + runs_x[j] + t*step_x + c] w[(runs_b[j] + t*step_b)*w_row + c]``; then ``has_bias, relu, columns``.

    taps: go through the steps so many at a time, of which `steps` is a multiple; with several taps apart_x = step_x,
    count = outputs and 1 <= runs, with one 1 <= count. partial: only the first `columns` channels exist, else all of
    the vectors.
    """
    write = functools.partial(_write_line_tile, outputs, vectors, taps, partial)
    return vector_code(write, functools.partial(_line_tile_in_python, outputs, vectors))


def _write_line_tile(
    outputs: int, vectors: int, taps: int, partial: bool, simd: Vectors, values: Sequence[ir.Value]
) -> None:
    x, w, y, bias, apart_x, apart_y, count, *summed, has_bias, relu, columns = values
    runs_x, runs_b, runs, steps, step_x, step_b, w_row = summed
    builder = simd.builder
    masks = _masks(simd, columns, vectors, partial)
    numbers = [INT(i) for i in range(outputs)] if taps > 1 else simd.rows_below(count, outputs)

    biased = builder.icmp_signed("!=", has_bias, INT(0))
    starts = [builder.select(biased, v, simd.constant(0.0)) for v in _load(simd, bias, masks)] * outputs
    rows = [simd.at(x, builder.mul(apart_x, INT(i) if taps > 1 else numbers[i])) for i in range(outputs)]
    rows += [simd.at(x, builder.mul(apart_x, INT(i))) for i in range(outputs, outputs + taps - 1)]

    if taps > 1:  # the rows of the last run are the ones that no line before has read
        newest = _integer(builder, runs_x, builder.sub(runs, INT(1)))
        _prefetch(simd, [simd.at(row, newest) for row in rows[:outputs]], builder.mul(apart_x, INT(AHEAD)), vectors)

    over_runs = Loop(builder, runs, starts)
    x_at, b_at = (_integer(builder, table, over_runs.index) for table in (runs_x, runs_b))
    step_b = builder.mul(step_b, w_row)
    groups = builder.sdiv(steps, INT(taps))
    over_steps = Loop(builder, groups, [x_at, simd.at(w, builder.mul(b_at, w_row)), *over_runs.values])
    x_at, w_at, *sums = over_steps.values
    factors = [_load(simd, simd.at(w_at, builder.mul(step_b, INT(t))), masks) for t in range(taps)]
    for i, row in enumerate(rows):
        pixel = _load(simd, simd.at(row, x_at), masks)
        for t in range(max(0, i - outputs + 1), min(taps, i + 1)):
            for v in range(vectors):
                place = (i - t) * vectors + v
                sums[place] = simd.multiply_add(pixel[v], factors[t][v], sums[place])
    body = builder.block
    ahead = [builder.mul(step, INT(taps)) for step in (step_x, step_b)]
    over_steps.close([builder.add(x_at, ahead[0]), simd.at(w_at, ahead[1]), *sums])
    keep_rolled(builder.module, body)
    over_runs.close(over_steps.values[2:])

    for i, number in enumerate(numbers):
        row = simd.at(y, builder.mul(apart_y, number))
        for v, mask in enumerate(masks):
            total = simd.relu_if(relu, over_runs.values[i * vectors + v])
            simd.store(total, simd.at(row, v * simd.lanes), mask)


def _line_tile_in_python(
    outputs, vectors, x, w, y, bias, apart_x, apart_y, count, runs_x, runs_b, runs, steps, step_x, step_b, w_row,
    has_bias, relu, columns,
):  # fmt: skip
    width = min(columns, vectors * lanes(y))
    for i in range(min(count, outputs)):
        row = y[i * apart_y :][:width]
        row[:] = bias[:width] if has_bias else 0
        for j, t in np.ndindex(runs, steps):
            pixel = x[i * apart_x + runs_x[j] + t * step_x :][:width]
            row += pixel * w[(runs_b[j] + t * step_b) * w_row :][:width]
        if relu:
            np.maximum(row, 0, out=row)


def taps_tile(groups: int, taps: int, vectors: int, pixels: int) -> Any:
    """Make ``tile(x, g, dw, rows_x, rows_c, first, last, ...)``.

    Its further arguments are ``runs_x, runs_b, samples, runs, steps, sample_x, sample_g, step_x, step_b, g_row``.
    For the weights i of up to `groups` groups of `taps`, first .. last-1 (those beyond repeat the last group), add
    to ``dw[rows_c[i] + c]`` the sum over samples s, runs j and steps t of ``x[rows_x[i] + s*sample_x + runs_x[j] +
    t*step_x + c] g[s*sample_g + (runs_b[j] + t*step_b)*g_row + c]``.

    The weights of a group read `step_x` apart; `pixels` steps at a time share what they load.
    """
    write = functools.partial(_write_taps_tile, groups, taps, vectors, pixels)
    return vector_code(write, functools.partial(_taps_tile_in_python, groups, taps, vectors))


def _write_taps_tile(
    groups: int, taps: int, vectors: int, pixels: int, simd: Vectors, values: Sequence[ir.Value]
) -> None:
    x, g, dw, rows_x, rows_c, first, last, runs_x, runs_b, samples, runs, steps, *apart = values
    sample_x, sample_g, step_x, step_b, g_row = apart
    builder, masks = simd.builder, [None] * vectors
    existing = builder.sdiv(builder.sub(last, first), INT(taps))
    heads = [builder.add(first, builder.mul(n, INT(taps))) for n in simd.rows_below(existing, groups)]
    x_rows = [simd.at(x, _integer(builder, rows_x, head)) for head in heads]
    weights = [builder.add(head, INT(t)) for head in heads for t in range(taps)]
    targets = [simd.at(dw, _integer(builder, rows_c, weight)) for weight in weights]
    step_g = builder.mul(step_b, g_row)

    def add_products(count: int, x_at: ir.Value, g_at: ir.Value, sums: list[ir.Value]) -> list[ir.Value]:
        """The sums after `count` more pixels."""
        sums = list(sums)
        if count > 1:
            places = [builder.mul(step_x, INT(i)) for i in range(count)]
            newest = simd.at(x_rows[-1], x_at)
            _prefetch(simd, [simd.at(newest, place) for place in places], builder.mul(step_x, INT(AHEAD)), vectors)
            places = [builder.mul(step_g, INT(i)) for i in range(count)]
            _prefetch(simd, [simd.at(g_at, place) for place in places], builder.mul(step_g, INT(AHEAD)), vectors)
        factors = [_load(simd, simd.at(g_at, builder.mul(step_g, INT(i))), masks) for i in range(count)]
        for k, row in enumerate(x_rows):
            for i in range(count + taps - 1):
                pixel = _load(simd, simd.at(row, builder.add(x_at, builder.mul(step_x, INT(i)))), masks)
                for t in reversed(range(max(0, i - count + 1), min(taps, i + 1))):
                    for v in range(vectors):
                        place = (k * taps + t) * vectors + v
                        sums[place] = simd.multiply_add(pixel[v], factors[i - t][v], sums[place])
        return sums

    def loop(count: int, times: ir.Value, carried: Sequence[ir.Value]) -> list[ir.Value]:
        """Go `times` times through `count` pixels, carrying the places in x and g and the sums."""
        over_steps = Loop(builder, times, list(carried))
        x_at, g_at, *sums = over_steps.values
        sums = add_products(count, x_at, g_at, sums)
        ahead = [builder.mul(step, INT(count)) for step in (step_x, step_g)]
        body = builder.block
        over_steps.close([builder.add(x_at, ahead[0]), simd.at(g_at, ahead[1]), *sums])
        keep_rolled(builder.module, body)
        return over_steps.values

    starts = [vector for target in targets for vector in _load(simd, target, masks)]
    over_samples = Loop(builder, samples, [INT(0), g, *starts])
    x_start, g_start, *sums = over_samples.values
    over_runs = Loop(builder, runs, sums)
    x_at = builder.add(x_start, _integer(builder, runs_x, over_runs.index))
    g_at = simd.at(g_start, builder.mul(_integer(builder, runs_b, over_runs.index), g_row))
    carried = loop(pixels, builder.sdiv(steps, INT(pixels)), [x_at, g_at, *over_runs.values])
    carried = loop(1, builder.srem(steps, INT(pixels)), carried)
    over_runs.close(carried[2:])
    over_samples.close([builder.add(x_start, sample_x), simd.at(g_start, sample_g), *over_runs.values])

    for i, target in enumerate(targets):
        for v in range(vectors):
            simd.store(over_samples.values[2 + i * vectors + v], simd.at(target, v * simd.lanes))


def _taps_tile_in_python(
    groups, taps, vectors, x, g, dw, rows_x, rows_c, first, last, runs_x, runs_b, samples, runs, steps, sample_x,
    sample_g, step_x, step_b, g_row,
):  # fmt: skip
    width = vectors * lanes(dw)
    for i in range(first, min(first + groups * taps, last)):
        row = dw[rows_c[i] :][:width]
        for s, j, t in np.ndindex(samples, runs, steps):
            pixel = x[rows_x[i] + s * sample_x + runs_x[j] + t * step_x :][:width]
            row += pixel * g[s * sample_g + (runs_b[j] + t * step_b) * g_row :][:width]


def _masks(simd: Vectors, columns: ir.Value, vectors: int, partial: bool) -> list[ir.Value | None]:
    """For each vector the mask of its lanes below `columns`, or None for all lanes."""
    firsts = [INT(v * simd.lanes) for v in range(vectors)]
    return [simd.lanes_below(simd.builder.sub(columns, first)) if partial else None for first in firsts]


def _load(simd: Vectors, address: ir.Value, masks: Sequence[ir.Value | None]) -> list[ir.Value]:
    """Neighbouring vectors, one for each mask."""
    return [simd.load(simd.at(address, v * simd.lanes), mask) for v, mask in enumerate(masks)]


def _prefetch(simd: Vectors, pixels: Sequence[ir.Value], ahead: ir.Value, vectors: int) -> None:
    """Prefetch the vectors `ahead` elements behind the pixels."""
    for pixel in pixels:
        for first in range(0, vectors * simd.lanes * simd.bytes, CACHE_LINE):
            simd.prefetch(pixel, simd.builder.add(ahead, INT(first // simd.bytes)))


def _integer(builder: ir.IRBuilder, table: ir.Value, index: ir.Value) -> ir.Value:
    return builder.load(builder.gep(table, [index], inbounds=True, source_etype=INT), typ=INT)
