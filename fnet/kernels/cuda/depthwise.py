"""Depthwise convolution, its input gradient and its weight gradient: every channel has a kernel of its own.

Along each axis a tap reads ``(target * SCALE + tap * STEP + OFFSET) / DIVISOR`` for a target, if that is an integer in
[0, SOURCES); so one kernel serves a convolution, whose targets are outputs, and its input gradient, whose targets are
inputs. Threads are as in `fnet.kernels.cuda.pooling`: x for channels, y for targets, z for samples; places in a sample
are numbers of 32 bits.

The weight gradient is summed in two stages, in an order that depends on the shape alone: a block sums the products of a
tap over a part of the targets for some channels, then a warp adds up the parts.
"""

from __future__ import annotations

import numpy as np

from fnet.activation_codes import RELU, SIGMOID, TANH
from fnet.kernels.cuda.runtime.access import is_aligned
from fnet.kernels.cuda.runtime.arithmetic import multiply_add
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.quads import load, store
from fnet.kernels.cuda.runtime.rows import WARP, row_of_thread, warp_sum
from fnet.kernels.cuda.scalars import relu, sigmoid, tanh
from fnet.kernels.sizes import Sizes

THREADS = 256
_OF_AXIS = ("targets", "sources", "taps", "scale", "step", "offset", "divisor")
GEOMETRY = Sizes(" ".join(f"{name}{axis}" for axis in range(3) for name in _OF_AXIS) + " samples channels bias act")
AXIS = len(_OF_AXIS)  # the distance of one axis' numbers from the next one's
(TARGETS, SOURCES, TAPS, SCALE, STEP, OFFSET, DIVISOR), (SAMPLES, CHANNELS, BIAS, ACT) = (
    list(GEOMETRY)[:AXIS],
    list(GEOMETRY)[-4:],
)


def axis_geometry(axis: int, *sizes: int) -> dict[str, int]:
    """The sizes of one axis, 0 to 2, by their names in `GEOMETRY`."""
    return {f"{name}{axis}": value for name, value in zip(_OF_AXIS, sizes, strict=True)}


# ------------------------------------------------------------------------------------------------- geometry


@device_function
def _of(geometry, number):
    """One of the sizes."""
    return np.int32(geometry[number])


@device_function
def _source(geometry, axis, target, tap):
    """What a tap reads for a target along an axis, or -1."""
    scaled = target * _of(geometry, AXIS * axis + SCALE) + tap * _of(geometry, AXIS * axis + STEP)
    place = np.int32(scaled + _of(geometry, AXIS * axis + OFFSET))
    if place < 0:
        return np.int32(-1)
    divisor, sources = np.uint32(geometry[AXIS * axis + DIVISOR]), _of(geometry, AXIS * axis + SOURCES)
    if divisor == 1:  # a division takes longer than a product of four channels
        return place if place < sources else np.int32(-1)
    source = np.int32(np.uint32(place) // divisor)
    return source if np.int32(source * divisor) == place and source < sources else np.int32(-1)


@device_function
def _count(geometry, of):
    """How many there are on all axes together; of: `TARGETS`, `SOURCES` or `TAPS`."""
    return np.int32(geometry[of] * geometry[AXIS + of] * geometry[AXIS * 2 + of])


@device_function
def _on_axes(geometry, of, position):
    """A position, below 2**32, on each axis."""
    width, height = np.uint32(geometry[AXIS * 2 + of]), np.uint32(geometry[AXIS + of])
    row = np.uint32(np.uint32(position) // width)
    slab = np.uint32(row // height)
    return np.int32(slab), np.int32(row - slab * height), np.int32(position - row * width)


@device_function
def _activated(value, act):
    if act == RELU:
        return relu(value)
    if act == TANH:
        return tanh(value)
    if act == SIGMOID:
        return sigmoid(value)
    return value


# ------------------------------------------------------------------------------------ outputs and input gradients


@device_function
def _gathered(x, w, bias, first, c, geometry, i0, i1, i2, even):
    """The sum of four channels, or one, over the taps of a target; first: where a sample of x begins."""
    channels, zero = _of(geometry, CHANNELS), x.dtype.type(0)
    p, q, r, s = zero, zero, zero, zero
    if geometry[BIAS] != 0:
        p, q, r, s = load(bias, c, even)
    tap = c
    for t0 in range(_of(geometry, TAPS)):
        source0 = _source(geometry, 0, i0, t0)
        for t1 in range(_of(geometry, AXIS + TAPS)):
            source1 = _source(geometry, 1, i1, t1)
            line = np.int32(source0 * _of(geometry, AXIS + SOURCES) + source1)
            for t2 in range(_of(geometry, AXIS * 2 + TAPS)):
                source2 = _source(geometry, 2, i2, t2)
                if source0 >= 0 and source1 >= 0 and source2 >= 0:
                    place = np.int32((line * _of(geometry, AXIS * 2 + SOURCES) + source2) * channels + c)
                    a, b, d, e = load(x, first + place, even)
                    k, m, n, o = load(w, tap, even)
                    p, q = multiply_add(a, k, p), multiply_add(b, m, q)
                    r, s = multiply_add(d, n, r), multiply_add(e, o, s)
                tap = np.int32(tap + channels)
    return p, q, r, s


@device_function
def _gather(x, w, bias, y, geometry, target, even):
    """All samples and channels of a target."""
    i0, i1, i2 = _on_axes(geometry, TARGETS, target)
    channels, sources, targets = _of(geometry, CHANNELS), _count(geometry, SOURCES), _count(geometry, TARGETS)
    sample, neighbours = np.int32(cuda.blockIdx.y * cuda.blockDim.z + cuda.threadIdx.z), np.int32(4 if even else 1)
    while sample < _of(geometry, SAMPLES):
        first = sample * sources * channels
        c = np.int32(cuda.threadIdx.x * neighbours)
        while c < channels:
            p, q, r, s = _gathered(x, w, bias, first, c, geometry, i0, i1, i2, even)
            act = _of(geometry, ACT)
            p, q, r, s = _activated(p, act), _activated(q, act), _activated(r, act), _activated(s, act)
            store(y, (sample * targets + target) * channels + c, (p, q, r, s), even)
            c = np.int32(c + cuda.blockDim.x * neighbours)
        sample = np.int32(sample + cuda.gridDim.y * cuda.blockDim.z)


@kernel(threads=THREADS)
def gather_channels(x, w, bias, y, geometry):
    """``y = act(sum over taps of x w + bias)`` for each channel; w: (taps, channels)."""
    target = np.int32(cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y)
    if target < _count(geometry, TARGETS):
        if geometry[CHANNELS] % 4 == 0 and is_aligned(x) and is_aligned(w) and is_aligned(bias) and is_aligned(y):
            _gather(x, w, bias, y, geometry, target, True)
        else:
            _gather(x, w, bias, y, geometry, target, False)


# ----------------------------------------------------------------------------------------------- weight gradients


@kernel(threads=THREADS)
def channel_products(x, g, work, geometry):
    """work[tap, channel, part] = the sum of ``x[source] g[target]`` over the targets of all samples in a part.

    Channels are x of the grid, parts y and taps z. Lines are targets along the last axis: in a block a thread takes
    every so many-th target of a line, and every so many-th line where these are short.
    """
    shared = cuda.shared.array(THREADS, g.dtype)
    part, parts, tap = cuda.blockIdx.y, cuda.gridDim.y, cuda.blockIdx.z
    t0, t1, t2 = _on_axes(geometry, TAPS, tap)
    channels, width = geometry[CHANNELS], _of(geometry, AXIS * 2 + TARGETS)
    c, total = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x, g.dtype.type(0)
    lines = _of(geometry, TARGETS) * _of(geometry, AXIS + TARGETS)  # of a sample
    beside = np.int32(max(1, min(width, cuda.blockDim.y)))
    at_once, own = np.int32(cuda.blockDim.y // beside), np.int32(cuda.threadIdx.y // beside)
    count = geometry[SAMPLES] * lines * width
    first, last = part * count // parts, (part + 1) * count // parts
    line = first // width + own
    if c < channels and own < at_once:
        while line * width < last:
            sample = line // lines
            of_sample = np.uint32(line - sample * lines)
            i0 = np.int32(of_sample // np.uint32(geometry[AXIS + TARGETS]))
            i1 = np.int32(of_sample - i0 * np.uint32(geometry[AXIS + TARGETS]))
            s0, s1 = _source(geometry, 0, i0, t0), _source(geometry, 1, i1, t1)
            if s0 >= 0 and s1 >= 0:
                sources = (sample * geometry[SOURCES] + s0) * geometry[AXIS + SOURCES] + s1
                source, target = sources * geometry[AXIS * 2 + SOURCES] * channels + c, line * width * channels + c
                i2 = np.int32(max(first - line * width, 0) + cuda.threadIdx.y - own * beside)
                end = np.int32(min(last - line * width, width))
                while i2 < end:
                    s2 = _source(geometry, 2, i2, t2)
                    if s2 >= 0:
                        total = multiply_add(x[source + s2 * channels], g[target + i2 * channels], total)
                    i2 = np.int32(i2 + beside)
            line += at_once
    place = cuda.threadIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    shared[place] = total
    cuda.syncthreads()
    rows = cuda.blockDim.y
    while rows > 1:
        half = (rows + 1) // 2
        if cuda.threadIdx.y < rows - half:
            shared[place] += shared[place + half * cuda.blockDim.x]
        cuda.syncthreads()
        rows = half
    if cuda.threadIdx.y == 0 and c < channels:
        work[(tap * channels + c) * parts + part] = shared[place]


@kernel(threads=THREADS)
def merge_channel_products(work, dw, count, parts):
    """``dw[i] = sum of work[i, part]``; a warp takes an element."""
    i = row_of_thread()
    if i < count:
        total = dw.dtype.type(0)
        part = cuda.threadIdx.x
        while part < parts:
            total += work[i * parts + part]
            part += WARP
        total = warp_sum(total)
        if cuda.threadIdx.x == 0:
            dw[i] = total
