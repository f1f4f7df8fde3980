"""Eager execution: one primitive on NumPy arrays, by the same kernels and the same rules as in a plan."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.compile.emit import EagerEmitter, Ref, contiguous, ref_of
from fnet.compile.loops import Computation, Step, Write, emit_computation, foldable
from fnet.compile.results import empty
from fnet.device import cpu
from fnet.spec import ArraySpec, check_array, check_dtype


def evaluate(primitive: Any, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """Compute `primitive` on arrays; returns an array, or a tuple of them when it has several results."""
    arrays = [a if type(a) is np.ndarray else _plain(a) for a in args]
    specs = [ArraySpec(a.shape, check_dtype(a.dtype)) for a in arrays]
    result = primitive.abstract(*specs, **params)
    if primitive.view is not None:
        return primitive.view(arrays[0], **params)
    results = result if primitive.multiple else (result,)
    outputs = [empty(spec.shape, spec.dtype) for spec in results]
    targets = [Ref.whole(o.reshape(-1), o.dtype, o.shape) for o in outputs]
    lower(primitive, [ref_of(a) for a in arrays], targets, params, EagerEmitter(cpu()))
    return tuple(outputs) if primitive.multiple else outputs[0]


def _plain(x: Any) -> np.ndarray:
    """A number as an array; arrays of a class of their own as they are, if that may be."""
    if not isinstance(x, np.ndarray):
        return np.asarray(x)
    check_array(x)
    return x


def lower(primitive: Any, inputs: list[Ref], targets: list[Ref], params: dict[str, Any], emit: Any) -> None:
    """Emit the calls that compute one primitive, whatever its kind, from `inputs` into `targets`."""
    if primitive.template is not None:
        dtype = targets[0].dtype.str[1:]
        step = Step(primitive.template, tuple(range(len(inputs))), dtype)
        write = Write(len(inputs), dtype)
        emit_computation(Computation(targets[0].shape, frozenset(), inputs, [step], [write], targets), emit)
    elif primitive.reduction is not None:
        source, axes = inputs[0], frozenset(params["axes"])
        if not foldable(source.shape, axes):
            source, axes = _folded_last(source, axes)
        write = Write(0, targets[0].dtype.str[1:], fold=primitive.reduction)
        emit_computation(Computation(source.shape, axes, [source], [], [write], targets), emit)
    elif primitive.lowered:
        rule = emit.device.rule(primitive)
        rule(emit, inputs if rule.strided else [contiguous(r, emit) for r in inputs], targets, **params)
    else:
        ready = inputs if primitive.strided else [contiguous(r, emit) for r in inputs]
        primitive.lower(emit, ready, targets, **params)


def _folded_last(source: Ref, axes: frozenset[int]) -> tuple[Ref, frozenset[int]]:
    """The same window with the folded axes moved behind the others."""
    ndim = len(source.shape)
    order = [a for a in range(ndim) if a not in axes] + sorted(axes)
    moved = source.viewed(np.transpose, axes=order)
    return moved, frozenset(range(ndim - len(axes), ndim))
