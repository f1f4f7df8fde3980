"""CUDA kernels, one family a module, imported only when first used: text in Numba's CUDA subset, not yet compiled."""

import importlib
from types import ModuleType

_FAMILIES = (
    "accumulate",
    "assemble",
    "attention",
    "attention_few",
    "attention_fragments",
    "attention_operands",
    "attention_parts",
    "attention_tensor",
    "attention_tiled",
    "attention_tiles",
    "cholesky",
    "cholesky_stack",
    "conv",
    "conv_tensor",
    "conv_tiled",
    "copy",
    "crossentropy",
    "ctc",
    "ctc_decode",
    "depthwise",
    "dropout",
    "edit_distance",
    "gemm",
    "gemm_tensor",
    "gemm_tiled",
    "householder",
    "index",
    "jacobi",
    "lu",
    "normalize_columns",
    "normalize_groups",
    "normalize_rows",
    "orthogonal",
    "parts",
    "permutation",
    "philox",
    "pooling",
    "recurrent",
    "recurrent_gru",
    "recurrent_lstm",
    "recurrent_simple",
    "recurrent_walk",
    "reduce",
    "search",
    "softmax",
    "sort",
    "sort_rows",
    "window_operand",
)


def __getattr__(name: str) -> ModuleType:
    if name in _FAMILIES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
