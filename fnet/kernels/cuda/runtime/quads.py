"""Four neighbouring elements at a time where an array allows it, else one, as if it were four that are the same."""

from __future__ import annotations

from fnet.kernels.cuda.runtime.access import load4, store4
from fnet.kernels.cuda.runtime.kernel import device_function


@device_function
def load(x, i, even):
    """The elements i to i + 3 if `even`, else element i four times."""
    if even:
        return load4(x, i)
    return x[i], x[i], x[i], x[i]


@device_function
def store(y, i, values, even):
    """Write four elements if `even`, else the first of them."""
    if even:
        store4(y, i, values)
    else:
        y[i] = values[0]
