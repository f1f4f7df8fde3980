"""What the walks over all steps in one launch share: a block has some samples, and all units of them.

For layers whose recurrent kernel fits into the shared memory of a block, which keeps it for all steps; so does the
state of its samples. A thread has a column of the product of a step, for all samples of its block; then a unit of one
sample, with all of its gates. Blocks know nothing of each other, so no barrier of the grid is needed.

In shared memory lie the vectors that are multiplied, the samples side by side; then the weights; then the products.
"""

from __future__ import annotations

from fnet.kernels.cuda.runtime.access import load4
from fnet.kernels.cuda.runtime.kernel import cuda, device_function
from fnet.kernels.sizes import Sizes

SAMPLES = 4  # of a block
THREADS = 512

# Numbers of samples, steps and units; flags; activations; distances of rows and of steps of what is given by windows.
N, STEPS, UNITS, MASKED, SAVING, BACKWARDS, REC, ACT, H_ROW, H_STEP, C_ROW, DY_ROW, DY_STEP = WALK_SIZES = Sizes(
    "n steps units masked saving backwards rec act h_row h_step c_row dy_row dy_step"
)


def shared_size(units: int, columns: int, *, back: bool) -> int:
    """How many elements a block has in shared memory; columns: of the recurrent kernel."""
    return SAMPLES * (columns if back else units) + units * columns + SAMPLES * columns


@device_function
def first_sample():
    """The first sample of a block."""
    return cuda.blockIdx.x * SAMPLES


@device_function
def time_of(sizes, k):
    """The time of the k-th step of the walk forward."""
    return sizes[STEPS] - 1 - k if sizes[BACKWARDS] != 0 else k


@device_function
def is_off(mask, sizes, sample, t):
    """Whether the mask switches a sample off at a time."""
    return sizes[MASKED] != 0 and mask[sample * sizes[STEPS] + t] == 0


@device_function
def begin(shared, recurrent, h, sizes, columns):
    """Load recurrent: (H, columns) and the states before the first step; all threads must come."""
    n, units = sizes[N], sizes[UNITS]
    i = cuda.threadIdx.x
    while i < units * columns:
        shared[SAMPLES * units + i] = recurrent[i]
        i += cuda.blockDim.x
    i = cuda.threadIdx.x
    while i < SAMPLES * units:
        sample, unit = first_sample() + i % SAMPLES, i // SAMPLES
        shared[i] = h[sample * sizes[H_ROW] + unit] if sample < n else shared.dtype.type(0)
        i += cuda.blockDim.x
    cuda.syncthreads()


@device_function
def begin_back(shared, recurrent, sizes, columns):
    """Load recurrent, turned: a row for each of its columns; and zeros for the slopes behind the last step."""
    units = sizes[UNITS]
    i = cuda.threadIdx.x
    while i < units * columns:
        unit, column = i // columns, i % columns
        shared[SAMPLES * columns + column * units + unit] = recurrent[i]
        i += cuda.blockDim.x
    i = cuda.threadIdx.x
    while i < SAMPLES * columns:
        shared[i] = shared.dtype.type(0)
        i += cuda.blockDim.x
    cuda.syncthreads()


@device_function
def _column(shared, vectors, weights, step, depth, products, columns):
    """Write a column of a product for all samples, the sum of ``vectors[k] weights[k]``; step: between weights."""
    zero = shared.dtype.type(0)
    p, q, r, s = zero, zero, zero, zero
    for k in range(depth):
        weight = shared[weights + k * step]
        a, b, c, d = load4(shared, vectors + SAMPLES * k)
        p, q, r, s = p + a * weight, q + b * weight, r + c * weight, s + d * weight
    shared[products], shared[products + columns] = p, q
    shared[products + 2 * columns], shared[products + 3 * columns] = r, s


@device_function
def multiply(shared, units, columns):
    """The products ``h U`` of all samples of a block; all threads must come."""
    weights, column = SAMPLES * units, cuda.threadIdx.x
    while column < columns:
        _column(shared, 0, weights + column, columns, units, weights + units * columns + column, columns)
        column += cuda.blockDim.x
    cuda.syncthreads()


@device_function
def multiply_back(shared, units, columns):
    """The products ``dz U'``, a part for each gate; all threads must come."""
    weights, column = SAMPLES * columns, cuda.threadIdx.x
    while column < columns:
        gate = column // units
        first = weights + gate * units * units + column - gate * units
        products = weights + units * columns + column
        _column(shared, SAMPLES * gate * units, first, units, units, products, columns)
        column += cuda.blockDim.x
    cuda.syncthreads()


@device_function
def product_of(shared, units, columns, sample, unit, gate):
    """What `multiply` made of a gate of a unit; sample: of the block."""
    return shared[SAMPLES * units + units * columns + sample * columns + gate * units + unit]


@device_function
def product_back_of(shared, units, columns, sample, unit):
    """What `multiply_back` made for a unit, added up over the gates; sample: of the block."""
    place = SAMPLES * columns + units * columns + sample * columns + unit
    total = shared[place]
    for gate in range(1, columns // units):
        total += shared[place + gate * units]
    return total
