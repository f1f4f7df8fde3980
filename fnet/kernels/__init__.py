"""Numba kernels: `scalar` (one source for both devices), `cpu` (and later `cuda`), compiled as `policy` says."""
