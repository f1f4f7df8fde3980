"""What is said to the compiler about a loop."""

from __future__ import annotations

from fnet.kernels.cuda.runtime.kernel import instruction


@instruction
def keep_rolled():
    """The loop whose body begins with this is not unrolled by the assembler: so it needs fewer registers."""
