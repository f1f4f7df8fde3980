"""Maximum and average over windows of an image of channels, with their backward passes.

x: (N, D, H, W, C) and y: (N, D', H', W', C) are flat; images with fewer axes have sizes of 1. The window of an output
position is cut off at the edges of the input, so padding counts neither as a value nor in an average. The taps of a
window are numbered in row-major order; a maximum comes with the number of its tap in a small integer, which is all
that its backward pass reads. `fnet.kernels.cpu.pooling_window` has the vector code for one window.

What kernels know of the windows is an array `GEOMETRY`: for each of the three axes its `SIZE`, `OUT`, `WINDOW`,
`STRIDE` and `PAD` (the padding before it), then `SAMPLES`, `CHANNELS`, how the work is cut into tasks (`CHUNK`, `BAND`)
and whether the windows cover the input once without gaps (`TILED`).

Forward, a task takes `CHUNK` output positions. Backward, it owns `BAND` positions of the first axis of one sample and
adds to them what every window that reaches them passes on, in the order of the windows: the bits of an element do not
depend on the number of threads.
"""

from __future__ import annotations

from fnet.kernels.cpu.pooling_window import max_window, max_window_vjp, mean_window, mean_window_vjp, pick_window
from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector import spans
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.policy import kernel, scalar
from fnet.kernels.sizes import Sizes

AXES = ("depth", "height", "width")
_OF_AXIS = ("size", "out", "window", "stride", "pad")
GEOMETRY = Sizes(
    " ".join(f"{axis}_{name}" for axis in AXES for name in _OF_AXIS) + " samples channels chunk band tiled"
)
AXIS = len(_OF_AXIS)  # the distance of one axis' numbers from the next one's
(SIZE, OUT, WINDOW, STRIDE, PAD), (SAMPLES, CHANNELS, CHUNK, BAND, TILED) = list(GEOMETRY)[:AXIS], list(GEOMETRY)[-5:]


def axis_geometry(place: int, size: int, out: int, window: int, stride: int, pad: int) -> dict[str, int]:
    """The sizes of one axis by their names in `GEOMETRY`; place: 0, 1 or 2."""
    sizes = (size, out, window, stride, pad)
    return {f"{AXES[place]}_{name}": value for name, value in zip(_OF_AXIS, sizes, strict=True)}


# ------------------------------------------------------------------------------------------------- geometry


@scalar
def _window(geometry, axis, position):
    """Where the window of an output position begins on an axis, and how many taps it has inside of the input."""
    start = position * geometry[AXIS * axis + STRIDE] - geometry[AXIS * axis + PAD]
    stop = min(start + geometry[AXIS * axis + WINDOW], geometry[AXIS * axis + SIZE])
    start = max(start, 0)
    return start, stop - start


@scalar
def _steps(geometry):
    """The distances between neighbours on the first two axes of the input."""
    step = geometry[AXIS * 2 + SIZE] * geometry[CHANNELS]
    return geometry[AXIS + SIZE] * step, step


@scalar
def _row(geometry, pixel):
    """Of the row of an output pixel: where its windows begin in the input, and their taps on the first two axes."""
    row = pixel // geometry[AXIS * 2 + OUT]
    slab = row // geometry[AXIS + OUT]
    sample = slab // geometry[OUT]
    start0, taps0 = _window(geometry, 0, slab - sample * geometry[OUT])
    start1, taps1 = _window(geometry, 1, row - slab * geometry[AXIS + OUT])
    step0, step1 = _steps(geometry)
    return (sample * geometry[SIZE] + start0) * step0 + start1 * step1, taps0, taps1


@scalar
def _pixels(geometry):
    return geometry[SAMPLES] * geometry[OUT] * geometry[AXIS + OUT] * geometry[AXIS * 2 + OUT]


@scalar
def _chunks(geometry):
    return (_pixels(geometry) + geometry[CHUNK] - 1) // geometry[CHUNK]


@scalar
def _bands(geometry):
    """The number of bands of a sample."""
    return (geometry[SIZE] + geometry[BAND] - 1) // geometry[BAND]


@scalar
def _threads(geometry):
    """How many threads the whole work is worth, at 10 elements a nanosecond and 3 ns for each window."""
    taps = geometry[WINDOW] * geometry[AXIS + WINDOW] * geometry[AXIS * 2 + WINDOW]
    return threads_for(_pixels(geometry) * (3 + taps * geometry[CHANNELS] // 10))


# -------------------------------------------------------------------------------------------- forward passes


@kernel
def _max_chunk(task, x, y, index, geometry):
    channels, width = geometry[CHANNELS], geometry[AXIS * 2 + OUT]
    step0, step1 = _steps(geometry)
    pixel = task * geometry[CHUNK]
    last = min(pixel + geometry[CHUNK], _pixels(geometry))
    while pixel < last:
        source, taps0, taps1 = _row(geometry, pixel)
        column = pixel % width
        for position in range(column, min(width, column + last - pixel)):
            start, taps2 = _window(geometry, 2, position)
            window, target = at(x, source + start * channels), pixel * channels
            max_window(window, at(y, target), at(index, target), taps0, taps1, taps2, step0, step1, channels)
            pixel += 1


@kernel
def max_pool(x, y, index, geometry):
    """y = the largest element of each window, NaN where there is one; index = the number of the first such tap."""
    parallel_for(_max_chunk, _chunks(geometry), _threads(geometry), at(x, 0), at(y, 0), at(index, 0), at(geometry, 0))


@kernel
def _pick_chunk(task, x, index, y, geometry):
    channels, width = geometry[CHANNELS], geometry[AXIS * 2 + OUT]
    step0, step1 = _steps(geometry)
    pixel = task * geometry[CHUNK]
    last = min(pixel + geometry[CHUNK], _pixels(geometry))
    while pixel < last:
        source, taps0, taps1 = _row(geometry, pixel)
        column = pixel % width
        for position in range(column, min(width, column + last - pixel)):
            start, taps2 = _window(geometry, 2, position)
            window, target = at(x, source + start * channels), pixel * channels
            pick_window(window, at(index, target), at(y, target), taps0, taps1, taps2, step0, step1, channels)
            pixel += 1


@kernel
def pick_pool(x, index, y, geometry):
    """y = the tap of each window that has the number `index`."""
    parallel_for(_pick_chunk, _chunks(geometry), _threads(geometry), at(x, 0), at(index, 0), at(y, 0), at(geometry, 0))


@kernel
def _mean_chunk(task, x, y, geometry):
    channels, width = geometry[CHANNELS], geometry[AXIS * 2 + OUT]
    step0, step1 = _steps(geometry)
    pixel = task * geometry[CHUNK]
    last = min(pixel + geometry[CHUNK], _pixels(geometry))
    while pixel < last:
        source, taps0, taps1 = _row(geometry, pixel)
        column = pixel % width
        for position in range(column, min(width, column + last - pixel)):
            start, taps2 = _window(geometry, 2, position)
            window, target = at(x, source + start * channels), at(y, pixel * channels)
            mean_window(window, target, taps0, taps1, taps2, step0, step1, channels)
            pixel += 1


@kernel
def average_pool(x, y, geometry):
    """y = the mean of each window's elements."""
    parallel_for(_mean_chunk, _chunks(geometry), _threads(geometry), at(x, 0), at(y, 0), at(geometry, 0))


# ------------------------------------------------------------------------------------------- backward passes
# Zeros are written just ahead of the sums, while that part of dx is in the cache; tiled windows need none before them.


@scalar
def _reaching(geometry, first, last):
    """The output positions on the first axis whose windows reach input positions first to last (exclusive)."""
    pad, stride = geometry[PAD], geometry[STRIDE]
    start = max(0, (first + pad - geometry[WINDOW]) // stride + 1)
    return start, min(geometry[OUT], (last - 1 + pad) // stride + 1)


@kernel
def _max_vjp_band(task, g, index, dx, geometry):
    channels, height, width = geometry[CHANNELS], geometry[AXIS + OUT], geometry[AXIS * 2 + OUT]
    step0, step1 = _steps(geometry)
    sample = task // _bands(geometry)
    first = (task - sample * _bands(geometry)) * geometry[BAND]
    last = min(first + geometry[BAND], geometry[SIZE])
    origin = sample * geometry[SIZE] * step0
    ready = first
    begin, end = _reaching(geometry, first, last)
    for o0 in range(begin, end):
        start0, taps0 = _window(geometry, 0, o0)
        start, stop = max(start0, first), min(start0 + taps0, last)
        if not geometry[TILED]:
            spans.clear(at(dx, origin + ready * step0), max(0, stop - ready) * step0)
        ready = max(ready, stop)
        for o1 in range(height):
            start1, taps1 = _window(geometry, 1, o1)
            target = origin + start * step0 + start1 * step1
            pixel = ((sample * geometry[OUT] + o0) * height + o1) * width
            for o2 in range(width):
                start2, taps2 = _window(geometry, 2, o2)
                source, before = (pixel + o2) * channels, (start - start0) * taps1 * taps2
                max_window_vjp(
                    at(g, source), at(index, source), at(dx, target + start2 * channels), before, geometry[TILED],
                    stop - start, taps1, taps2, step0, step1, channels,
                )  # fmt: skip
    spans.clear(at(dx, origin + ready * step0), (last - ready) * step0)


@kernel
def max_pool_vjp(g, index, dx, geometry):
    """dx = g at the tap of each window that has the number `index`, added up where windows overlap."""
    parallel_for(
        _max_vjp_band,
        geometry[SAMPLES] * _bands(geometry),
        _threads(geometry),
        at(g, 0),
        at(index, 0),
        at(dx, 0),
        at(geometry, 0),
    )


@kernel
def _mean_vjp_band(task, g, dx, geometry):
    channels, height, width = geometry[CHANNELS], geometry[AXIS + OUT], geometry[AXIS * 2 + OUT]
    step0, step1 = _steps(geometry)
    sample = task // _bands(geometry)
    first = (task - sample * _bands(geometry)) * geometry[BAND]
    last = min(first + geometry[BAND], geometry[SIZE])
    origin = sample * geometry[SIZE] * step0
    ready = first
    begin, end = _reaching(geometry, first, last)
    for o0 in range(begin, end):
        start0, taps0 = _window(geometry, 0, o0)
        start, stop = max(start0, first), min(start0 + taps0, last)
        if not geometry[TILED]:
            spans.clear(at(dx, origin + ready * step0), max(0, stop - ready) * step0)
        ready = max(ready, stop)
        for o1 in range(height):
            start1, taps1 = _window(geometry, 1, o1)
            target = origin + start * step0 + start1 * step1
            pixel = ((sample * geometry[OUT] + o0) * height + o1) * width
            for o2 in range(width):
                start2, taps2 = _window(geometry, 2, o2)
                mean_window_vjp(
                    at(g, (pixel + o2) * channels), at(dx, target + start2 * channels), taps0 * taps1 * taps2,
                    geometry[TILED], stop - start, taps1, taps2, step0, step1, channels,
                )  # fmt: skip
    spans.clear(at(dx, origin + ready * step0), (last - ready) * step0)


@kernel
def average_pool_vjp(g, dx, geometry):
    """dx = g over the number of elements of its window, added up where windows overlap."""
    tasks = geometry[SAMPLES] * _bands(geometry)
    parallel_for(_mean_vjp_band, tasks, _threads(geometry), at(g, 0), at(dx, 0), at(geometry, 0))
