"""Matrix products: one kernel call each."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fnet import activation_codes
from fnet.compile.emit import Emitter, Ref, contiguous
from fnet.devices.lowering import lowering
from fnet.kernels import cuda

EPILOGUES = activation_codes.NAMES[1:]
MOST_SAMPLES = 1024  # of a grid, which goes on until all are done


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
    kernel = "gemm" if activation == "linear" else f"gemm_{activation}"
    _product(emit, kernel, *_forwards(emit, a, b), c, added, bool(bias), (*a.shape, b.shape[1]), (1, 0, 0))


@lowering(strided=True)
def stacked_matmul(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, precision: str = "highest") -> None:
    """The products of a stack are blocks of one grid."""
    a, b = _forwards(emit, *inputs)
    (c,) = outputs
    count, m, k = a.shape
    _product(emit, "gemm", a, b, c, c, False, (m, k, b.shape[2]), (count, a.strides[0], b.strides[0]))


@lowering()
def product_of_integers(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """Products of matrices, or of stacks of them, in integers."""
    a, b = inputs
    (c,) = outputs
    *lead, m, k = a.shape
    n = b.shape[-1]
    _product(emit, "gemm", a, b, c, c, False, (m, k, n), (math.prod(lead), m * k, k * n))


def _product(
    emit: Emitter,
    kernel: str,
    a: Ref,
    b: Ref,
    c: Ref,
    added: Ref,
    has_bias: bool,
    shape: Sequence[int],
    batch: Sequence[int],
) -> None:
    """Emit the products of a stack. shape: m, k and n; batch: how many, and the steps from one to the next."""
    (m, k, n), (count, a_step, b_step) = shape, batch
    if c.size == 0:
        return
    (a_row, a_column), (b_row, b_column) = a.strides[-2:], b.strides[-2:]
    sizes = cuda.gemm.SIZES.array(
        m=m, n=n, k=k, a_row=a_row, a_column=a_column, b_row=b_row, b_column=b_column,
        batch=count, a_batch=a_step, b_batch=b_step, bias=int(has_bias),
    )  # fmt: skip
    tile = cuda.gemm.TILE
    grid = -(-m // tile), -(-n // tile), min(count, MOST_SAMPLES)
    emit.call(getattr(cuda.gemm, kernel)[grid, (tile, tile)], a, b, c, added, emit.constant(sizes))


def _forwards(emit: Emitter, a: Ref, b: Ref) -> tuple[Ref, Ref]:
    """The windows themselves, or copies of those that go backwards."""
    return contiguous(a, emit) if a.backwards else a, contiguous(b, emit) if b.backwards else b
