"""Maximum and average over windows of an image of channels, with their backward passes.

x: (N, D, H, W, C) and y: (N, D', H', W', C) are flat; images with fewer axes have sizes of 1. Windows, the numbers of
their taps and what comes of NaN are those of the CPU. Forward, a thread has an output position; backward, an input
position, which collects what every window that reaches it passes on, in the order of the windows: the CPU's bits.

Threads are x for channels, y for positions, z for samples; a sample has fewer than 2**31 positions. A thread has four
neighbouring channels at a time where all arrays allow it, else one, which it then computes four times over.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.access import is_aligned
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.quads import load, store
from fnet.kernels.sizes import Sizes

THREADS = 256
_OF_AXIS = ("size", "out", "window", "stride", "pad")
GEOMETRY = Sizes(" ".join(f"{name}{axis}" for axis in range(3) for name in _OF_AXIS) + " samples channels")
AXIS = len(_OF_AXIS)  # the distance of one axis' numbers from the next one's
(SIZE, OUT, WINDOW, STRIDE, PAD), (SAMPLES, CHANNELS) = list(GEOMETRY)[:AXIS], list(GEOMETRY)[-2:]


def axis_geometry(axis: int, *sizes: int) -> dict[str, int]:
    """The sizes of one axis, 0 to 2, by their names in `GEOMETRY`."""
    return {f"{name}{axis}": value for name, value in zip(_OF_AXIS, sizes, strict=True)}


# ------------------------------------------------------------------------------------------------- geometry


@device_function
def _window(geometry, axis, position):
    """Where the window of an output position begins on an axis, and how many taps it has inside of the input."""
    start = position * geometry[AXIS * axis + STRIDE] - geometry[AXIS * axis + PAD]
    stop = min(start + geometry[AXIS * axis + WINDOW], geometry[AXIS * axis + SIZE])
    start = max(start, 0)
    return start, stop - start


@device_function
def _reaching(geometry, axis, position):
    """The output positions on an axis, first and last (exclusive), whose windows reach an input position."""
    place, stride = position + geometry[AXIS * axis + PAD], np.uint32(geometry[AXIS * axis + STRIDE])
    before = place - geometry[AXIS * axis + WINDOW]
    first = np.int64(np.uint32(before) // stride) + 1 if before >= 0 else 0
    return first, min(geometry[AXIS * axis + OUT], np.int64(np.uint32(place) // stride) + 1)


@device_function
def _positions(geometry, of):
    """How many positions a sample has; of: `OUT` or `SIZE`."""
    return geometry[of] * geometry[AXIS + of] * geometry[AXIS * 2 + of]


@device_function
def _on_axes(geometry, of, position):
    """A position on each axis."""
    width, height = np.uint32(geometry[AXIS * 2 + of]), np.uint32(geometry[AXIS + of])
    row = np.uint32(np.uint32(position) // width)
    slab = np.uint32(row // height)
    return np.int64(slab), np.int64(np.uint32(row - slab * height)), np.int64(np.uint32(position - row * width))


@device_function
def _steps(geometry):
    """The distances between neighbours on the first two axes of the input."""
    step = geometry[AXIS * 2 + SIZE] * geometry[CHANNELS]
    return geometry[AXIS + SIZE] * step, step


@device_function
def _output_window(geometry, position):
    """Where the window of an output position begins in a sample, and its taps on each axis."""
    o0, o1, o2 = _on_axes(geometry, OUT, position)
    start0, taps0 = _window(geometry, 0, o0)
    start1, taps1 = _window(geometry, 1, o1)
    start2, taps2 = _window(geometry, 2, o2)
    step0, step1 = _steps(geometry)
    return start0 * step0 + start1 * step1 + start2 * geometry[CHANNELS], taps0, taps1, taps2


@device_function
def _is_even(geometry, x, y):
    """Whether threads may have four channels at a time."""
    return geometry[CHANNELS] % 4 == 0 and is_aligned(x) and is_aligned(y)


# -------------------------------------------------------------------------------------------- forward passes


@device_function
def _replaces(value, top):
    """Whether a value is larger than those before it, or the first NaN."""
    return not value <= top and top == top


@device_function
def _max_window(x, source, y, index, target, geometry, taps0, taps1, taps2, even):
    """Write the largest element of one window, and the number of its tap."""
    step0, step1 = _steps(geometry)
    low, tap = x.dtype.type(-np.float32(np.inf)), np.int32(0)
    p, q, r, s = low, low, low, low
    i, j, k, m = tap, tap, tap, tap
    for t0 in range(taps0):
        for t1 in range(taps1):
            place = source + t0 * step0 + t1 * step1
            for _ in range(taps2):
                a, b, c, d = load(x, place, even)
                if _replaces(a, p):
                    p, i = a, tap
                if _replaces(b, q):
                    q, j = b, tap
                if _replaces(c, r):
                    r, k = c, tap
                if _replaces(d, s):
                    s, m = d, tap
                tap = np.int32(tap + 1)
                place += geometry[CHANNELS]
    store(y, target, (p, q, r, s), even)
    kind = index.dtype.type
    store(index, target, (kind(i), kind(j), kind(k), kind(m)), even)


@kernel(threads=THREADS)
def max_pool(x, y, index, geometry):
    """y = the largest element of each window, NaN where there is one; index = the number of the first such tap."""
    position, inputs, outputs = _of_thread(), _positions(geometry, SIZE), _positions(geometry, OUT)
    if position < outputs:
        first, taps0, taps1, taps2 = _output_window(geometry, position)
        channels, even = geometry[CHANNELS], _is_even(geometry, x, y) and is_aligned(index)
        sample = _first_sample()
        while sample < geometry[SAMPLES]:
            source, target = sample * inputs * channels + first, (sample * outputs + position) * channels
            c = cuda.threadIdx.x * (4 if even else 1)
            while c < channels:
                _max_window(x, source + c, y, index, target + c, geometry, taps0, taps1, taps2, even)
                c += cuda.blockDim.x * (4 if even else 1)
            sample += cuda.gridDim.y * cuda.blockDim.z


@device_function
def _of_thread():
    """The position of a thread in a sample."""
    return cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y


@device_function
def _first_sample():
    return cuda.blockIdx.y * cuda.blockDim.z + cuda.threadIdx.z


@kernel(threads=THREADS)
def pick_pool(x, index, y, geometry):
    """y = the tap of each window that has the number `index`, 0 where there is none; a thread has one channel."""
    position, inputs, outputs = _of_thread(), _positions(geometry, SIZE), _positions(geometry, OUT)
    if position < outputs:
        first, taps0, taps1, taps2 = _output_window(geometry, position)
        channels, (step0, step1) = geometry[CHANNELS], _steps(geometry)
        sample = _first_sample()
        while sample < geometry[SAMPLES]:
            source, target = sample * inputs * channels + first, (sample * outputs + position) * channels
            c = cuda.threadIdx.x
            while c < channels:
                tap = np.uint32(index[target + c])
                row = np.uint32(tap // np.uint32(taps2))
                slab = np.uint32(row // np.uint32(taps1))
                t1, t2 = np.int64(np.uint32(row - slab * np.uint32(taps1))), np.uint32(tap - row * np.uint32(taps2))
                value = y.dtype.type(0)
                if np.int64(slab) < taps0:
                    value = x[source + c + np.int64(slab) * step0 + t1 * step1 + np.int64(t2) * channels]
                y[target + c] = value
                c += cuda.blockDim.x
            sample += cuda.gridDim.y * cuda.blockDim.z


@device_function
def _mean_window(x, source, y, target, geometry, taps0, taps1, taps2, even):
    """Write the mean of one window."""
    step0, step1 = _steps(geometry)
    zero, count = x.dtype.type(0), x.dtype.type(taps0 * taps1 * taps2)
    p, q, r, s = zero, zero, zero, zero
    for t0 in range(taps0):
        for t1 in range(taps1):
            place = source + t0 * step0 + t1 * step1
            for _ in range(taps2):
                a, b, c, d = load(x, place, even)
                p, q, r, s = p + a, q + b, r + c, s + d
                place += geometry[CHANNELS]
    store(y, target, (p / count, q / count, r / count, s / count), even)


@kernel(threads=THREADS)
def average_pool(x, y, geometry):
    """y = the mean of each window's elements."""
    position, inputs, outputs = _of_thread(), _positions(geometry, SIZE), _positions(geometry, OUT)
    if position < outputs:
        first, taps0, taps1, taps2 = _output_window(geometry, position)
        channels, even = geometry[CHANNELS], _is_even(geometry, x, y)
        sample = _first_sample()
        while sample < geometry[SAMPLES]:
            source, target = sample * inputs * channels + first, (sample * outputs + position) * channels
            c = cuda.threadIdx.x * (4 if even else 1)
            while c < channels:
                _mean_window(x, source + c, y, target + c, geometry, taps0, taps1, taps2, even)
                c += cuda.blockDim.x * (4 if even else 1)
            sample += cuda.gridDim.y * cuda.blockDim.z


# ------------------------------------------------------------------------------------------- backward passes


@device_function
def _max_vjp_of(g, index, source, dx, target, geometry, i0, i1, i2, even):
    """Write the sum of what the windows pass on whose largest element is at an input position."""
    channels, zero = geometry[CHANNELS], g.dtype.type(0)
    p, q, r, s = zero, zero, zero, zero
    (first0, last0), (first1, last1) = _reaching(geometry, 0, i0), _reaching(geometry, 1, i1)
    first2, last2 = _reaching(geometry, 2, i2)
    for o0 in range(first0, last0):
        start0 = max(o0 * geometry[STRIDE] - geometry[PAD], 0)
        for o1 in range(first1, last1):
            start1, taps1 = _window(geometry, 1, o1)
            row = (o0 * geometry[AXIS + OUT] + o1) * geometry[AXIS * 2 + OUT]
            for o2 in range(first2, last2):
                start2, taps2 = _window(geometry, 2, o2)
                tap = ((i0 - start0) * taps1 + (i1 - start1)) * taps2 + (i2 - start2)
                place = source + (row + o2) * channels
                i, j, k, m = load(index, place, even)
                a, b, c, d = load(g, place, even)
                p += a if i == tap else zero
                q += b if j == tap else zero
                r += c if k == tap else zero
                s += d if m == tap else zero
    store(dx, target, (p, q, r, s), even)


@kernel(threads=THREADS)
def max_pool_vjp(g, index, dx, geometry):
    """dx = g where the window's largest element is, added up where windows overlap."""
    position, inputs, outputs = _of_thread(), _positions(geometry, SIZE), _positions(geometry, OUT)
    if position < inputs:
        i0, i1, i2 = _on_axes(geometry, SIZE, position)
        channels, even = geometry[CHANNELS], _is_even(geometry, g, dx) and is_aligned(index)
        sample = _first_sample()
        while sample < geometry[SAMPLES]:
            source, target = sample * outputs * channels, (sample * inputs + position) * channels
            c = cuda.threadIdx.x * (4 if even else 1)
            while c < channels:
                _max_vjp_of(g, index, source + c, dx, target + c, geometry, i0, i1, i2, even)
                c += cuda.blockDim.x * (4 if even else 1)
            sample += cuda.gridDim.y * cuda.blockDim.z


@device_function
def _mean_vjp_of(g, source, dx, target, geometry, i0, i1, i2, even):
    """Write the sum of what the windows pass on that reach an input position."""
    channels, zero = geometry[CHANNELS], g.dtype.type(0)
    p, q, r, s = zero, zero, zero, zero
    (first0, last0), (first1, last1) = _reaching(geometry, 0, i0), _reaching(geometry, 1, i1)
    first2, last2 = _reaching(geometry, 2, i2)
    for o0 in range(first0, last0):
        taps0 = _window(geometry, 0, o0)[1]
        for o1 in range(first1, last1):
            taps1 = _window(geometry, 1, o1)[1]
            row = (o0 * geometry[AXIS + OUT] + o1) * geometry[AXIS * 2 + OUT]
            for o2 in range(first2, last2):
                count = g.dtype.type(taps0 * taps1 * _window(geometry, 2, o2)[1])
                a, b, c, d = load(g, source + (row + o2) * channels, even)
                p, q, r, s = p + a / count, q + b / count, r + c / count, s + d / count
    store(dx, target, (p, q, r, s), even)


@kernel(threads=THREADS)
def average_pool_vjp(g, dx, geometry):
    """dx = g over the number of elements of its window, added up where windows overlap."""
    position, inputs, outputs = _of_thread(), _positions(geometry, SIZE), _positions(geometry, OUT)
    if position < inputs:
        i0, i1, i2 = _on_axes(geometry, SIZE, position)
        channels, even = geometry[CHANNELS], _is_even(geometry, g, dx)
        sample = _first_sample()
        while sample < geometry[SAMPLES]:
            source, target = sample * outputs * channels, (sample * inputs + position) * channels
            c = cuda.threadIdx.x * (4 if even else 1)
            while c < channels:
                _mean_vjp_of(g, source + c, dx, target + c, geometry, i0, i1, i2, even)
                c += cuda.blockDim.x * (4 if even else 1)
            sample += cuda.gridDim.y * cuda.blockDim.z
