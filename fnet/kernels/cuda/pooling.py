"""Maximum and average over windows of an image of channels, with their backward passes.

x: (N, D, H, W, C) and y: (N, D', H', W', C) are flat; images with fewer axes have sizes of 1. Windows, the numbers of
their taps and what comes of NaN are those of the CPU. Forward, a thread has an output position; backward, an input
position, which collects what every window that reaches it passes on, in the order of the windows: the CPU's bits.

Threads are x for channels, y for positions, z for samples. A sample has fewer than 2**31 elements, so places in it are
numbers of 32 bits, which take half the registers. A thread has four neighbouring channels at a time where all arrays
allow it, else one.
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
def _of(geometry, number):
    """One of the sizes."""
    return np.int32(geometry[number])


@device_function
def _window(geometry, axis, position):
    """Where the window of an output position begins on an axis, and how many taps it has inside of the input."""
    start = np.int32(position * _of(geometry, AXIS * axis + STRIDE) - _of(geometry, AXIS * axis + PAD))
    stop = min(np.int32(start + _of(geometry, AXIS * axis + WINDOW)), _of(geometry, AXIS * axis + SIZE))
    start = max(start, np.int32(0))
    return start, np.int32(stop - start)


@device_function
def _reaching(geometry, axis, position):
    """The output positions on an axis, first and last (exclusive), whose windows reach an input position."""
    place = np.int32(position + _of(geometry, AXIS * axis + PAD))
    before, stride = np.int32(place - _of(geometry, AXIS * axis + WINDOW)), np.uint32(geometry[AXIS * axis + STRIDE])
    first = np.int32(np.uint32(before) // stride + 1 if before >= 0 else 0)
    return first, min(_of(geometry, AXIS * axis + OUT), np.int32(np.uint32(place) // stride + 1))


@device_function
def _positions(geometry, of):
    """How many positions a sample has; of: `OUT` or `SIZE`."""
    return np.int32(geometry[of] * geometry[AXIS + of] * geometry[AXIS * 2 + of])


@device_function
def _on_axes(geometry, of, position):
    """A position on each axis."""
    width, height = np.uint32(geometry[AXIS * 2 + of]), np.uint32(geometry[AXIS + of])
    row = np.uint32(np.uint32(position) // width)
    slab = np.uint32(row // height)
    return np.int32(slab), np.int32(row - slab * height), np.int32(position - row * width)


@device_function
def _steps(geometry):
    """The distances between neighbours on the three axes of the input."""
    step2 = _of(geometry, CHANNELS)
    step1 = np.int32(_of(geometry, AXIS * 2 + SIZE) * step2)
    return np.int32(_of(geometry, AXIS + SIZE) * step1), step1, step2


@device_function
def _output_window(geometry, position):
    """Where the window of an output position begins in a sample, and its taps on each axis."""
    o0, o1, o2 = _on_axes(geometry, OUT, position)
    start0, taps0 = _window(geometry, 0, o0)
    start1, taps1 = _window(geometry, 1, o1)
    start2, taps2 = _window(geometry, 2, o2)
    step0, step1, step2 = _steps(geometry)
    return np.int32(start0 * step0 + start1 * step1 + start2 * step2), taps0, taps1, taps2


@device_function
def _is_even(geometry, x, y):
    """Whether threads may have four channels at a time."""
    return geometry[CHANNELS] % 4 == 0 and is_aligned(x) and is_aligned(y)


# -------------------------------------------------------------------------------------------- forward passes


@device_function
def _next_tap(t1, t2, place, taps1, taps2, step0, step1, step2):
    """The next tap of a window on the last two axes, and its place."""
    t2, place = np.int32(t2 + 1), np.int32(place + step2)
    if t2 == taps2:
        t1, t2, place = np.int32(t1 + 1), np.int32(0), np.int32(place + step1 - taps2 * step2)
        if t1 == taps1:
            t1, place = np.int32(0), np.int32(place + step0 - taps1 * step1)
    return t1, t2, place


@device_function
def _replaces(value, top):
    """Whether a value is larger than those before it, or the first NaN."""
    return not value <= top and top == top


@device_function
def _tap_or_none(index, value, tap, none):
    """The number of a tap; `none`, unless that is below 0, where the value is not positive."""
    return index.dtype.type(tap if none < 0 or value > np.float32(0) else none)


@device_function
def _max_window(x, source, first, y, index, target, geometry, taps0, taps1, taps2, none, even):
    """Write the largest element of one window, and the number of its tap; first: where it begins behind `source`."""
    step0, step1, step2 = _steps(geometry)
    low, tap = x.dtype.type(-np.float32(np.inf)), np.int32(0)
    p, q, r, s = low, low, low, low
    i, j, k, m = tap, tap, tap, tap
    t1, t2, place, taps = np.int32(0), np.int32(0), first, np.int32(taps0 * taps1 * taps2)
    while tap < taps:
        a, b, c, d = load(x, source + place, even)
        if _replaces(a, p):
            p, i = a, tap
        if _replaces(b, q):
            q, j = b, tap
        if _replaces(c, r):
            r, k = c, tap
        if _replaces(d, s):
            s, m = d, tap
        tap = np.int32(tap + 1)
        t1, t2, place = _next_tap(t1, t2, place, taps1, taps2, step0, step1, step2)
    store(y, target, (p, q, r, s), even)
    i, j = _tap_or_none(index, p, i, none), _tap_or_none(index, q, j, none)
    k, m = _tap_or_none(index, r, k, none), _tap_or_none(index, s, m, none)
    store(index, target, (i, j, k, m), even)


@device_function
def _max_windows(x, y, index, geometry, position, none, even):
    """All samples and channels of an output position."""
    first, taps0, taps1, taps2 = _output_window(geometry, position)
    inputs, outputs, channels = _positions(geometry, SIZE), _positions(geometry, OUT), _of(geometry, CHANNELS)
    sample, neighbours = _first_sample(), np.int32(4 if even else 1)
    while sample < _of(geometry, SAMPLES):
        c = np.int32(cuda.threadIdx.x * neighbours)
        while c < channels:
            source, target = sample * inputs * channels, (sample * outputs + position) * channels + c
            begin = np.int32(first + c)
            _max_window(x, source, begin, y, index, target, geometry, taps0, taps1, taps2, none, even)
            c = np.int32(c + cuda.blockDim.x * neighbours)
        sample = _next_sample(sample)


@kernel(threads=THREADS, blocks=4)
def max_pool(x, y, index, geometry, none):
    """y = the largest element of each window, NaN where there is one; index = the number of the first such tap.

    none: the number where the largest is not positive, which no tap has; below 0 if that makes no difference.
    """
    position = _of_thread()
    if position < _positions(geometry, OUT):
        if _is_even(geometry, x, y) and is_aligned(index):
            _max_windows(x, y, index, geometry, position, none, True)
        else:
            _max_windows(x, y, index, geometry, position, none, False)


@device_function
def _of_thread():
    """The position of a thread in a sample."""
    return np.int32(cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y)


@device_function
def _first_sample():
    return np.int32(cuda.blockIdx.y * cuda.blockDim.z + cuda.threadIdx.z)


@device_function
def _next_sample(sample):
    return np.int32(sample + cuda.gridDim.y * cuda.blockDim.z)


@kernel(threads=THREADS)
def pick_pool(x, index, y, geometry):
    """y = the tap of each window that has the number `index`, 0 where there is none; a thread has one channel."""
    position, inputs, outputs = _of_thread(), _positions(geometry, SIZE), _positions(geometry, OUT)
    if position < outputs:
        first, taps0, taps1, taps2 = _output_window(geometry, position)
        step0, step1, step2 = _steps(geometry)
        sample = _first_sample()
        while sample < _of(geometry, SAMPLES):
            c = np.int32(cuda.threadIdx.x)
            while c < step2:
                source, target = sample * inputs * step2, (sample * outputs + position) * step2 + c
                tap = np.uint32(index[target])
                row = np.uint32(tap // np.uint32(taps2))
                t0 = np.uint32(row // np.uint32(taps1))
                t1, t2 = np.uint32(row - t0 * np.uint32(taps1)), np.uint32(tap - row * np.uint32(taps2))
                value = y.dtype.type(0)
                if t0 < np.uint32(taps0):
                    value = x[source + np.int32(first + c + t0 * step0 + t1 * step1 + t2 * step2)]
                y[target] = value
                c = np.int32(c + cuda.blockDim.x)
            sample = _next_sample(sample)


@device_function
def _mean_window(x, source, first, y, target, geometry, taps0, taps1, taps2, even):
    """Write the mean of one window; first: where it begins behind `source`."""
    step0, step1, step2 = _steps(geometry)
    zero, taps = x.dtype.type(0), np.int32(taps0 * taps1 * taps2)
    p, q, r, s = zero, zero, zero, zero
    t1, t2, place = np.int32(0), np.int32(0), first
    for _ in range(taps):
        a, b, c, d = load(x, source + place, even)
        p, q, r, s = p + a, q + b, r + c, s + d
        t1, t2, place = _next_tap(t1, t2, place, taps1, taps2, step0, step1, step2)
    count = x.dtype.type(taps)
    store(y, target, (p / count, q / count, r / count, s / count), even)


@device_function
def _mean_windows(x, y, geometry, position, even):
    """All samples and channels of an output position."""
    first, taps0, taps1, taps2 = _output_window(geometry, position)
    inputs, outputs, channels = _positions(geometry, SIZE), _positions(geometry, OUT), _of(geometry, CHANNELS)
    sample, neighbours = _first_sample(), np.int32(4 if even else 1)
    while sample < _of(geometry, SAMPLES):
        c = np.int32(cuda.threadIdx.x * neighbours)
        while c < channels:
            source, target = sample * inputs * channels, (sample * outputs + position) * channels + c
            _mean_window(x, source, np.int32(first + c), y, target, geometry, taps0, taps1, taps2, even)
            c = np.int32(c + cuda.blockDim.x * neighbours)
        sample = _next_sample(sample)


@kernel(threads=THREADS)
def average_pool(x, y, geometry):
    """y = the mean of each window's elements."""
    position = _of_thread()
    if position < _positions(geometry, OUT):
        if _is_even(geometry, x, y):
            _mean_windows(x, y, geometry, position, True)
        else:
            _mean_windows(x, y, geometry, position, False)


# ------------------------------------------------------------------------------------------- backward passes


@device_function
def _count(first0, last0, first1, last1, first2, last2):
    """How many windows reach an input position."""
    return np.int32(max(last0 - first0, 0) * max(last1 - first1, 0) * max(last2 - first2, 0))


@device_function
def _row(geometry, o0, o1, o2):
    """The number of an output position in its sample."""
    return np.int32((o0 * _of(geometry, AXIS + OUT) + o1) * _of(geometry, AXIS * 2 + OUT) + o2)


@device_function
def _next_window(o0, o1, o2, first1, last1, first2, last2):
    """The next of the windows that reach an input position."""
    o2 = np.int32(o2 + 1)
    if o2 == last2:
        o1, o2 = np.int32(o1 + 1), first2
        if o1 == last1:
            o0, o1 = np.int32(o0 + 1), first1
    return o0, o1, o2


@device_function
def _max_vjp_of(g, index, source, c, dx, target, geometry, i0, i1, i2, even):
    """Write the sum of what the windows pass on whose largest element is at an input position."""
    channels, zero = _of(geometry, CHANNELS), g.dtype.type(0)
    p, q, r, s = zero, zero, zero, zero
    (first0, last0), (first1, last1) = _reaching(geometry, 0, i0), _reaching(geometry, 1, i1)
    first2, last2 = _reaching(geometry, 2, i2)
    o0, o1, o2 = first0, first1, first2
    for _ in range(_count(first0, last0, first1, last1, first2, last2)):
        start0, _ = _window(geometry, 0, o0)
        start1, taps1 = _window(geometry, 1, o1)
        start2, taps2 = _window(geometry, 2, o2)
        tap = np.int32(((i0 - start0) * taps1 + (i1 - start1)) * taps2 + (i2 - start2))
        place = source + np.int32(_row(geometry, o0, o1, o2) * channels + c)
        i, j, k, m = load(index, place, even)
        a, b, d, e = load(g, place, even)
        p += a if i == tap else zero
        q += b if j == tap else zero
        r += d if k == tap else zero
        s += e if m == tap else zero
        o0, o1, o2 = _next_window(o0, o1, o2, first1, last1, first2, last2)
    store(dx, target, (p, q, r, s), even)


@device_function
def _max_vjps(g, index, dx, geometry, position, even):
    """All samples and channels of an input position."""
    i0, i1, i2 = _on_axes(geometry, SIZE, position)
    inputs, outputs, channels = _positions(geometry, SIZE), _positions(geometry, OUT), _of(geometry, CHANNELS)
    sample, neighbours = _first_sample(), np.int32(4 if even else 1)
    while sample < _of(geometry, SAMPLES):
        c = np.int32(cuda.threadIdx.x * neighbours)
        while c < channels:
            source, target = sample * outputs * channels, (sample * inputs + position) * channels + c
            _max_vjp_of(g, index, source, c, dx, target, geometry, i0, i1, i2, even)
            c = np.int32(c + cuda.blockDim.x * neighbours)
        sample = _next_sample(sample)


@kernel(threads=THREADS, blocks=4)
def max_pool_vjp(g, index, dx, geometry):
    """dx = g where the window's largest element is, added up where windows overlap."""
    position = _of_thread()
    if position < _positions(geometry, SIZE):
        if _is_even(geometry, g, dx) and is_aligned(index):
            _max_vjps(g, index, dx, geometry, position, True)
        else:
            _max_vjps(g, index, dx, geometry, position, False)


@device_function
def _mean_vjp_of(g, source, c, dx, target, geometry, i0, i1, i2, even):
    """Write the sum of what the windows pass on that reach an input position."""
    channels, zero = _of(geometry, CHANNELS), g.dtype.type(0)
    p, q, r, s = zero, zero, zero, zero
    (first0, last0), (first1, last1) = _reaching(geometry, 0, i0), _reaching(geometry, 1, i1)
    first2, last2 = _reaching(geometry, 2, i2)
    o0, o1, o2 = first0, first1, first2
    for _ in range(_count(first0, last0, first1, last1, first2, last2)):
        _, taps0 = _window(geometry, 0, o0)
        _, taps1 = _window(geometry, 1, o1)
        _, taps2 = _window(geometry, 2, o2)
        count = g.dtype.type(np.int32(taps0 * taps1 * taps2))
        a, b, d, e = load(g, source + np.int32(_row(geometry, o0, o1, o2) * channels + c), even)
        p, q, r, s = p + a / count, q + b / count, r + d / count, s + e / count
        o0, o1, o2 = _next_window(o0, o1, o2, first1, last1, first2, last2)
    store(dx, target, (p, q, r, s), even)


@device_function
def _mean_vjps(g, dx, geometry, position, even):
    """All samples and channels of an input position."""
    i0, i1, i2 = _on_axes(geometry, SIZE, position)
    inputs, outputs, channels = _positions(geometry, SIZE), _positions(geometry, OUT), _of(geometry, CHANNELS)
    sample, neighbours = _first_sample(), np.int32(4 if even else 1)
    while sample < _of(geometry, SAMPLES):
        c = np.int32(cuda.threadIdx.x * neighbours)
        while c < channels:
            source, target = sample * outputs * channels, (sample * inputs + position) * channels + c
            _mean_vjp_of(g, source, c, dx, target, geometry, i0, i1, i2, even)
            c = np.int32(c + cuda.blockDim.x * neighbours)
        sample = _next_sample(sample)


@kernel(threads=THREADS)
def average_pool_vjp(g, dx, geometry):
    """dx = g over the number of elements of its window, added up where windows overlap."""
    position = _of_thread()
    if position < _positions(geometry, SIZE):
        if _is_even(geometry, g, dx):
            _mean_vjps(g, dx, geometry, position, True)
        else:
            _mean_vjps(g, dx, geometry, position, False)
