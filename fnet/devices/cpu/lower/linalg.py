"""Matrix products: one kernel call each, by the arithmetic that the level of precision allows and the sizes repay."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fnet import activation_codes
from fnet.compile.emit import Emitter, Ref, contiguous
from fnet.devices.lowering import lowering
from fnet.kernels import cpu
from fnet.kernels.cpu.runtime import ways
from fnet.kernels.cpu.vector import amx
from fnet.kernels.cpu.vector.tiles import FROM_BIAS, FROM_ZERO

EPILOGUES = activation_codes.NAMES[1:]
FEW, LARGE = 16, 1 << 21  # products of a stack, multiplications in each: then it is the products that threads share


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
    (m, k), n = a.shape, b.shape[1]
    a, b = _regular(emit, a, b)
    added = contiguous(bias[0], emit) if bias else c
    way = way_of_product(m, n, k, precision)
    if way != "float32":
        a, b = (ref if 1 in ref.strides else contiguous(ref, emit) for ref in (a, b))
    sizes = {
        **_matrices(m, n, k, a.strides, b.strides), "start": FROM_BIAS if bias else FROM_ZERO,
        "act": activation_codes.code(activation),
    }  # fmt: skip
    if way == "tiles":
        products = ways.products_in_tiles(precision)
        words = emit.scratch(cpu.gemm_tiles.tiles_words(m, n, k, products), np.dtype("uint32"))
        work = emit.scratch(cpu.gemm_tiles.tiles_work(), c.dtype)
        state = emit.constant(amx.state(cpu.gemm_tiles.TASKS))
        places = emit.constant(cpu.gemm_tiles.SIZES.array(**sizes, products=products))
        emit.call(cpu.gemm_tiles.gemm_tiles, a, b, c, added, words, work, state, places)
        return
    places = emit.constant(cpu.gemm.SIZES.array(**sizes))
    if way == "pairs":
        words = emit.scratch(cpu.gemm_bfloat16.bfloat16_words(m, n, k), np.dtype("uint32"))
        work = emit.scratch(cpu.gemm_bfloat16.bfloat16_workspace(m, n, k), np.dtype("uint32"))
        emit.call(cpu.gemm_bfloat16.gemm_bfloat16, a, b, c, added, words, work, places)
        return
    work = emit.scratch(cpu.gemm.gemm_workspace(m, n, k, c.dtype), c.dtype)
    kernel = cpu.gemm.small_gemm if cpu.gemm.is_small(m, n, k) else cpu.gemm.gemm
    emit.call(kernel, a, b, c, added, work, places)


def _matrices(m: int, n: int, k: int, a_strides: Sequence[int], b_strides: Sequence[int]) -> dict[str, int]:
    """The sizes of a product by their names for kernels (`fnet.kernels.cpu.gemm.MATRICES`)."""
    names = cpu.gemm.MATRICES.split()
    return dict(zip(names, (m, n, k, *a_strides, *b_strides), strict=True))


def way_of_product(m: int, n: int, k: int, precision: str) -> str:
    """Which of the ways in `fnet.kernels.cpu.runtime.ways` a product of float32 takes at this level."""
    if cpu.gemm_tiles.large_enough(m, n, k) and ways.takes_tiles(precision):
        return "tiles"
    return "pairs" if cpu.gemm_bfloat16.large_enough(m, n, k) and ways.takes_pairs(precision) else "float32"


@lowering(strided=True)
def stacked_matmul(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, precision: str = "highest") -> None:
    """A few large products one by one, others by one call."""
    a, b = _regular(emit, *inputs)
    (c,) = outputs
    (count, m, k), n = a.shape, b.shape[2]
    if count < FEW and m * n * k > LARGE:
        for s in range(count):
            matmul(emit, [_sample(a, s), _sample(b, s)], [_sample(c, s)], precision=precision)
        return
    work = emit.scratch(cpu.gemm.batched_workspace(count, m, n, k, c.dtype), c.dtype)
    (a_step, *a_strides), (b_step, *b_strides) = a.strides, b.strides
    sizes = cpu.gemm.BATCHED_SIZES.array(
        **_matrices(m, n, k, a_strides, b_strides), batch=count, a_batch=a_step, b_batch=b_step
    )
    emit.call(cpu.gemm.batched_gemm, a, b, c, work, emit.constant(sizes))


@lowering()
def product_of_integers(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """Products of matrices, or of stacks of them, in integers."""
    *lead, m, k = inputs[0].shape
    emit.call(
        cpu.product_of_integers.product_of_integers, *inputs, *outputs, math.prod(lead), m, k, outputs[0].shape[-1]
    )


def _sample(ref: Ref, number: int) -> Ref:
    """One matrix of a stack."""
    return Ref(ref.buffer, ref.dtype, ref.shape[1:], ref.strides[1:], ref.offset + number * ref.strides[0])


def _regular(emit: Emitter, a: Ref, b: Ref) -> tuple[Ref, Ref]:
    """The windows themselves where the kernel can stride through them forwards, else contiguous copies.

    A product with one column is summed by lanes where rows of `a` and the column are contiguous, else in a chain.
    Eager calls copy windows with gaps, plans do not: they sum in one order if gaps do not decide.
    """
    a, b = (contiguous(ref, emit) if ref.backwards else ref.settled for ref in (a, b))
    if b.shape[-1] != 1:
        return a, b
    transposed = Ref(a.buffer, a.dtype, a.shape[::-1], a.strides[::-1], a.offset)
    stays = a.strides[-1] == 1 or (len(a.shape) == 2 and transposed.contiguous)
    return a if stays else contiguous(a, emit), contiguous(b, emit)
