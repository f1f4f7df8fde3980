"""Depthwise convolution, its input gradient and its weight gradient: every channel has a kernel of its own.

The same tables as in `fnet.kernels.cpu.conv` and `conv_weight`, with tiles whose lanes are channels
(`fnet.kernels.cpu.depthwise_tile`). There is little arithmetic for each pixel, so what counts is that a pixel is loaded
once for the taps and outputs beside each other, and that all regions of a sample are done before it leaves the caches.
No memory beyond the last channel is read, so arrays of any number of channels are read in place.
"""

from __future__ import annotations

from fnet.activation_codes import RELU
from fnet.kernels.cpu.conv_table import (
    ENTRIES,
    FIELDS,
    LINE,
    ROWS_C,
    ROWS_X,
    RUNS,
    RUNS_B,
    RUNS_X,
    STEP_B,
    STEP_X,
    STEPS,
)
from fnet.kernels.cpu.conv_tile import gather_tile
from fnet.kernels.cpu.conv_weight import BLOCK, sum_parts
from fnet.kernels.cpu.depthwise_tile import line_tile, taps_tile
from fnet.kernels.cpu.product import activate
from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector.simd import INSTRUCTION_SET, at, lanes
from fnet.kernels.policy import kernel

TAPS = 3  # neighbouring taps, and weights, that share what they load
OUTPUTS, VECTORS = (4, 4) if INSTRUCTION_SET == "avx512" else (4, 1)
SINGLE_OUTPUTS = 6 if INSTRUCTION_SET == "avx512" else 4  # of the tiles that go through one tap at a time
NARROW_OUTPUTS = 6
GROUPS = 3 if INSTRUCTION_SET == "avx512" else 1  # of weights in a tile of `PIXELS` pixels at a time
PIXELS, WEIGHT_VECTORS = 4, 2
ROWS = 9  # weights of the tiles of any kernel
PIECE = 1 << 14  # elements of a sample that one task computes at least

_taps = line_tile(OUTPUTS, VECTORS, TAPS)
_single = line_tile(SINGLE_OUTPUTS, VECTORS)
_narrow_taps = line_tile(NARROW_OUTPUTS, 1, TAPS, partial=True)
_narrow_single = line_tile(NARROW_OUTPUTS, 1, partial=True)
_taps_onto = taps_tile(GROUPS, TAPS, WEIGHT_VECTORS, PIXELS)
_any_onto = gather_tile(ROWS, WEIGHT_VECTORS, lanewise=True, onto=True)
_last_onto = gather_tile(ROWS, 1, lanewise=True, partial=True, onto=True)


@kernel
def gather_channels(x, w, bias, y, table, samples, x_sample, y_sample, channels, taps, has_bias, act):
    """``y = act(sum over taps of x w + bias)`` for each channel; w: (taps, channels), the rest as in `conv.gather`."""
    pieces = max(1, y_sample // PIECE)
    parallel_for(
        _piece, samples * pieces, threads_for(samples * y_sample * (taps + 4) // 60), at(x, 0), at(w, 0), at(bias, 0),
        at(y, 0), at(table, 0), pieces, x_sample, y_sample, channels, has_bias, act,
    )  # fmt: skip


@kernel
def _piece(i, x, w, bias, y, table, pieces, x_sample, y_sample, channels, has_bias, act):
    """A share of the outputs of every region of one sample."""
    source, target, piece = at(x, i // pieces * x_sample), at(y, i // pieces * y_sample), i % pieces
    head = at(table, 1)
    for _ in range(table[0]):
        entries, line = head[ENTRIES], head[LINE]
        rows_x, rows_y = at(table, head[ROWS_X]), at(table, head[ROWS_C])
        apart_x, apart_y = (rows_x[1] - rows_x[0], rows_y[1] - rows_y[0]) if line > 1 else (0, 0)
        first, last = entries * piece // pieces, entries * (piece + 1) // pieces
        while first < last:
            count = min(line - first % line, last - first)
            a, b = at(source, rows_x[first]), at(target, rows_y[first])
            _line(a, w, bias, b, apart_x, apart_y, count, table, head, channels, has_bias, act)
            first += count
        head = at(head, FIELDS)


@kernel
def _line(x, w, bias, y, apart_x, apart_y, count, table, head, channels, has_bias, act):
    """Outputs of one line, all channels. The last tile of several taps repeats outputs of the one before."""
    runs, steps, step_x, step_b = head[RUNS], head[STEPS], head[STEP_X], head[STEP_B]
    runs_x, runs_b = at(table, head[RUNS_X]), at(table, head[RUNS_B])
    one, relu = lanes(y), 1 if act == RELU else 0
    wide = channels // (VECTORS * one) * (VECTORS * one)
    shared = runs * steps > 0 and apart_x == step_x and steps % TAPS == 0
    several = shared and count >= OUTPUTS
    for i in range(0, count if wide > 0 else 0, OUTPUTS if several else SINGLE_OUTPUTS):
        first = min(i, count - OUTPUTS) if several else i
        a, z = at(x, first * apart_x), at(y, first * apart_y)
        for j in range(0, wide, VECTORS * one):
            if several:
                _taps(
                    at(a, j), at(w, j), at(z, j), at(bias, j), apart_x, apart_y, OUTPUTS, runs_x, runs_b, runs, steps,
                    step_x, step_b, channels, has_bias, relu, channels - j,
                )  # fmt: skip
            else:
                _single(
                    at(a, j), at(w, j), at(z, j), at(bias, j), apart_x, apart_y, count - i, runs_x, runs_b, runs, steps,
                    step_x, step_b, channels, has_bias, relu, channels - j,
                )  # fmt: skip
    several = shared and count >= NARROW_OUTPUTS
    for i in range(0, count if wide < channels else 0, NARROW_OUTPUTS):
        first = min(i, count - NARROW_OUTPUTS) if several else i
        a, z = at(x, first * apart_x), at(y, first * apart_y)
        for j in range(wide, channels, one):
            if several:
                _narrow_taps(
                    at(a, j), at(w, j), at(z, j), at(bias, j), apart_x, apart_y, NARROW_OUTPUTS, runs_x, runs_b, runs,
                    steps, step_x, step_b, channels, has_bias, relu, channels - j,
                )  # fmt: skip
            else:
                _narrow_single(
                    at(a, j), at(w, j), at(z, j), at(bias, j), apart_x, apart_y, count - i, runs_x, runs_b, runs, steps,
                    step_x, step_b, channels, has_bias, relu, channels - j,
                )  # fmt: skip
    if act > RELU:
        for i in range(count):
            activate(at(y, i * apart_y), 1, channels, 0, act)


@kernel
def channel_weight_gradient(x, g, dw, partial, table, samples, x_sample, g_sample, channels, taps, parts):
    """``dw[tap, c] = sum over samples and pixels of x[pixel + tap, c] g[pixel, c]``; as in `conv_weight`.

    Tasks are parts of the samples, or panels of the channels where there is one part only.
    """
    width = channels if parts > 1 else WEIGHT_VECTORS * lanes(at(dw, 0))
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
    some_samples = max(1, BLOCK * channels // max(g_sample, 1))
    for n in range(n_first, n_last, some_samples):
        count = min(some_samples, n_last - n)
        a, b = at(x, n * x_sample), at(g, n * g_sample)
        head = at(table, 1)
        for _ in range(table[0]):
            runs = head[RUNS]
            some_runs = runs if some_samples > 1 else max(1, BLOCK // max(head[STEPS], 1))
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
    width = WEIGHT_VECTORS * one
    wide = start + (stop - start) // width * width
    line = head[LINE]
    shared = line > 0 and line % TAPS == 0 and rows_x[1] - rows_x[0] == step_x
    if shared:
        for r in range(0, entries, GROUPS * TAPS):
            for j in range(start, wide, width):
                _taps_onto(
                    at(x, j), at(g, j), at(out, j), rows_x, rows_c, r, entries, runs_x, runs_b, samples, runs, steps,
                    x_sample, g_sample, step_x, step_b, channels,
                )  # fmt: skip
    else:
        for r in range(0, entries, ROWS):
            for j in range(start, wide, width):
                _any_onto(
                    at(x, j), at(g, j), at(out, j), at(out, j), rows_x, rows_c, entries, 0, 0, r, entries, runs_x,
                    runs_b, samples, runs, steps, x_sample, g_sample, step_x, step_b, channels, 0, 0, 0, width,
                )  # fmt: skip
    for r in range(0, entries, ROWS):
        for j in range(wide, stop, one):
            _last_onto(
                at(x, j), at(g, j), at(out, j), at(out, j), rows_x, rows_c, entries, 0, 0, r, entries, runs_x,
                runs_b, samples, runs, steps, x_sample, g_sample, step_x, step_b, channels, 0, 0, 0, stop - j,
            )  # fmt: skip
