"""Matrix products: one kernel call each."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fnet import activation_codes
from fnet.compile.emit import Emitter, Ref, contiguous
from fnet.devices.lowering import lowering
from fnet.kernels import cuda

EPILOGUES = activation_codes.NAMES[1:]
MOST_SAMPLES = 1024  # of a grid, which goes on until all are done
MULTIPROCESSORS = 108  # of a card, each of which should have a block at least


@lowering(strided=True, absorbs=EPILOGUES)
def matmul(
    emit: Emitter,
    inputs: list[Ref],
    outputs: list[Ref],
    *,
    activation: str = "linear",
    precision: str = "highest",
) -> None:
    """One GEMM, with bias and activation in its epilogue; transposes are only other strides."""
    a, b, *bias = inputs
    (c,) = outputs
    added = contiguous(bias[0], emit) if bias else c
    shape = (*a.shape, b.shape[1])
    _product(emit, *_forwards(emit, a, b), c, added, bool(bias), shape, (1, 0, 0), activation)


@lowering(strided=True)
def stacked_matmul(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, precision: str = "highest") -> None:
    """The products of a stack are blocks of one grid."""
    a, b = _forwards(emit, *inputs)
    (c,) = outputs
    count, m, k = a.shape
    _product(emit, a, b, c, c, False, (m, k, b.shape[2]), (count, a.strides[0], b.strides[0]))


@lowering()
def product_of_integers(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """Products of matrices, or of stacks of them, in integers."""
    a, b = inputs
    (c,) = outputs
    *lead, m, k = a.shape
    n = b.shape[-1]
    _product(emit, a, b, c, c, False, (m, k, n), (math.prod(lead), m * k, k * n))


def _product(
    emit: Emitter,
    a: Ref,
    b: Ref,
    c: Ref,
    added: Ref,
    has_bias: bool,
    shape: Sequence[int],
    batch: Sequence[int],
    activation: str = "linear",
) -> None:
    """Emit the products of a stack. shape: m, k and n; batch: how many, and the steps from one to the next."""
    (m, k, n), (count, a_step, b_step) = shape, batch
    if c.size == 0:
        return
    (a_row, a_column), (b_row, b_column) = a.strides[-2:], b.strides[-2:]
    sizes = {
        "m": m, "n": n, "k": k, "a_row": a_row, "a_column": a_column, "b_row": b_row, "b_column": b_column,
        "batch": count, "a_batch": a_step, "b_batch": b_step, "bias": int(has_bias),
    }  # fmt: skip
    tile = tile_of(m, n, k, count, c.dtype)
    grid = -(-m // tile), -(-n // tile), min(count, MOST_SAMPLES)
    if tile == cuda.gemm.TILE:
        kernel = cuda.gemm.gemm if activation == "linear" else getattr(cuda.gemm, f"gemm_{activation}")
        launch, numbers = kernel[grid, (tile, tile)], cuda.gemm.SIZES.array(**sizes)
    else:
        family = cuda.gemm_tiled
        kernel = family.gemm_64_f64 if c.dtype == np.float64 else getattr(family, f"gemm_{tile}")
        launch = kernel[grid, family.THREADS]
        numbers = family.SIZES.array(**sizes, act=activation_codes.code(activation))
    emit.call(launch, a, b, c, added, emit.constant(numbers))


def tile_of(m: int, n: int, k: int, count: int, dtype: np.dtype) -> int:
    """The rows and columns that a block computes: the larger, the less is read, if the blocks occupy a card."""
    widest = {np.dtype(np.float32): 128, np.dtype(np.float64): 64}.get(dtype, cuda.gemm.TILE)
    for tile in (128, 64):
        fits = min(m, n) > tile // 2 and max(m, n, k) < 1 << 31
        if tile <= widest and fits and -(-m // tile) * -(-n // tile) * count >= MULTIPROCESSORS:
            return tile
    return cuda.gemm.TILE


def _forwards(emit: Emitter, a: Ref, b: Ref) -> tuple[Ref, Ref]:
    """The windows themselves, or copies of those that go backwards."""
    return contiguous(a, emit) if a.backwards else a, contiguous(b, emit) if b.backwards else b
