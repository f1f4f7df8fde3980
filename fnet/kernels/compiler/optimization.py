"""LLVM's optimisations of kernels: the passes, and what they are run with.

They raise AttributeError where llvmlite or Numba has another interface: it has changed before.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from numba.core import codegen as numba_codegen
from numba.core import config


def of_small_function(codegen: Any) -> tuple[Any, Any]:
    """Only what makes a function small: the module is optimised as a whole, with what it links, and once is enough."""
    passes = llvm.create_new_function_pass_manager()
    passes.add_sroa_pass()
    passes.add_simplify_cfg_pass()
    passes.add_dead_code_elimination_pass()
    return passes, _builder(codegen)


def of_function(codegen: Any) -> tuple[Any, Any]:
    """All there is for a function."""
    builder = _builder(codegen)
    return builder.getFunctionPassManager(), builder


def of_module(codegen: Any, counts_references: bool) -> tuple[Any, Any]:
    """All there is for a module; reference counts that cancel each other are left out, if there are any."""
    builder = _builder(codegen)
    passes = builder.getModulePassManager()
    if counts_references:
        passes.add_refprune_pass(numba_codegen._parse_refprune_flags())
    return passes, builder


def _builder(codegen: Any) -> Any:
    """As Numba's, but no loop is unrolled: kernels write out what gains by it."""
    tuning = llvm.create_pipeline_tuning_options(int(config.OPT))
    tuning.loop_vectorization, tuning.slp_vectorization = config.LOOP_VECTORIZE, config.SLP_VECTORIZE
    tuning.loop_unrolling = False
    return llvm.create_pass_builder(codegen._tm, tuning)
