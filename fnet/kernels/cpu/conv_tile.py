"""The micro-kernels of convolution: products of rows that a table of offsets gathers, without a matrix of patches.

A tile of ``rows x vectors`` accumulators computes, for a few rows i and ``vectors * lanes`` columns,

    C[i, :] = S + sum over samples s, runs j and steps t of X[i, (s, j, t)] B[(s, j, t), :]

where element (s, j, t) of row i lies at ``x[row_offset(i) + s*sample_x + runs_x[j] + t*step_x]`` and row (s, j, t)
of B at ``b[s*sample_b + (runs_b[j] + t*step_b - first_b)*row_b]``. In a convolution rows are output pixels, runs are
rows of the kernel and the steps go through its columns and channels; in the gradient of its weights rows are weights
and runs are rows of pixels. Row i = (sample n, entry e) of the table is found at ``n*row_sample + row_offsets[e]``.

An element's sum is one chain of multiply-adds in the order of (s, j, t): its bits depend on nothing else.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from fnet.kernels.cpu.vector.simd import INT, Loop, Vectors, lanes, vector_code


def gather_tile(
    rows: int, vectors: int, *, lanewise: bool = False, partial: bool = False, onto: bool = False, ahead: int = 0
) -> Any:
    """Make ``tile(x, b, c, bias, rows_x, rows_c, entries, x_sample, c_sample, first, last, ...)``.

    The rows first .. last-1 (at least one; those beyond `last` repeat it) of a table of `entries` rows for each sample;
    then ``runs_x, runs_b, samples, runs, steps, sample_x, sample_b, step_x, step_b, row_b, first_b``, what is summed
    over; then ``has_bias, relu, columns``, of which columns beyond `columns` are not stored.

    lanewise: each column has a channel of X of its own (X is read as vectors) instead of sharing one broadcast element.
    partial: memory of B (and of X where it is lanewise) beyond `columns` is not touched.
    onto: S is C itself instead of the bias or zero.
    ahead: how many steps before their use the elements of X are fetched, which lie side by side for all rows; 0: never.

    X and B of 32-bit integers hold pairs of bfloat16 (`fnet.kernels.cpu.vector.bfloat16`), as in
    `fnet.kernels.cpu.vector.tiles`.
    """
    write = functools.partial(_write_tile, rows, vectors, lanewise, partial, onto, ahead)
    return vector_code(write, functools.partial(_tile_in_python, rows, vectors, lanewise, onto))


def _write_tile(
    rows: int, vectors: int, lanewise: bool, partial: bool, onto: bool, ahead: int, simd: Vectors,
    values: Sequence[ir.Value],
) -> None:  # fmt: skip
    x, b, c, bias, rows_x, rows_c, entries, x_sample, c_sample, first, last, *summed, has_bias, relu, columns = values
    runs_x, runs_b, samples, runs, steps, sample_x, sample_b, step_x, step_b, row_b, first_b = summed
    builder = simd.builder
    multiply_add = simd.multiply_add_pairs if isinstance(x.type.pointee, ir.IntType) else simd.multiply_add
    masks = [simd.lanes_below(builder.sub(columns, INT(v * simd.lanes))) for v in range(vectors)]
    read_masks = masks if partial else [None] * vectors

    def integer(table: ir.Value, index: ir.Value) -> ir.Value:
        return builder.load(builder.gep(table, [index], inbounds=True, source_etype=INT), typ=INT)

    def vector(address: ir.Value, v: int, mask: ir.Value | None) -> ir.Value:
        return simd.load(simd.at(address, v * simd.lanes), mask)

    x_rows, c_rows = [], []
    for entry, x_start, c_start in _row_places(builder, rows, entries, x_sample, c_sample, first, last):
        x_rows.append(simd.at(x, builder.add(x_start, integer(rows_x, entry))))
        c_rows.append(simd.at(c, builder.add(c_start, integer(rows_c, entry))))
    if onto:
        starts = [vector(row, v, masks[v]) for row in c_rows for v in range(vectors)]
    else:
        biased = builder.icmp_signed("!=", has_bias, INT(0))
        starts = [builder.select(biased, vector(bias, v, masks[v]), simd.constant(0.0)) for v in range(vectors)] * rows

    step_b = builder.mul(step_b, row_b)
    over_samples = Loop(builder, samples, [INT(0), b, *starts])
    x_sample_at, b_sample_at, *sums = over_samples.values
    over_runs = Loop(builder, runs, sums)
    x_at = builder.add(x_sample_at, integer(runs_x, over_runs.index))
    b_at = simd.at(b_sample_at, builder.mul(builder.sub(integer(runs_b, over_runs.index), first_b), row_b))
    over_steps = Loop(builder, steps, [x_at, b_at, *over_runs.values])
    x_at, b_at, *sums = over_steps.values
    factors = [vector(b_at, v, read_masks[v]) for v in range(vectors)]
    if ahead:
        simd.prefetch(x_rows[0], builder.add(x_at, builder.mul(step_x, INT(ahead))))
    added = []
    for r, row in enumerate(x_rows):
        place = simd.at(row, x_at)
        if not lanewise:
            element = simd.broadcast(builder.load(place, align=simd.bytes, typ=simd.element))
        for v in range(vectors):
            taken = vector(place, v, read_masks[v]) if lanewise else element
            added.append(multiply_add(taken, factors[v], sums[r * vectors + v]))
    body = builder.block
    over_steps.close([builder.add(x_at, step_x), simd.at(b_at, step_b), *added])
    keep_rolled(builder.module, body)
    over_runs.close(over_steps.values[2:])
    over_samples.close([builder.add(x_sample_at, sample_x), simd.at(b_sample_at, sample_b), *over_runs.values])

    for r, row in enumerate(c_rows):
        for v in range(vectors):
            total = simd.relu_if(relu, over_samples.values[2 + r * vectors + v])
            simd.store(total, simd.at(row, v * simd.lanes), masks[v])


def keep_rolled(module: ir.Module, latch: ir.Block) -> None:
    """Keep a loop from being unrolled, for which twice as many row addresses as there are registers would be needed."""
    disable = module.add_metadata([ir.MetaDataString(module, "llvm.loop.unroll.disable")])
    identity = ir.MDValue(module, [disable], name=str(len(module.metadata)))
    identity.operands = (identity, disable)  # what tells loops apart is that they name themselves
    latch.terminator.set_metadata("llvm.loop", identity)


def _row_places(
    builder: ir.IRBuilder, rows: int, entries: ir.Value, x_sample: ir.Value, c_sample: ir.Value, first: ir.Value,
    last: ir.Value,
) -> list[tuple[ir.Value, ir.Value, ir.Value]]:  # fmt: skip
    """For each row its entry in the table and where its sample begins in x and in c; rows beyond the last repeat it."""
    sample = builder.sdiv(first, entries)
    entry = builder.sub(first, builder.mul(sample, entries))
    x_start, c_start = builder.mul(sample, x_sample), builder.mul(sample, c_sample)
    places = [(entry, x_start, c_start)]
    for r in range(1, rows):
        following = builder.add(entry, INT(1))
        wraps = builder.icmp_signed("==", following, entries)
        candidates = (
            (builder.select(wraps, INT(0), following), entry),
            (builder.select(wraps, builder.add(x_start, x_sample), x_start), x_start),
            (builder.select(wraps, builder.add(c_start, c_sample), c_start), c_start),
        )
        inside = builder.icmp_signed("<", builder.add(first, INT(r)), last)
        entry, x_start, c_start = (builder.select(inside, *pair) for pair in candidates)
        places.append((entry, x_start, c_start))
    return places


def _tile_in_python(
    rows, vectors, lanewise, onto, x, b, c, bias, rows_x, rows_c, entries, x_sample, c_sample, first, last, runs_x,
    runs_b, samples, runs, steps, sample_x, sample_b, step_x, step_b, row_b, first_b, has_bias, relu, columns,
):  # fmt: skip
    width = min(columns, vectors * lanes(c))
    for i in range(first, min(first + rows, last)):
        n, entry = divmod(i, entries)
        x_row, c_row = n * x_sample + rows_x[entry], n * c_sample + rows_c[entry]
        row = c[c_row:][:width]
        if not onto:
            row[:] = bias[:width] if has_bias else 0
        for s, j, t in np.ndindex(samples, runs, steps):
            place = x_row + s * sample_x + runs_x[j] + t * step_x
            factor = b[s * sample_b + (runs_b[j] + t * step_b - first_b) * row_b :][:width]
            row += (x[place:][:width] if lanewise else x[place]) * factor
        if relu:
            np.maximum(row, 0, out=row)
