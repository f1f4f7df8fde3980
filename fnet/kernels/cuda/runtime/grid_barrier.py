"""Waiting of blocks for each other within one launch, through counters in the memory of the card.

A block waits for those only that run at the same time. So a kernel that waits is launched `together`: the card begins
all of its blocks at once or none, also beside other work (a cooperative launch).

Counters are 0 at the beginning of a launch and grow until all have left it, so that a block that is late sees no number
that means something else.
"""

from __future__ import annotations

from fnet.kernels.cuda.runtime.kernel import cuda, device_function, instruction


@instruction
def arrive(counters, i):
    """Count one more at counter i, behind a barrier of the block: who waits for that sees what the block wrote."""
    cuda.arrive(counters, i)


@instruction
def wait_for(counters, i, count):
    """Wait until counter i has reached a number."""
    cuda.wait_for(counters, i, count)


@device_function
def leave(counters, i, count):
    """Count a last time; the last one, to whom the counter has this number, leaves it at 0."""
    cuda.atomic.inc(counters, i, count - 1)
