"""What the recurrent layers share: how a sequence is walked, and how its rows are shared among threads.

A step multiplies one row ``[x_t, 1, h_{t-1}]`` for each sample by the stacked weights ``[W; b; U]``, packed once for
all steps. Samples never meet, so a task takes a few of them through all steps without waiting for the others, and the
number of tasks changes no bits. Arrays are batch-major, (N, T, ...), in the order of time of the input even where the
sequence is walked backwards.

For the backward pass the rows are kept as ``rows: (N, T, D + 1 + H)``. With the gradients of what enters the
activations, ``dz: (N, T, G)``, the gradient of the weights is one product, ``rows' dz``, and that of the input another,
``dz W'``; what must walk the steps is only ``dh_{t-1} = dz_t U'``.

Initial states and cotangents are read at strides, so that one row of zeros (stride 0) stands for absent ones.

A step that the mask switches off keeps the states, and leaves zeros in `rows` and `dz`.
"""

from __future__ import annotations

from fnet.kernels.cpu.lanewise import lanewise
from fnet.kernels.cpu.product import VECTORS
from fnet.kernels.cpu.simd import lanes
from fnet.kernels.cpu.threads import threads_for
from fnet.kernels.policy import kernel, scalar

BLOCK = 56  # rows of a task: four tiles, whose operands stay in the second-level cache
PAD = 16  # elements between rows of scratch memory, so that rows do not compete for the same lines of the cache

copy = lanewise(lambda math, x: (x,), 0, "y")
add = lanewise(lambda math, x, y: (x + y,), 0, "z")
clear = lanewise(lambda math: (math.zero(),), 0, "x")


@kernel
def tasks_for(n, multiply_adds):
    """The number of tasks for n rows that take so many multiply-adds together."""
    threads = threads_for(multiply_adds // 40)
    return max(1, min(n, threads * ((n + threads * BLOCK - 1) // (threads * BLOCK))))


@scalar
def size_of_panels(address, n, k):
    """`packed_size` for the elements at `address`."""
    one, width = lanes(address), VECTORS * lanes(address)
    return (n + width - 1) // width * width * ((k + one - 1) // one * one)


@scalar
def time_of(step, steps, backwards):
    """The time that is read in this step of the walk; ``step == -1`` is before the first one."""
    return steps - 1 - step if backwards else step
