"""What keeps the registers of a thread free."""

from __future__ import annotations

from fnet.kernels.cuda.runtime.kernel import instruction


@instruction
def anew(number):
    """The same int32, about which the compiler knows nothing.

    What is computed from a number before a loop and after it is kept in a register meanwhile; from the same number
    anew it is not.
    """
    return number
