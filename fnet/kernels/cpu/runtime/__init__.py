"""How kernels run: threads and what they cost, calls of compiled code, and the ways in which this processor is fast."""
