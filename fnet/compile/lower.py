"""The calls that compute one primitive: by the loop writer of the device, or by its lowering rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.compile.emit import Emitter, Ref, contiguous
from fnet.compile.loops import Computation, LoopStep, Write, emit_computation, foldable


def lower(primitive: Any, inputs: list[Ref], targets: list[Ref], params: dict[str, Any], emit: Emitter) -> None:
    """Emit the calls that compute `primitive` from `inputs` into `targets`."""
    if primitive.template is not None:
        dtype = targets[0].dtype.str[1:]
        step = LoopStep(primitive.template, tuple(range(len(inputs))), dtype)
        write = Write(len(inputs), dtype)
        emit_computation(Computation(targets[0].shape, frozenset(), inputs, [step], [write], targets), emit)
    elif primitive.reduction is not None:
        source, axes = inputs[0], frozenset(params["axes"])
        if not foldable(source.shape, axes):
            source, axes = _folded_last(source, axes)
        write = Write(0, targets[0].dtype.str[1:], fold=primitive.reduction)
        emit_computation(Computation(source.shape, axes, [source], [], [write], targets), emit)
    else:
        rule = emit.device.rule(primitive)
        rule(emit, inputs if rule.strided else [contiguous(r, emit) for r in inputs], targets, **params)


def _folded_last(source: Ref, axes: frozenset[int]) -> tuple[Ref, frozenset[int]]:
    """The same window with the folded axes moved behind the others."""
    ndim = len(source.shape)
    order = [a for a in range(ndim) if a not in axes] + sorted(axes)
    moved = source.viewed(np.transpose, axes=order)
    return moved, frozenset(range(ndim - len(axes), ndim))
