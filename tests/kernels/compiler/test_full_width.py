"""Loops of arithmetic use the processor's widest vectors."""

from __future__ import annotations

from types import SimpleNamespace

import llvmlite.binding as llvm
import numpy as np
import pytest
from numba import typeof
from numba.core import config, event
from numba.core.caching import NullCache

from fnet.kernels.compiler import optimization, pipeline
from fnet.kernels.compiler.integer_builtins import IntegerBuiltins
from fnet.kernels.compiler.linking import linkable
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


def _accumulate(x):
    for i in range(1, x.size):
        x[i] *= x[i - 1]


def test_loops_are_not_unrolled():
    accumulating = kernel(_accumulate)
    accumulating._cache = NullCache()
    x = np.arange(1.0, 6.0)
    accumulating(x)
    assert x.tolist() == [1, 2, 6, 24, 120]
    (code,) = accumulating.inspect_llvm().values()
    assert code.count(" fmul ") == 1


def _scale_if(x, y):
    if x[0] > 1:
        scale = 2.0
    y[0] = scale  # names of one branch go through Numba's own front end


def test_passes_that_find_nothing_in_kernels_are_left_out():
    class Passes(event.Listener):
        def __init__(self):
            self.names = []

        def on_start(self, happening):
            self.names.append(happening.data["name"].split()[0])

        def on_end(self, happening):
            pass

    counting = kernel(_scale_if)
    counting._cache = NullCache()
    with event.install_listener("numba:run_pass", Passes()) as passes:
        counting.compile((typeof(np.zeros(1)),) * 2)
    assert "native_lowering" in passes.names
    assert passes.names.count("dead_branch_prune") == 2
    assert not {"with_lifting", "inline_closure_likes", "literal_propagation", "nopython_rewrites"} & set(passes.names)


def _named(*names):
    return [(type(name, (), {}), name.lower()) for name in names]


@pytest.mark.parametrize(
    ("numbas", "kept"),
    [
        (["IRProcessing", "DeadBranchPrune", "NopythonTypeInference"], [0, 1, None, 2]),
        (["InlineInlinables", "DeadBranchPrune", "NopythonTypeInference"], [None, 2]),
        (["DeadBranchPrune", "Unheard"], [0, 1]),
        ([], []),
    ],
)
def test_any_list_of_passes_will_do(numbas, kept):
    passes = _named(*numbas)
    result = pipeline.needed(passes)
    own = (IntegerBuiltins, "builtins of integers")
    assert result == [own if place is None else passes[place] for place in kept]


def test_other_interface_of_llvm(monkeypatch):
    monkeypatch.setattr(optimization, "llvm", SimpleNamespace())
    halving = kernel(_halve)
    halving._cache = NullCache()
    x, y = np.arange(10.0, dtype="f4"), np.zeros(10, "f4")
    halving(x, y)
    assert y.tolist() == (x / 2).tolist()
