"""How every fnet kernel is compiled: the flags, and that its code is kept on disk.

`kernel` decorates a void, out-parameter, allocation-free loop nest; `scalar` decorates a pure function of
scalars that is inlined into kernels. Both keep NaN and Inf: the fast-math set never holds ``nnan`` or ``ninf``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numba
from numba.core import config

from fnet.kernels.cache import KernelCache, LinkedCache
from fnet.kernels.cache_folder import cache_directory
from fnet.kernels.linking import link_without_machine_code

FASTMATH = {"contract", "arcp", "nsz", "afn"}


def kernel(function: Callable | None = None, *, reassoc: bool = False) -> Any:
    """Compile `function` lazily as a kernel; `reassoc` lets sums vectorise, at the price of a fixed order."""
    if function is None:
        return functools.partial(kernel, reassoc=reassoc)
    return _compiled(function, reassoc)


def scalar(function: Callable | None = None, *, reassoc: bool = False) -> Any:
    """Compile a function of scalars that is always inlined into its callers; its flags stay on its instructions."""
    if function is None:
        return functools.partial(scalar, reassoc=reassoc)
    return _compiled(function, reassoc, forceinline=True)


def _compiled(function: Callable, reassoc: bool, **options: Any) -> Any:
    """A Numba dispatcher with fnet's cache instead of Numba's own."""
    flags = FASTMATH | {"reassoc"} if reassoc else FASTMATH
    options |= {"nogil": True, "error_model": "numpy", "fastmath": flags}
    dispatcher = numba.njit(**options)(function)
    if config.DISABLE_JIT:
        return dispatcher
    is_kept = cache_directory() is not None
    if is_kept:
        dispatcher._cache = KernelCache(function)
    link_without_machine_code(dispatcher, options, LinkedCache if is_kept else None)
    return dispatcher
