"""Connectionist temporal classification: kernel calls for losses, gradients, the best path and the best labellings."""

from __future__ import annotations

import numpy as np

from fnet.compile.emit import Emitter, Ref
from fnet.devices.cuda.grids import THREADS, WARP, rows_grid, warps
from fnet.devices.lowering import lowering
from fnet.kernels import cuda

_NUMBER, _INTEGER = np.dtype(np.float64), np.dtype(np.int64)


@lowering()
def ctc(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, blank: int) -> None:
    """Two rows of states by turns."""
    if not outputs[0].size:
        return
    norms, alpha, sizes, block = _begin(emit, inputs, blank, 2)
    emit.call(cuda.ctc.ctc_loss[inputs[0].shape[0], block], *inputs, norms, alpha, *outputs, sizes)


@lowering()
def ctc_gradient(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, blank: int) -> None:
    """The states of all frames are kept."""
    (batch, frames, _), width = inputs[0].shape, inputs[1].shape[1]
    if not batch:
        return
    norms, alpha, sizes, block = _begin(emit, inputs, blank, frames + 1)
    beta = emit.scratch(batch * cuda.ctc.states_size(2, width), _NUMBER)
    occupied, links = emit.scratch(batch * width, _NUMBER), emit.scratch(2 * batch * width, _INTEGER)
    launch = cuda.ctc.ctc_loss_and_gradient[batch, block]
    emit.call(launch, *inputs, norms, alpha, beta, occupied, links, *outputs, sizes)


@lowering()
def ctc_greedy_decode(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, blank: int, merge: bool) -> None:
    """The best class of each frame."""
    batch = inputs[0].shape[0]
    if batch:
        launch = cuda.ctc_decode.greedy[warps(batch)]
        emit.call(launch, *inputs, *outputs, *inputs[0].shape, blank, int(merge))


@lowering()
def ctc_beam_search_decode(
    emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, width: int, paths: int, blank: int
) -> None:
    """A block for each sample, which has a tree of labellings in scratch memory."""
    batch, frames, classes = inputs[0].shape
    if batch:
        integers, numbers = cuda.ctc_decode.beam_scratch(frames, classes, width)
        work = emit.scratch(batch * integers, _INTEGER), emit.scratch(batch * numbers, _NUMBER)
        block = min(THREADS, WARP * -(-width * (classes + 1) // WARP))
        sizes = cuda.ctc_decode.BEAM_SIZES.array(
            batch=batch, frames=frames, classes=classes, width=width, paths=paths, blank=blank
        )
        launch = cuda.ctc_decode.beam_search[batch, block]
        emit.call(launch, *inputs, *outputs, *work, emit.constant(sizes))


def _begin(emit: Emitter, inputs: list[Ref], blank: int, rows: int) -> tuple[Ref, Ref, Ref, int]:
    """Norms of the frames, memory for `rows` rows of states a sample, sizes, and how many threads a sample has."""
    (batch, frames, classes), width = inputs[0].shape, inputs[1].shape[1]
    norms = emit.scratch(batch * frames, _NUMBER)
    if frames:
        launch = cuda.ctc.frame_norms[rows_grid(batch * frames, classes)]
        emit.call(launch, inputs[0], norms, batch * frames, classes)
    alpha = emit.scratch(batch * cuda.ctc.states_size(rows, width), _NUMBER)
    sizes = cuda.ctc.SIZES.array(frames=frames, classes=classes, width=width, blank=blank, rows=rows)
    return norms, alpha, emit.constant(sizes), min(THREADS, WARP * -(-(width + 1) // WARP))
