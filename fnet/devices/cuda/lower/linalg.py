"""Matrix products: one kernel call each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fnet import activation_codes
from fnet.compile.emit import Emitter, Ref, contiguous
from fnet.devices.cuda.grids import MOST_Y, spread
from fnet.devices.cuda.products import operand_of, product_of
from fnet.devices.cuda.tiling import SMALLEST, Tiling, tiles, tiling
from fnet.devices.lowering import lowering
from fnet.kernels import cuda
from fnet.kernels.cuda.runtime.product import Product

EPILOGUES = activation_codes.NAMES[1:]


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
    added = contiguous(bias[0], emit) if bias else None
    shape = (*a.shape, b.shape[1])
    emit_product(emit, *_operands(emit, a, b, precision), c, added, shape, (1, 0, 0), activation, precision)


@lowering(strided=True)
def stacked_matmul(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, precision: str = "highest") -> None:
    """The products of a stack are blocks of one grid."""
    a, b = _operands(emit, inputs[0], inputs[1], precision)
    (c,) = outputs
    count, m, k = a.shape
    emit_product(emit, a, b, c, None, (m, k, b.shape[2]), (count, a.strides[0], b.strides[0]), precision=precision)


@lowering()
def product_of_integers(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """Products of matrices, or of stacks of them, in integers."""
    a, b = inputs
    (c,) = outputs
    *lead, m, k = a.shape
    n = b.shape[-1]
    emit_product(emit, a, b, c, None, (m, k, n), (math.prod(lead), m * k, k * n))


def emit_product(
    emit: Emitter,
    a: Ref,
    b: Ref,
    c: Ref,
    bias: Ref | None,
    shape: Sequence[int],
    batch: Sequence[int],
    activation: str = "linear",
    precision: str = "highest",
) -> None:
    """Emit the products of a stack. shape: m, k and n; batch: how many, and the steps from one to the next.

    What a library computes has its bias there if it can; an activation is a launch behind it, which lets NaN through.
    """
    (m, k, n), (count, a_step, b_step) = shape, batch
    if c.size == 0:
        return
    act, along = activation_codes.code(activation), (a.strides[-2:], b.strides[-2:])
    product = product_of(shape, batch, along, c.dtype, precision)
    if product is not None and _emit_in_library(emit, product, a, b, c, bias, act):
        return
    (a_row, a_column), (b_row, b_column) = along
    reach = max(k, a_row, a_column, b_row, b_column)
    cut = tiling(m, n, k, count, c.dtype) if reach < 1 << 31 else Tiling(SMALLEST, k, 1)
    target, added, whole = c, bias, count * k
    if cut.parts > 1:  # a stack of the products of the parts
        count, a_step, b_step, whole = cut.parts, cut.part * a_column, cut.part * b_row, k
        target, added, activation = emit.scratch(count * c.size, c.dtype), None, "linear"
    sizes = {
        "m": m, "n": n, "k": cut.part, "a_row": a_row, "a_column": a_column, "b_row": b_row, "b_column": b_column,
        "batch": count, "a_batch": a_step, "b_batch": b_step, "whole": whole, "bias": int(added is not None),
    }  # fmt: skip
    grid = tiles(m, cut.tile) * tiles(n, cut.tile), 1, min(count, MOST_Y)
    if cut.tile == SMALLEST:
        kernel = cuda.gemm.gemm if activation == "linear" else getattr(cuda.gemm, f"gemm_{activation}")
        launch, numbers = kernel[grid, (cut.tile, cut.tile)], cuda.gemm.SIZES.array(**sizes)
    else:
        family = cuda.gemm_tiled
        if c.dtype == np.float64:
            kernel = family.gemm_64_f64
        elif precision == "highest" or count > MOST_Y:
            kernel = getattr(family, f"gemm_{cut.tile}")
        else:
            kernel = getattr(cuda.gemm_tensor, f"{precision}_{cut.tile}")
        launch = kernel[grid, family.THREADS]
        numbers = family.SIZES.array(**sizes, act=activation_codes.code(activation))
    emit.call(launch, a, b, target, target if added is None else added, emit.constant(numbers))
    if cut.parts > 1:
        emit_sum_of_parts(emit, target, c, cut.parts, bias, act)


def _emit_in_library(emit: Emitter, product: Product, a: Ref, b: Ref, c: Ref, bias: Ref | None, act: int) -> bool:
    """Emit a product for the library of the card; False where that has none, and nothing is emitted."""
    home: Any = emit.device
    with_bias = replace(product, has_bias=True) if bias is not None and act == activation_codes.LINEAR else product
    chosen = next((one for one in (with_bias, product) if home.multiplies(one)), None)
    if chosen is None:
        return False
    added = bias if bias is not None and chosen.has_bias else c
    scratch = emit.scratch(chosen.workspace, np.dtype(np.uint8))
    touched = sum(ref.extent for ref in (a, b, c)) * c.dtype.itemsize
    emit.call(chosen, a, b, c, added, scratch, touched=touched)
    if act != activation_codes.LINEAR or (bias is not None and not chosen.has_bias):
        emit_sum_of_parts(emit, c, c, 1, bias, act)  # of one part
    return True


def emit_sum_of_parts(
    emit: Emitter, partial: Ref, total: Ref, parts: int, bias: Ref | None = None, act: int = 0
) -> None:
    """Emit the second stage of a sum; partial: as many as `parts` of `total`."""
    columns = total.shape[-1] if bias is not None else 0
    launch = cuda.parts.sum_parts[spread(total.size)]
    emit.call(launch, partial, total if bias is None else bias, total, parts, total.size, columns, act)


def _operands(emit: Emitter, a: Ref, b: Ref, precision: str) -> tuple[Ref, Ref]:
    """The windows themselves, or copies of those that go backwards, or that a library for such sizes cannot take.

    Without `fnet.jit`, windows are copied before: with it, they are computed in the same place and to the same bits.
    """
    a, b = (contiguous(x, emit) if x.backwards else x for x in (a, b))
    (*lead, m, k), n = a.shape, b.shape[-1]
    without_gaps = product_of((m, k, n), (math.prod(lead), m * k, k * n), ((k, 1), (n, 1)), a.dtype, precision)
    home: Any = emit.device
    if without_gaps is not None and home.multiplies(without_gaps):
        a, b = (x if operand_of(x.shape[-2:], x.strides[-2:]) else contiguous(x, emit) for x in (a, b))
    return a, b
