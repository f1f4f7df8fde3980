"""Every CUDA kernel with the signatures that it is compiled for, generated loops of every kind, and what is expected.

A kernel of `fnet.kernels.cuda` without a row here is a failure of `test_gate`, which compiles them all.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass

import numpy as np

import fnet.kernels.cuda
from fnet.compile.loops import LoopNest, LoopStep, Read, Write, accumulator
from fnet.devices.cuda.loop_source import loop_kernel
from fnet.devices.cuda.loop_text import BLOCK, EACH, SEGMENTS, THREAD, TILE, WARP, LoopKernel
from fnet.kernels.cuda.runtime.kernel import Kernel

N = "n"
"""In a signature an int64 number; everything else is the dtype of a flat array."""


@dataclass(frozen=True)
class Row:
    """A kernel and what its machine code should be like, for each signature.

    vector: it reads or writes 16 bytes at once; shuffles: lanes exchange values; tensor: warps multiply matrices by
    tensor cores; float64: it computes in float64 though
    its arrays have none; stack: bytes that a thread may keep there; registers: how many a thread may have.
    """

    signatures: tuple[str, ...]
    vector: bool = False
    shuffles: bool = False
    tensor: bool = False
    float64: bool = False
    stack: int = 0
    registers: int = 64


def _both(signature: str, *more: str) -> tuple[str, ...]:
    """The signature for float32 and for float64, which it calls x."""
    return signature.replace("x", "f4"), signature.replace("x", "f8"), *more


_ATTENTION, _OF_QUERIES = "f4 f4 f4 ? u4 f4 f4 f4 i8", "f4 f4 f4 ? u4 f4 f4 f4 f4 f4 i8"
_OF_KEYS = "f4 f4 f4 ? u4 f4 f4 f4 f4 f4 f4 i8"

KERNELS: dict[str, Row] = {
    "householder.qr": Row(_both("x x x x n n n"), shuffles=True, registers=112),
    "jacobi.eigh": Row(_both("x x x x x n"), shuffles=True, registers=112),
    "lu.slogdet": Row(_both("x x x x n")),
    "lu.solve": Row(_both("x x x x n n")),
    "lu.solve_triangular": Row(_both("x x x n n n")),
    "accumulate.bincount": Row(_both("i8 x x n n", "i8 i8 i8 n n", "i8 u8 u8 n n", "i4 f4 f4 n n")),
    "accumulate.sum_bins": Row(_both("i4 i4 x x n", "i4 i4 i8 i8 n")),
    "accumulate.cumsum": Row(("f4 f8 f4 n n n", "f8 f8 f8 n n n", "i8 i8 i8 n n n", "u8 u8 u8 n n n")),
    "assemble.concatenate": Row(_both("x x x x x i8", "? ? ? ? ? i8"), vector=True),
    "assemble.place": Row(_both("x x n n n n n", "? ? n n n n n"), vector=True),
    "attention.attention": Row(_both("x x x ? u4 x x x i8"), shuffles=True, registers=152),
    "attention.attention_of_keys": Row(_both("x x x ? u4 x x x x x x i8"), shuffles=True, registers=200),
    "attention.attention_of_queries": Row(_both("x x x ? u4 x x x x x i8"), shuffles=True, registers=136),
    "attention.row_dots": Row(_both("x x x i8"), shuffles=True),
    "cholesky.factor_panel": Row(_both("x x x x n n"), registers=96),
    "cholesky.solve_transposed": Row(_both("x x n"), shuffles=True, registers=80),
    "cholesky_stack.factors": Row(_both("x x x x n")),
    "attention_few.few_queries_128": Row((_ATTENTION,), vector=True, shuffles=True, registers=192),
    "attention_few.few_queries_64": Row((_ATTENTION,), vector=True, shuffles=True, registers=168),
    "attention_parts.merge_parts": Row(("f4 f4 f4 f4 i8 n",)),
    "attention_tensor.high_128": Row((_ATTENTION,), vector=True, shuffles=True, tensor=True, registers=232),
    "attention_tensor.high_64": Row((_ATTENTION,), vector=True, shuffles=True, tensor=True, registers=168),
    "attention_tensor.high_of_keys_128": Row((_OF_KEYS,), vector=True, tensor=True, registers=255),
    "attention_tensor.high_of_keys_64": Row((_OF_KEYS,), vector=True, shuffles=True, tensor=True, registers=255),
    "attention_tensor.high_of_queries_128": Row((_OF_QUERIES,), vector=True, shuffles=True, tensor=True, registers=232),
    "attention_tensor.high_of_queries_64": Row((_OF_QUERIES,), vector=True, shuffles=True, tensor=True, registers=168),
    "attention_tensor.medium_128": Row((_ATTENTION,), vector=True, shuffles=True, tensor=True, registers=232),
    "attention_tensor.medium_64": Row((_ATTENTION,), vector=True, shuffles=True, tensor=True, registers=168),
    "attention_tensor.medium_of_keys_128": Row((_OF_KEYS,), vector=True, tensor=True, registers=255),
    "attention_tensor.medium_of_keys_64": Row((_OF_KEYS,), vector=True, shuffles=True, tensor=True, registers=255),
    "attention_tensor.medium_of_queries_128": Row(
        (_OF_QUERIES,), vector=True, shuffles=True, tensor=True, registers=232
    ),
    "attention_tensor.medium_of_queries_64": Row(
        (_OF_QUERIES,), vector=True, shuffles=True, tensor=True, registers=168
    ),
    "attention_tiled.attention_128": Row((_ATTENTION,), vector=True, shuffles=True, registers=224),
    "attention_tiled.attention_64": Row((_ATTENTION,), vector=True, shuffles=True, registers=160),
    "attention_tiled.attention_of_keys_128": Row((_OF_KEYS,), vector=True, shuffles=True, registers=232),
    "attention_tiled.attention_of_keys_64": Row((_OF_KEYS,), vector=True, shuffles=True, registers=255),
    "attention_tiled.attention_of_queries_128": Row((_OF_QUERIES,), vector=True, shuffles=True, registers=168),
    "attention_tiled.attention_of_queries_64": Row((_OF_QUERIES,), vector=True, shuffles=True, registers=168),
    "conv.gather": Row(_both("x x x x i4 i8")),
    "conv_tensor.high_gather": Row(("f4 f4 f4 f4 i4 i8",), vector=True, tensor=True, registers=128),
    "conv_tensor.high_gather_narrow": Row(("f4 f4 f4 f4 i4 i8",), vector=True, tensor=True, registers=128),
    "conv_tensor.high_weight_gradient": Row(("f4 f4 f4 i4 i8",), vector=True, tensor=True, registers=128),
    "conv_tensor.medium_gather": Row(("f4 f4 f4 f4 i4 i8",), vector=True, tensor=True, registers=128),
    "conv_tensor.medium_gather_narrow": Row(("f4 f4 f4 f4 i4 i8",), vector=True, tensor=True, registers=128),
    "conv_tensor.medium_weight_gradient": Row(("f4 f4 f4 i4 i8",), vector=True, tensor=True, registers=128),
    "conv_tiled.gather_128": Row(("f4 f4 f4 f4 i4 i8",), vector=True, registers=128),
    "conv_tiled.gather_narrow": Row(("f4 f4 f4 f4 i4 i8",), vector=True, registers=128),
    "conv_tiled.gather_64": Row(("f4 f4 f4 f4 i4 i8",), vector=True, registers=128),
    "conv_tiled.weight_gradient_128": Row(("f4 f4 f4 i4 i8",), vector=True, registers=128),
    "conv_tiled.weight_gradient_64": Row(("f4 f4 f4 i4 i8",), vector=True, registers=128),
    "conv.weight_gradient": Row(_both("x x x i4 i8")),
    "copy.copy_rows": Row(_both("x x i8 n", "? ? i8 n"), vector=True),
    "copy.copy_strided": Row(_both("x x i8 n", "? ? i8 n")),
    "copy.copy_transposed": Row(_both("x x i8", "? ? i8")),
    "copy.fill": Row(_both("x x n", "? ? n", "i8 i8 n"), vector=True),
    "crossentropy.categorical_crossentropy": Row(_both("x x x n n"), vector=True, shuffles=True, registers=120),
    "crossentropy.categorical_crossentropy_vjp": Row(
        _both("x x x x x n n n n"), vector=True, shuffles=True, registers=128
    ),
    "crossentropy.sparse_crossentropy": Row(
        _both("x i8 x n n", "f4 i4 f4 n n"), vector=True, shuffles=True, registers=72
    ),
    "crossentropy.sparse_crossentropy_vjp": Row(
        _both("x i8 x x x n n n n", "f4 i4 f4 f4 f4 n n n n"), vector=True, shuffles=True, registers=88
    ),
    "ctc.ctc_loss": Row(_both("x i8 i8 i8 f8 f8 x i8"), shuffles=True, float64=True, registers=96),
    "ctc.ctc_loss_and_gradient": Row(
        _both("x i8 i8 i8 f8 f8 f8 f8 i8 x x i8"), shuffles=True, float64=True, registers=160
    ),
    "ctc.frame_norms": Row(_both("x f8 n n"), shuffles=True, float64=True),
    "ctc_decode.beam_search": Row(_both("x i8 i8 x i8 f8 i8"), shuffles=True, float64=True, registers=160),
    "ctc_decode.greedy": Row(_both("x i8 i8 x n n n n n"), shuffles=True, float64=True),
    "depthwise.channel_products": Row(_both("x x x i8")),
    "depthwise.gather_channels": Row(_both("x x x x i8"), vector=True, registers=88),
    "depthwise.merge_channel_products": Row(_both("x x n n"), shuffles=True, registers=72),
    "dropout.dropout": Row(_both("x u4 x x n"), vector=True),
    "edit_distance.edit_distance": Row(("i8 i8 i8 i8 n n n",), shuffles=True, registers=80),
    "gemm.gemm": Row(_both("x x x x i8", "i8 i8 i8 i8 i8", "i4 i4 i4 i4 i8")),
    "gemm.gemm_relu": Row(_both("x x x x i8")),
    "gemm.gemm_sigmoid": Row(_both("x x x x i8")),
    "gemm.gemm_tanh": Row(_both("x x x x i8")),
    "gemm_tensor.high_128": Row(("f4 f4 f4 f4 i8",), vector=True, tensor=True, registers=168),
    "gemm_tensor.high_64": Row(("f4 f4 f4 f4 i8",), vector=True, tensor=True, registers=128),
    "gemm_tensor.medium_128": Row(("f4 f4 f4 f4 i8",), vector=True, tensor=True, registers=128),
    "gemm_tensor.medium_64": Row(("f4 f4 f4 f4 i8",), vector=True, tensor=True, registers=128),
    "gemm_tiled.gemm_128": Row(("f4 f4 f4 f4 i8",), vector=True, registers=128),
    "gemm_tiled.gemm_64": Row(("f4 f4 f4 f4 i8",), vector=True, registers=80),
    "gemm_tiled.gemm_64_f64": Row(("f8 f8 f8 f8 i8",), vector=True, registers=128),
    "index.scatter_add": Row(_both("x i8 x n n n n", "f4 i4 f4 n n n n", "i8 i8 i8 n n n n"), shuffles=True),
    "index.take_numbers": Row(_both("x i8 x x n n n n", "i4 i8 i4 i4 n n n n", "f4 i4 f4 f4 n n n n")),
    "index.take_rows": Row(_both("x i8 x x n n n n", "i4 i8 i4 i4 n n n n"), vector=True),
    "normalize_columns.column_moments": Row(_both("x x x f8 u4 n n"), float64=True),
    "normalize_columns.column_products": Row(_both("x x x x x x x x x x f8 u4 n n n"), float64=True),
    "normalize_columns.gradient_columns": Row(_both("x x x x x x x x x n n n"), vector=True, registers=104),
    "normalize_columns.group_products": Row(_both("x x x x x x f8 u4 n n n n"), float64=True),
    "normalize_columns.scale_columns": Row(_both("x x x x x x x n n n"), vector=True, registers=80),
    "normalize_groups.group_norm": Row(_both("x x x x x x x n n n n"), shuffles=True, float64=True),
    "normalize_groups.group_norm_vjp": Row(_both("x x x x x x n n n n"), shuffles=True, float64=True),
    "normalize_rows.row_norm": Row(
        _both("x x x x x x x n n n"), vector=True, shuffles=True, float64=True, registers=88
    ),
    "normalize_rows.row_norm_vjp": Row(
        _both("x x x x x x n n n"), vector=True, shuffles=True, float64=True, registers=120
    ),
    "orthogonal.orthonormalize_rows": Row(("f8 n n n",), shuffles=True, registers=80),
    "orthogonal.project_rows": Row(("f8 f8 n n",), shuffles=True, registers=80),
    "parts.sum_parts": Row(_both("x x x n n n n"), vector=True),
    "permutation.exchanges": Row(("u4 i8 n",)),
    "permutation.link_exchanges": Row(("i4 i4 i4 i4 n",)),
    "permutation.permutation": Row(("i8 i4 i4 i8 n",)),
    "permutation.randint": Row(("u4 i8 n n n",)),
    "philox.fold_in": Row(("u4 i8 u4",)),
    "philox.normal_f32": Row(("u4 f4 n",), vector=True),
    "philox.normal_f64": Row(("u4 f8 n",)),
    "philox.random_bits": Row(("u4 u4 n",), vector=True),
    "philox.split": Row(("u4 u4 n",)),
    "philox.truncated_normal_f32": Row(("u4 f4 n f8 f8",)),
    "philox.truncated_normal_f64": Row(("u4 f8 n f8 f8",)),
    "philox.uniform_f32": Row(("u4 f4 n",), vector=True),
    "philox.uniform_f64": Row(("u4 f8 n",)),
    "pooling.average_pool": Row(_both("x x i8"), vector=True, registers=80),
    "pooling.average_pool_vjp": Row(_both("x x i8"), vector=True, registers=96),
    "pooling.max_pool": Row(_both("x x u1 i8 n", "f4 f4 i4 i8 n"), vector=True),
    "pooling.max_pool_vjp": Row(_both("x u1 x i8", "f4 i4 f4 i8"), vector=True),
    "pooling.pick_pool": Row(_both("x u1 x i8", "f4 i4 f4 i8")),
    "recurrent.gather": Row(_both("x x x u1 x i8")),
    "recurrent_gru.walk": Row(_both("x x x x x u1 x x x u4 i8 n n"), registers=248),
    "recurrent_gru.walk_back": Row(_both("x x x x u1 x x x x x u4 i8 n n"), registers=248),
    "recurrent_lstm.walk": Row(_both("x x x x x u1 x x x u4 i8 n n"), registers=248),
    "recurrent_lstm.walk_back": Row(_both("x x x x u1 x x x x x u4 i8 n n"), registers=248),
    "recurrent_simple.walk": Row(_both("x x x x x u1 x x x u4 i8 n n"), registers=248),
    "recurrent_simple.walk_back": Row(_both("x x x x u1 x x x x x u4 i8 n n"), registers=248),
    "reduce.argmax": Row(_both("x i8 n n", "? i8 n n", "i8 i8 n n"), shuffles=True),
    "reduce.argmin": Row(_both("x i8 n n", "? i8 n n", "i8 i8 n n"), shuffles=True),
    "search.searchsorted": Row(_both("x x i8 n n n", "i8 i8 i8 n n n")),
    "search.top_k": Row(_both("x i8 n n n", "i8 i8 n n n"), shuffles=True),
    "softmax.log_softmax": Row(_both("x x n n"), vector=True, shuffles=True, registers=96),
    "softmax.log_softmax_vjp": Row(_both("x x x n n"), vector=True, shuffles=True, registers=104),
    "softmax.logsumexp": Row(_both("x x n n"), vector=True, shuffles=True),
    "softmax.softmax": Row(_both("x x n n"), vector=True, shuffles=True, registers=80),
    "softmax.softmax_vjp": Row(_both("x x x n n"), vector=True, shuffles=True, registers=96),
    "sort.add_up_counts": Row(("i4 i4 n",), shuffles=True),
    "sort.count_digits": Row(("i4 i4 n n n",)),
    "sort.keys_of_index": Row(("i8 i4 n n n", "i4 i4 n n n")),
    "sort.place_digits": Row(("i4 i4 i4 i4 i4 i4 n n n n",)),
    "sort_rows.columns_of_order": Row(("i4 i8 n n",)),
    "sort_rows.keys_of_narrow": Row(("i4 i4 n n", "u1 i4 n n")),
    "sort_rows.keys_of_rows": Row(("i4 i4 n n",)),
    "sort_rows.keys_of_wide": Row(("i8 i4 i4 n n n", "u8 i4 i4 n n n")),
    "sort_rows.order_of_floats": Row(("f4 i4 n", "f8 i8 n")),
    "sort.sum_segments": Row(_both("x i4 i4 x n n n n"), shuffles=True, registers=80),
}


def kernel(name: str) -> Kernel:
    """The kernel of a name in the table, or a generated one."""
    if name in LOOPS:
        return loop_kernel(LOOPS[name][0])
    family, _, function = name.partition(".")
    found = getattr(getattr(fnet.kernels.cuda, family), function)
    assert isinstance(found, Kernel)
    return found


def kernels_there() -> set[str]:
    """The names of all kernels of `fnet.kernels.cuda`."""
    families = [m.name for m in pkgutil.iter_modules(fnet.kernels.cuda.__path__) if not m.ispkg]
    modules = {family: importlib.import_module(f"fnet.kernels.cuda.{family}") for family in families}
    return {
        f"{family}.{name}"
        for family, module in modules.items()
        for name, value in vars(module).items()
        if isinstance(value, Kernel) and value.__module__ == module.__name__
    }


def typed(signature: str) -> tuple[np.dtype | None, ...]:
    """A signature as the compiler takes it."""
    return tuple(None if word == N else np.dtype(word) for word in signature.split())


# --------------------------------------------------------------------------------------------- generated loops


def _loop(
    loops: str, reads: list[str], steps: list[LoopStep], writes: list[Write], way: str, *more: bool
) -> LoopKernel:
    """A loop; reads: a dtype, and how the operand moves, as in "f4 =="; more: see `LoopKernel`."""
    found = [Read(*read.split()) for read in reads]
    return LoopKernel(LoopNest(loops, tuple(found), tuple(steps), tuple(writes)), way, *more)


def loop_signature(loop: LoopKernel) -> str:
    """The signature of the kernel of a loop."""
    nest = loop.nest
    arrays = [read.dtype for read in nest.reads]
    arrays += [w.dtype for w in nest.writes if w.overwrites is None]
    if loop.partial:
        arrays += [*(accumulator(w).str[1:] for w in nest.writes if w.fold), "u4"]
    if loop.way == SEGMENTS:
        return " ".join([*arrays, "i8"])
    numbers = len(nest.loops) + sum(read.steps.count("s") for read in nest.reads) + loop.partial
    return " ".join([*arrays, *[N] * numbers])


_ADD, _EXP = LoopStep("{0} + {1}", (0, 1), "f4"), LoopStep("exp_{t}({0})", (0,), "f4")
_SUM, _MAX = Write(0, "f4", "sum"), Write(0, "f4", "max")
_MEAN_STEPS = [LoopStep("{0} - {1}", (0, 1), "f4"), LoopStep("{0} * {0}", (2,), "f4")]
_ADAM_STEPS = [
    LoopStep("{0} * {1}", (1, 3), "f4"), LoopStep("{0} + {1}", (4, 0), "f4"), LoopStep("{0} * {0}", (0,), "f4"),
    LoopStep("{0} * {1}", (2, 3), "f4"), LoopStep("{0} + {1}", (6, 7), "f4"), LoopStep("sqrt_{t}({0})", (8,), "f4"),
    LoopStep("{0} / {1}", (5, 9), "f4"),
]  # fmt: skip

_VECTOR, _FLOAT64 = {"vector": True}, {"float64": True}
_FOLD_OF_ROWS = {"vector": True, "shuffles": True}
_SUM_OF_ROWS = {**_FOLD_OF_ROWS, **_FLOAT64}

LOOPS: dict[str, tuple[LoopKernel, Row]] = {
    name: (loop, Row((loop_signature(loop),), **expected))  # type: ignore[arg-type]
    for name, loop, expected in (
        ("loop: x + y", _loop("K", ["f4 =", "f4 ="], [_ADD], [Write(2, "f4")], EACH), _VECTOR),
        (
            "loop: x + y in the place of x",
            _loop("K", ["f4 =", "f4 ="], [_ADD], [Write(2, "f4", None, 0)], EACH),
            _VECTOR,
        ),
        (
            "loop: x + y of float64",
            _loop("K", ["f8 =", "f8 ="], [LoopStep("{0} + {1}", (0, 1), "f8")], [Write(2, "f8")], EACH),
            _VECTOR,
        ),
        (
            "loop: x + y beyond 32 bits",
            _loop("KK", ["f4 ==", "f4 s1"], [_ADD], [Write(2, "f4")], EACH, False, True),
            _VECTOR,
        ),
        ("loop: exp x", _loop("K", ["f4 ="], [_EXP], [Write(1, "f4")], EACH), _VECTOR),
        (
            "loop: tanh x",
            _loop("K", ["f4 ="], [LoopStep("tanh_{t}({0})", (0,), "f4")], [Write(1, "f4")], EACH),
            _VECTOR,
        ),
        (
            "loop: sin x",
            _loop("K", ["f4 ="], [LoopStep("sin_{t}({0})", (0,), "f4")], [Write(1, "f4")], EACH),
            {"vector": True, "float64": True, "stack": 64},
        ),
        ("loop: x + row", _loop("KK", ["f4 ==", "f4 01"], [_ADD], [Write(2, "f4")], EACH), _VECTOR),
        ("loop: x + column", _loop("KK", ["f4 ==", "f4 s0"], [_ADD], [Write(2, "f4")], EACH), _VECTOR),
        ("loop: x + y transposed", _loop("KK", ["f4 ==", "f4 ss"], [_ADD], [Write(2, "f4")], EACH), _VECTOR),
        (
            "loop: x where a mask is true",
            _loop(
                "K", ["? =", "f4 ="], [LoopStep("{1} if {0} else np.float32(0)", (0, 1), "f4")], [Write(2, "f4")], EACH
            ),
            _VECTOR,
        ),
        (
            "loop: moments and a change from them",
            _loop(
                "K",
                ["f4 ="] * 3 + ["f4 0"],
                _ADAM_STEPS,
                [Write(10, "f4"), Write(5, "f4", None, 1), Write(8, "f4", None, 2)],
                EACH,
            ),
            _VECTOR,
        ),
        ("loop: sums of short rows", _loop("KR", ["f4 =="], [], [_SUM], THREAD), _FLOAT64),
        ("loop: sums of rows by warps", _loop("KR", ["f4 =="], [], [_SUM], WARP), _SUM_OF_ROWS),
        ("loop: sums of rows by blocks", _loop("KR", ["f4 =="], [], [_SUM], BLOCK), _SUM_OF_ROWS),
        ("loop: sums of parts of rows", _loop("KR", ["f4 =="], [], [_SUM], BLOCK, True), _SUM_OF_ROWS),
        ("loop: largest of rows", _loop("KR", ["f4 =="], [], [_MAX], WARP), _FOLD_OF_ROWS),
        (
            "loop: squared differences from row values, and their sums",
            _loop("KR", ["f4 ==", "f4 s0"], _MEAN_STEPS, [Write(3, "f4", "sum"), Write(3, "f4")], WARP),
            _SUM_OF_ROWS,
        ),
        ("loop: sums of columns", _loop("RK", ["f4 =="], [], [_SUM], THREAD), _FLOAT64),
        ("loop: sums of columns by tiles", _loop("RK", ["f4 =="], [], [_SUM], TILE), _FLOAT64),
        ("loop: sums of parts of columns", _loop("RK", ["f4 =="], [], [_SUM], TILE, True), _FLOAT64),
        ("loop: sums of the middle of three axes", _loop("KRK", ["f4 ==="], [], [_SUM], TILE), _FLOAT64),
        ("loop: sum of int64", _loop("R", ["i8 ="], [], [Write(0, "i8", "sum")], BLOCK, True), _FOLD_OF_ROWS),
        (
            "loop: sums with a number of each segment",
            _loop("KK", ["f4 ==", "f4 s0"], [_ADD], [Write(2, "f4", None, 0)], SEGMENTS),
            _VECTOR,
        ),
        ("loop: sums of segments", _loop("KR", ["f4 =="], [], [_SUM], SEGMENTS, True), _SUM_OF_ROWS),
        ("loop: any of bool", _loop("KR", ["? =="], [], [Write(0, "?", "max")], WARP), {"shuffles": True}),
    )
}
ROWS: dict[str, Row] = {**KERNELS, **{name: row for name, (_, row) in LOOPS.items()}}
