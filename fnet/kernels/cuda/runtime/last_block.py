"""Who comes last of the blocks that have each made a part of a sum: it adds the parts up, in their order.

Which block that is differs from run to run; what it computes does not. So a sum in parts takes one launch.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.kernel import cuda, device_function


@device_function
def is_last_block(counters, number, count):
    """Whether this is the last of `count` blocks that come here; what the others have written is seen from here on.

    counters: uint32 zeros, of which one belongs to these blocks; it is zero again afterwards. All threads must come.
    """
    tickets = cuda.shared.array(1, np.uint32)
    cuda.syncthreads()
    if cuda.threadIdx.x == 0 and cuda.threadIdx.y == 0:
        cuda.threadfence()
        tickets[0] = cuda.atomic.inc(counters, number, count - 1)
        cuda.threadfence()
    cuda.syncthreads()
    return tickets[0] == count - 1
