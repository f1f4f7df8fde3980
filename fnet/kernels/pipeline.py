"""Which of Numba's passes kernels go through: not those that look for what no kernel has."""

from __future__ import annotations

from typing import Any

from numba.core.compiler import Compiler
from numba.core.typed_passes import InlineOverloads, NopythonRewrites
from numba.core.untyped_passes import (
    DeadBranchPrune,
    FindLiterallyCalls,
    InlineClosureLikes,
    InlineInlinables,
    LiteralPropagationSubPipelinePass,
    LiteralUnroll,
    MakeFunctionToJitFunction,
    WithLifting,
)

from fnet.kernels.integer_builtins import IntegerBuiltins

# Blocks of `with`, functions inside of functions, arithmetic of whole arrays, Numba's own inlining, and tuples of
# several types in loops. Most of these passes find out anew where each variable is alive.
_NEEDLESS = {
    WithLifting,
    InlineClosureLikes,
    MakeFunctionToJitFunction,
    InlineInlinables,
    InlineOverloads,
    FindLiterallyCalls,
    LiteralUnroll,
    LiteralPropagationSubPipelinePass,
    NopythonRewrites,
}


class KernelCompiler(Compiler):
    """Numba's compiler with fewer passes."""

    def define_pipelines(self) -> list[Any]:
        (pipeline,) = super().define_pipelines()
        passes = [entry for entry in pipeline.passes if entry[0] not in _NEEDLESS]
        _, second, _ = (place for place, entry in enumerate(passes) if entry[0] is DeadBranchPrune)
        passes[second] = IntegerBuiltins, "builtins of integers"  # that one is for what was inlined
        pipeline.passes = passes
        pipeline.finalize()
        return [pipeline]
