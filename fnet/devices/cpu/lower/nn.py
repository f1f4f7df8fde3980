"""Rows of networks: kernel calls for softmax and its kin, cross-entropies, and dropout."""

from __future__ import annotations

import math

from fnet.compile.emit import Emitter, Ref
from fnet.devices.lowering import Lowering, lowering
from fnet.kernels import cpu


def _rows(family: str, kernel: str, scratch: int = 0) -> Lowering:
    """A lowering rule: call `kernel` on inputs, output, `scratch` numbers for each row, numbers of rows and columns."""

    def emits(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
        *lead, columns = inputs[0].shape
        rows = math.prod(lead)
        work = [emit.scratch(scratch * rows, inputs[0].dtype)] if scratch else []
        emit.call(getattr(getattr(cpu, family), kernel), *inputs, *outputs, *work, rows, columns)

    return Lowering(emits)


softmax = _rows("softmax", "softmax", scratch=1)
softmax_vjp = _rows("softmax", "softmax_vjp")
log_softmax = _rows("softmax", "log_softmax", scratch=2)
log_softmax_vjp = _rows("softmax", "log_softmax_vjp")
logsumexp = _rows("softmax", "logsumexp", scratch=1)
sparse_crossentropy = _rows("crossentropy", "sparse_crossentropy", scratch=1)
sparse_crossentropy_vjp = _rows("crossentropy", "sparse_crossentropy_vjp", scratch=1)
categorical_crossentropy = _rows("crossentropy", "categorical_crossentropy", scratch=1)
categorical_crossentropy_vjp = _rows("crossentropy", "categorical_crossentropy_vjp", scratch=1)


@lowering()
def dropout(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """The mask is drawn from the key, element by element."""
    x, key, rate = inputs
    emit.call(cpu.dropout.dropout, x, key, rate, outputs[0], x.size)
