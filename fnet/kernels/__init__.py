"""Numba kernels: `scalar` is one text for all devices, `cpu` is what the CPU runs, `compiler` makes machine code of it."""

from fnet.kernels.compiler import forks  # noqa: F401  (a fork waits from now on)
