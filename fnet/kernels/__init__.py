"""Numba kernels: `scalar`, one text for all devices; `cpu`, what the CPU runs; `compiler`, which makes machine code."""

from fnet.kernels.compiler import forks  # noqa: F401  (a fork waits from now on)
