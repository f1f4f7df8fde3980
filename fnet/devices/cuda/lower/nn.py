"""Rows of networks: kernel calls for softmax and its kin, cross-entropies, and dropout."""

from __future__ import annotations

import math

from fnet.compile.emit import Emitter, Ref
from fnet.devices.cuda.grids import held_grid, spread
from fnet.devices.lowering import Lowering, lowering
from fnet.kernels import cuda


def _rows(family: str, kernel: str) -> Lowering:
    """A lowering rule: call `kernel` on inputs, output, numbers of rows and columns."""

    def emits(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
        *lead, columns = inputs[0].shape
        rows = math.prod(lead)
        if rows:
            launch = getattr(getattr(cuda, family), kernel)[held_grid(rows, columns)]
            emit.call(launch, *inputs, *outputs, rows, columns)

    return Lowering(emits)


softmax = _rows("softmax", "softmax")
softmax_vjp = _rows("softmax", "softmax_vjp")
log_softmax = _rows("softmax", "log_softmax")
log_softmax_vjp = _rows("softmax", "log_softmax_vjp")
logsumexp = _rows("softmax", "logsumexp")
sparse_crossentropy = _rows("crossentropy", "sparse_crossentropy")
sparse_crossentropy_vjp = _rows("crossentropy", "sparse_crossentropy_vjp")
categorical_crossentropy = _rows("crossentropy", "categorical_crossentropy")
categorical_crossentropy_vjp = _rows("crossentropy", "categorical_crossentropy_vjp")


@lowering()
def dropout(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """The mask is drawn from the key, element by element."""
    x, key, rate = inputs
    if x.size:
        emit.call(cuda.dropout.dropout[spread(-(-x.size // 4))], x, key, rate, outputs[0], x.size)
