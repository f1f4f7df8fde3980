"""Connectionist temporal classification: kernel calls for losses, gradients and decoding."""

from __future__ import annotations

import numpy as np

from fnet.compile.emit import Emitter, Ref
from fnet.devices.lowering import Lowering, lowering
from fnet.kernels import cpu
from fnet.kernels.cpu.runtime.threads import thread_count


def _loss(kernel: str, *, saving: bool) -> Lowering:
    """A lowering rule: call `kernel` with scratch memory for as many samples as run at a time."""

    def emits(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, blank: int) -> None:
        (batch, frames, classes), width = inputs[0].shape, inputs[1].shape[1]
        size = cpu.ctc.scratch_size(frames, classes, width)[saving]
        slots = max(1, min(batch, 2 * thread_count()))
        scratch = emit.scratch(slots * size, inputs[0].dtype)
        sizes = (slots, size, batch, frames, classes, width, blank)
        emit.call(getattr(cpu.ctc, kernel), *inputs, *outputs, scratch, *sizes)

    return Lowering(emits)


ctc = _loss("ctc_loss", saving=False)
ctc_gradient = _loss("ctc_loss_and_gradient", saving=True)


@lowering()
def ctc_greedy_decode(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, blank: int, merge: bool) -> None:
    """The best class of each frame."""
    emit.call(cpu.ctc_decode.greedy, *inputs, *outputs, *inputs[0].shape, blank, int(merge))


@lowering()
def ctc_beam_search_decode(
    emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, width: int, paths: int, blank: int
) -> None:
    """Every sample has a tree of prefixes in scratch memory of its own."""
    batch, frames, classes = inputs[0].shape
    integers, numbers = cpu.ctc_decode.scratch_sizes(frames, classes, width)
    nodes = emit.scratch(batch * integers, np.dtype(np.int64))
    values = emit.scratch(batch * numbers, np.dtype(np.float64))
    sizes = (integers, numbers, batch, frames, classes, width, paths, blank)
    emit.call(cpu.ctc_decode.beam_search, *inputs, *outputs, nodes, values, *sizes)
