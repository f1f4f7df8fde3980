"""Random numbers: calls of the Philox kernels, and of what is built on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.compile.emit import Emitter, Ref
from fnet.devices.cuda.grids import spread
from fnet.devices.cuda.sorting import emit_sort
from fnet.devices.lowering import Lowering, lowering
from fnet.kernels import cuda

_INTEGER = np.dtype(np.int32)
PANEL = 16  # rows that one block makes orthonormal


def _philox(family: str) -> Lowering:
    """A lowering rule: call the Philox kernel of this family for the result's dtype."""

    def emits(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, dtype: np.dtype, **params: Any) -> None:
        size = outputs[0].size
        if not size:
            return
        name = family if dtype.kind != "f" else f"{family}_f{8 * dtype.itemsize}"
        bounds = [emit.constant(np.full(1, params[p], np.float64)) for p in ("lower", "upper") if p in params]
        threads = size if bounds else -(-size * dtype.itemsize // 16)
        emit.call(getattr(cuda.philox, name)[spread(threads)], inputs[0], outputs[0], size, *bounds)

    return Lowering(emits)


random_bits = _philox("random_bits")
random_uniform = _philox("uniform")
random_normal = _philox("normal")
random_truncated_normal = _philox("truncated_normal")


@lowering()
def random_split(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, n: int) -> None:
    """`n` keys from one."""
    if n:
        emit.call(cuda.philox.split[spread(n)], inputs[0], outputs[0], n)


@lowering()
def random_fold_in(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """The key of one integer."""
    emit.call(cuda.philox.fold_in[spread(1)], *inputs, outputs[0])


@lowering()
def random_randint(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, low: int, high: int, **params: Any) -> None:
    """The kernel draws from ``high - low`` integers, and adds `low`."""
    size = outputs[0].size
    if size:
        launch = cuda.permutation.randint[spread(-(-size // 2))]
        emit.call(launch, inputs[0], outputs[0], size, low, high - low)


@lowering()
def random_permutation(emit: Emitter, inputs: list[Ref], outputs: list[Ref], **params: Any) -> None:
    """All exchanges at once, which are sorted by what they exchange with."""
    (out,), n = outputs, outputs[0].size
    if n:
        partner, before, last = emit.scratch(n, out.dtype), emit.scratch(n, _INTEGER), emit.scratch(n, _INTEGER)
        emit.call(cuda.permutation.exchanges[spread(-(-n // 2))], inputs[0], partner, n)
        partners, order = emit_sort(partner, n, emit)
        emit.device.fill(last, -1, emit)
        emit.call(cuda.permutation.link_exchanges[spread(n)], partners, order, before, last, n)
        emit.call(cuda.permutation.permutation[spread(n)], partner, before, last, out, n)


@lowering()
def random_orthonormal(emit: Emitter, inputs: list[Ref], outputs: list[Ref], **params: Any) -> None:
    """Normal rows, made orthonormal in place, `PANEL` of them at a time."""
    (v,) = outputs
    if not v.size:
        return
    rows, columns = v.shape
    emit.call(cuda.philox.normal_f64[spread(-(-v.size // 2))], inputs[0], v, v.size)
    products = emit.scratch(PANEL * rows, v.dtype) if rows > PANEL else v
    for first in range(0, rows, PANEL):
        count = min(PANEL, rows - first)
        for _ in range(2 if first else 0):
            emit.call(cuda.orthogonal.project_rows[count, cuda.orthogonal.THREADS], v, products, first, columns)
        emit.call(cuda.orthogonal.orthonormalize_rows[1, cuda.orthogonal.THREADS], v, first, count, columns)
