"""Rows of networks: kernel calls for softmax and its kin, cross-entropies, and dropout."""

from __future__ import annotations

import math

from fnet.compile.emit import Emitter, Ref, contiguous
from fnet.devices.cuda.grids import held_grid, spread
from fnet.devices.lowering import Lowering, lowering
from fnet.kernels import cuda


def _rows(family: str, kernel: str, integers: tuple[int, ...] = ()) -> Lowering:
    """A lowering rule: call `kernel` on inputs, output, numbers of rows and columns."""

    def emits(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
        *lead, columns = inputs[0].shape
        rows = math.prod(lead)
        if rows:
            launch = getattr(getattr(cuda, family), kernel)[held_grid(rows, columns)]
            emit.call(launch, *inputs, *outputs, rows, columns)

    return Lowering(emits, integers=integers)


def _gradient(kernel: str, forward: str, integers: tuple[int, ...] = ()) -> Lowering:
    """A lowering rule of the gradient of a cross-entropy, which may give the losses, too."""

    def emits(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
        logits, targets, g = inputs
        rows, columns = g.size, logits.shape[-1]
        if rows:
            step = 1 if g.contiguous else 0
            if any(g.strides) and not step:
                g, step = contiguous(g, emit), 1
            launch = getattr(cuda.crossentropy, kernel)[held_grid(rows, columns)]
            of = contiguous(logits, emit), contiguous(targets, emit), g
            emit.call(launch, *of, outputs[0], outputs[-1], rows, columns, step, len(outputs) - 1)

    return Lowering(emits, strided=True, beside=forward, integers=integers)


softmax = _rows("softmax", "softmax")
softmax_vjp = _rows("softmax", "softmax_vjp")
log_softmax = _rows("softmax", "log_softmax")
log_softmax_vjp = _rows("softmax", "log_softmax_vjp")
logsumexp = _rows("softmax", "logsumexp")
sparse_crossentropy = _rows("crossentropy", "sparse_crossentropy", integers=(1,))
sparse_crossentropy_vjp = _gradient("sparse_crossentropy_vjp", "sparse_crossentropy", integers=(1,))
categorical_crossentropy = _rows("crossentropy", "categorical_crossentropy")
categorical_crossentropy_vjp = _gradient("categorical_crossentropy_vjp", "categorical_crossentropy")


@lowering()
def dropout(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """The mask is drawn from the key, element by element."""
    x, key, rate = inputs
    if x.size:
        emit.call(cuda.dropout.dropout[spread(-(-x.size // 4))], x, key, rate, outputs[0], x.size)
