"""Depthwise convolution, its input gradient and its weight gradient: every channel has a kernel of its own.

The same tables and rows as in `fnet.kernels.cpu.conv` and `conv_weight`, with tiles whose lanes are channels: they read
the input as vectors where those of a full convolution broadcast one element. An input with another channel beside it
reads no memory of it, so arrays of any number of channels are read in place.
"""

from __future__ import annotations

from fnet.kernels.cpu.conv import CHUNK, CHUNK_WORK, ROWS, WIDE_ROWS, WIDE_VECTORS
from fnet.kernels.cpu.conv_table import ENTRIES, FIELDS, ROWS_C, ROWS_X, RUNS, RUNS_B, RUNS_X, STEP_B, STEP_X, STEPS
from fnet.kernels.cpu.conv_tile import gather_tile
from fnet.kernels.cpu.conv_weight import BLOCK, sum_parts
from fnet.kernels.cpu.product import RELU, activate
from fnet.kernels.cpu.simd import at, lanes
from fnet.kernels.cpu.threads import parallel_for, threads_for
from fnet.kernels.policy import kernel

VECTORS = 2  # of the tiles of the weight gradient, whose rows are the taps of the kernel

_wide = gather_tile(WIDE_ROWS, WIDE_VECTORS, lanewise=True)
_last = gather_tile(ROWS, 1, lanewise=True, partial=True)
_tile_onto = gather_tile(ROWS, VECTORS, lanewise=True, onto=True)
_last_onto = gather_tile(ROWS, 1, lanewise=True, partial=True, onto=True)


@kernel
def gather_channels(x, w, bias, y, table, samples, x_sample, y_sample, channels, taps, has_bias, act):
    """``y = act(sum over taps of x w + bias)`` for each channel; w: (taps, channels), the rest as in `conv.gather`."""
    chunk = CHUNK * max(1, CHUNK_WORK // (CHUNK * max(taps * channels, 1)))
    head, chunks = at(table, 1), 0
    for _ in range(table[0]):
        chunks += (samples * head[ENTRIES] + chunk - 1) // chunk
        head = at(head, FIELDS)
    parallel_for(
        _chunk, chunks, threads_for(samples * y_sample * (taps + 4) // 40), at(x, 0), at(w, 0), at(bias, 0),
        at(y, 0), at(table, 0), samples, x_sample, y_sample, channels, chunk, has_bias, act,
    )  # fmt: skip


@kernel
def _chunk(i, x, w, bias, y, table, samples, x_sample, y_sample, channels, chunk, has_bias, act):
    """One chunk of the rows of one region, all channels."""
    head = at(table, 1)
    count = (samples * head[ENTRIES] + chunk - 1) // chunk
    while i >= count:
        i -= count
        head = at(head, FIELDS)
        count = (samples * head[ENTRIES] + chunk - 1) // chunk
    first = i * chunk
    last = min(first + chunk, samples * head[ENTRIES])
    entries, runs, steps, step_x, step_b = head[ENTRIES], head[RUNS], head[STEPS], head[STEP_X], head[STEP_B]
    rows_x, rows_y = at(table, head[ROWS_X]), at(table, head[ROWS_C])
    runs_x, runs_b = at(table, head[RUNS_X]), at(table, head[RUNS_B])
    one, relu = lanes(y), 1 if act == RELU else 0
    wide = channels // (WIDE_VECTORS * one) * (WIDE_VECTORS * one)
    for r in range(first, last, WIDE_ROWS):
        for j in range(0, wide, WIDE_VECTORS * one):
            _wide(
                at(x, j), at(w, j), at(y, j), at(bias, j), rows_x, rows_y, entries, x_sample, y_sample, r, last, runs_x,
                runs_b, 1, runs, steps, 0, 0, step_x, step_b, channels, has_bias, relu, channels - j,
            )  # fmt: skip
    for r in range(first, last, ROWS):
        for j in range(wide, channels, one):
            _last(
                at(x, j), at(w, j), at(y, j), at(bias, j), rows_x, rows_y, entries, x_sample, y_sample, r, last, runs_x,
                runs_b, 1, runs, steps, 0, 0, step_x, step_b, channels, has_bias, relu, channels - j,
            )  # fmt: skip
    if act > RELU:
        for r in range(first, last):
            sample = r // entries
            activate(at(y, sample * y_sample + rows_y[r - sample * entries]), 1, channels, 0, act)


@kernel
def channel_weight_gradient(x, g, dw, partial, table, samples, x_sample, g_sample, channels, taps, parts):
    """``dw[tap, c] = sum over samples and pixels of x[pixel + tap, c] g[pixel, c]``; as in `conv_weight`.

    Tasks are parts of the samples, or panels of the channels where there is one part only.
    """
    width = channels if parts > 1 else VECTORS * lanes(at(dw, 0))
    blocks = (channels + width - 1) // width
    target = at(partial if parts > 1 else dw, 0)
    parallel_for(
        _block, parts * blocks, threads_for(samples * g_sample * taps // 40), at(x, 0), at(g, 0), target, at(table, 0),
        samples, x_sample, g_sample, channels, taps, parts, width,
    )  # fmt: skip
    if parts > 1:
        sum_parts(partial, dw, taps * channels, parts)


@kernel
def _block(i, x, g, target, table, samples, x_sample, g_sample, channels, taps, parts, width):
    """A range of channels, summed over the samples of one part."""
    blocks = (channels + width - 1) // width
    part, start = i // blocks, i % blocks * width
    stop = min(start + width, channels)
    n_first, n_last = samples * part // parts, samples * (part + 1) // parts
    out = at(target, part * taps * channels)
    for k in range(taps):
        for j in range(start, stop):
            out[k * channels + j] = 0
    head = at(table, 1)
    for _ in range(table[0]):
        runs, steps = head[RUNS], head[STEPS]
        some_samples = max(1, BLOCK // max(runs * steps, 1))
        some_runs = runs if some_samples > 1 else max(1, BLOCK // steps)
        for n in range(n_first, n_last, some_samples):
            count = min(some_samples, n_last - n)
            a, b = at(x, n * x_sample), at(g, n * g_sample)
            for run in range(0, runs, some_runs):
                _region(
                    a, b, out, table, head, run, min(some_runs, runs - run), count, x_sample, g_sample, channels, start,
                    stop,
                )  # fmt: skip
        head = at(head, FIELDS)


@kernel
def _region(x, g, out, table, head, run, runs, samples, x_sample, g_sample, channels, start, stop):
    """Add the products of some runs of some samples to the rows of a region, for the channels start .. stop-1."""
    one, entries, steps, step_x, step_b = lanes(out), head[ENTRIES], head[STEPS], head[STEP_X], head[STEP_B]
    rows_x, rows_c = at(table, head[ROWS_X]), at(table, head[ROWS_C])
    runs_x, runs_b = at(table, head[RUNS_X] + run), at(table, head[RUNS_B] + run)
    for r in range(0, entries, ROWS):
        j = start
        while j < stop:
            a, b, z, left = at(x, j), at(g, j), at(out, j), channels - j
            if left >= VECTORS * one:
                _tile_onto(
                    a, b, z, z, rows_x, rows_c, entries, 0, 0, r, entries, runs_x, runs_b, samples, runs, steps,
                    x_sample, g_sample, step_x, step_b, channels, 0, 0, left,
                )  # fmt: skip
                j += VECTORS * one
            else:
                _last_onto(
                    a, b, z, z, rows_x, rows_c, entries, 0, 0, r, entries, runs_x, runs_b, samples, runs, steps,
                    x_sample, g_sample, step_x, step_b, channels, 0, 0, left,
                )  # fmt: skip
                j += one
