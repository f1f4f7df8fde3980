"""How every fnet kernel is compiled: the flags, and that its code is kept on disk.

`kernel` decorates a void, out-parameter, allocation-free loop nest; `scalar` decorates a pure function of scalars that
is inlined into kernels. Both let the compiler round a product and the sum behind it once (``contract``), and nothing
else: no reciprocals for quotients, no approximations, no lost signs of zeros. `elementary` decorates functions that
generated loops are made of, and ``@kernel(contract=False)`` those loops: every operation there rounds as it is written,
so that a chain of operations gives the same bits in one loop as in several.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numba
from numba.core import config

from fnet.kernels.compiler.cache import KernelCache, LinkedCache
from fnet.kernels.compiler.cache_folder import cache_directory
from fnet.kernels.compiler.claims import dropped_after_failure
from fnet.kernels.compiler.compiling import notice
from fnet.kernels.compiler.full_width import FullWidthCompiler, WholeCompiler
from fnet.kernels.compiler.linking import link_without_machine_code
from fnet.kernels.compiler.undisturbed import undisturbed

FASTMATH = {"contract"}


def kernel(
    function: Callable | None = None,
    *,
    reassoc: bool = False,
    contract: bool = True,
    shared: bool = False,
    whole: bool = False,
) -> Any:
    """Compile `function` lazily as a kernel; `reassoc` lets sums vectorise, at the price of a fixed order.

    shared: kernels that call it call one machine code, which is made once, in place of a copy in each of them; whole:
    copies of such kernels are part of it, so that anybody's compiled code can call it.
    """
    if function is None:
        return functools.partial(kernel, reassoc=reassoc, contract=contract, shared=shared, whole=whole)
    return _compiled(function, _flags(reassoc, contract), shared, whole)


def scalar(function: Callable | None = None, *, reassoc: bool = False) -> Any:
    """Compile a function of scalars that is always inlined into its callers; its flags stay on its instructions."""
    if function is None:
        return functools.partial(scalar, reassoc=reassoc)
    return _compiled(function, _flags(reassoc, True), forceinline=True)


def elementary(function: Callable | None = None, *, reassoc: bool = False) -> Any:
    """Compile a function of scalars that gives the same bits wherever it is inlined."""
    if function is None:
        return functools.partial(elementary, reassoc=reassoc)
    return _compiled(function, _flags(reassoc, False), forceinline=True)


def _flags(reassoc: bool, contract: bool) -> set[str]:
    return (FASTMATH if contract else set()) | ({"reassoc"} if reassoc else set())


def _compiled(function: Callable, flags: set[str], shared: bool = False, whole: bool = False, **options: Any) -> Any:
    """A Numba dispatcher with fnet's cache instead of Numba's own."""
    options |= {"nogil": True, "error_model": "numpy", "fastmath": flags}
    if config.DISABLE_JIT:
        return numba.njit(**options)(function)
    compiler = WholeCompiler if whole else FullWidthCompiler
    dispatcher = numba.njit(**options, no_cfunc_wrapper=True, pipeline_class=compiler)(function)
    is_kept = cache_directory() is not None
    dispatcher._compiler.compile = notice.compiling(dispatcher._compiler.compile, is_kept)
    dispatcher.compile = undisturbed(dropped_after_failure(dispatcher.compile))
    if is_kept:
        dispatcher._cache = KernelCache(function)
    link_without_machine_code(dispatcher, options, LinkedCache if is_kept else None, shared, whole)
    return dispatcher
