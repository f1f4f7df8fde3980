"""Random numbers: calls of the Philox kernels, and of what is built on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.compile.emit import Emitter, Ref
from fnet.devices.lowering import Lowering, lowering
from fnet.kernels import cpu


def _philox(family: str) -> Lowering:
    """A lowering rule: call the Philox kernel of this family for the result's dtype."""

    def emits(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, dtype: np.dtype, **params: Any) -> None:
        name = family if dtype.kind != "f" else f"{family}_f{8 * dtype.itemsize}"
        bounds = [emit.constant(np.full(1, params[p], np.float64)) for p in ("lower", "upper") if p in params]
        emit.call(getattr(cpu.philox, name), inputs[0], outputs[0], outputs[0].size, *bounds)

    return Lowering(emits)


random_bits = _philox("random_bits")
random_uniform = _philox("uniform")
random_normal = _philox("normal")
random_truncated_normal = _philox("truncated_normal")


@lowering()
def random_split(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, n: int) -> None:
    """`n` keys from one."""
    emit.call(cpu.philox.split, inputs[0], outputs[0], n)


@lowering()
def random_fold_in(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """The key of one integer."""
    emit.call(cpu.philox.fold_in, *inputs, outputs[0])


@lowering()
def random_randint(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, low: int, high: int, **params: Any) -> None:
    """The kernel draws from ``high - low`` integers, and adds `low`."""
    emit.call(cpu.permutation.randint, inputs[0], outputs[0], outputs[0].size, low, high - low)


@lowering()
def random_permutation(emit: Emitter, inputs: list[Ref], outputs: list[Ref], **params: Any) -> None:
    """A shuffle in place."""
    emit.call(cpu.permutation.permutation, inputs[0], outputs[0], outputs[0].size)


@lowering()
def random_orthonormal(emit: Emitter, inputs: list[Ref], outputs: list[Ref], **params: Any) -> None:
    """Normal rows, made orthonormal in place."""
    (rows,) = outputs
    emit.call(cpu.philox.normal_f64, inputs[0], rows, rows.size)
    emit.call(cpu.orthogonal.orthonormalize_rows, rows, *rows.shape)
