"""CPU kernels, one family a module, imported (with Numba) only when first used."""

import importlib
from types import ModuleType

from fnet.kernels.compiler import loaded  # noqa: F401  (before all that imports Numba)

_FAMILIES = (
    "accumulate",
    "attention",
    "attention_tiles",
    "bfloat16",
    "cholesky",
    "conv",
    "conv_scatter",
    "conv_table",
    "conv_taps",
    "conv_tiles",
    "conv_weight",
    "conv_weight_taps",
    "conv_weight_tiles",
    "copy",
    "crossentropy",
    "ctc",
    "ctc_decode",
    "depthwise",
    "dropout",
    "edit_distance",
    "gemm",
    "gemm_bfloat16",
    "gemm_tiles",
    "householder",
    "index",
    "jacobi",
    "lu",
    "normalize_columns",
    "normalize_groups",
    "normalize_rows",
    "orthogonal",
    "permutation",
    "philox",
    "pooling",
    "product_of_integers",
    "recurrent",
    "recurrent_gru",
    "recurrent_lstm",
    "recurrent_lstm_units",
    "recurrent_shares",
    "recurrent_simple",
    "reduce",
    "search",
    "softmax",
    "sort",
)


def __getattr__(name: str) -> ModuleType:
    if name in _FAMILIES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
