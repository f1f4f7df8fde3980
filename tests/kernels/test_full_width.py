"""Loops of arithmetic use the processor's widest vectors."""

from __future__ import annotations

import llvmlite.binding as llvm
import numpy as np
import pytest
from numba import typeof
from numba.core import config
from numba.core.caching import NullCache

from fnet.kernels.linking import linkable
from fnet.kernels.policy import kernel

pytestmark = pytest.mark.skipif(config.DISABLE_JIT, reason="nothing is compiled")


def _halve(x, y):
    for i in range(x.size):
        y[i] = x[i] * np.float32(0.5)


@pytest.mark.skipif(not llvm.get_host_cpu_features().get("avx512f"), reason="the processor has no wider vectors")
def test_called_from_python():
    halving = kernel(_halve)
    halving._cache = NullCache()  # machine code from the disk cannot be looked at
    x, y = np.arange(100, dtype="f4"), np.zeros(100, "f4")
    halving(x, y)
    np.testing.assert_array_equal(y, x / 2)
    (code,) = halving.inspect_asm().values()
    assert "%zmm" in code


def test_called_from_kernels():
    of_vector = typeof(np.zeros(1, "f4"))
    library = linkable(kernel(_halve), (of_vector, of_vector)).library
    assert '"prefer-vector-width"="512"' in str(library._final_module)
