"""Numba kernels: `scalar` (one source for both devices), `cpu` (and later `cuda`), compiled as `policy` says."""

from fnet.kernels.compiler import forks  # noqa: F401  (a fork waits from now on)
