"""Numba's passes for kernels, without those that look for what no kernel has."""

from __future__ import annotations

from typing import Any

from numba.core.compiler import Compiler

from fnet.kernels.compiler.integer_builtins import IntegerBuiltins

# Blocks of `with`, functions inside of functions, arithmetic of whole arrays, Numba's own inlining, and tuples of
# several types in loops. Most of these passes find out anew where each variable is alive.
_NEEDLESS = {
    "WithLifting",
    "InlineClosureLikes",
    "MakeFunctionToJitFunction",
    "InlineInlinables",
    "InlineOverloads",
    "FindLiterallyCalls",
    "LiteralUnroll",
    "LiteralPropagationSubPipelinePass",
    "NopythonRewrites",
}
_INLINING, _PRUNING, _TYPING = "InlineInlinables", "DeadBranchPrune", "NopythonTypeInference"


class KernelCompiler(Compiler):
    """Numba's compiler with fewer passes."""

    def define_pipelines(self) -> list[Any]:
        pipelines = super().define_pipelines()
        for pipeline in pipelines:
            pipeline.passes = needed(pipeline.passes)
            pipeline.finalize()
        return pipelines


def needed(passes: list[tuple[Any, str]]) -> list[tuple[Any, str]]:
    """The passes that kernels need of Numba's list, each with what it says of itself, and fnet's own.

    Numba's versions differ: what is not in the list, or has another name, is not missed.
    """
    kept, before = [], ""
    for each, text in passes:
        name = each.__name__
        if name == _TYPING:
            kept.append((IntegerBuiltins, "builtins of integers"))
        if name not in _NEEDLESS and (before, name) != (_INLINING, _PRUNING):  # that one is for what was inlined
            kept.append((each, text))
        before = name
    return kept
