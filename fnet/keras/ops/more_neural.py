"""Operations of layers that have few users: adaptive pools, decoding of paths, derivatives, polar coordinates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fnet import layers, ops
from fnet.arguments import one_of
from fnet.keras.ops.calls import call, of_arrays
from fnet.keras.ops.neural import of_channels_last
from fnet.transforms.jvp import jvp as derivative
from fnet.transforms.operand import beside


@of_arrays
def adaptive_average_pool(inputs: Any, output_size: Any, data_format: str | None = None) -> Any:
    """The means of so many windows along each axis, see `fnet.layers.AdaptiveAveragePooling2D`."""
    return _adaptive("Average", inputs, output_size, data_format)


@of_arrays
def adaptive_max_pool(inputs: Any, output_size: Any, data_format: str | None = None) -> Any:
    """The largest elements of so many windows along each axis."""
    return _adaptive("Max", inputs, output_size, data_format)


def _adaptive(kind: str, inputs: Any, output_size: Any, data_format: str | None) -> Any:
    pool = getattr(layers, f"Adaptive{kind}Pooling{len(inputs.shape) - 2}D")(output_size)
    return of_channels_last(lambda x: pool.apply({}, {}, x)[0], inputs, data_format)


@of_arrays
def ctc_decode(
    inputs: Any,
    sequence_lengths: Any,
    strategy: str = "greedy",
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: int = 0,
) -> tuple[Any, Any]:
    """The most probable labels: (B, T, C) logits -> labels (paths, B, T), -1 behind them, and scores (B, paths).

    The score of "greedy" is the negated sum of the largest logits, that of "beam_search" a log-probability.
    """
    one_of("ctc_decode", "strategy", strategy, ("greedy", "beam_search"))
    if strategy == "beam_search":
        labels, scores = ops.ctc_beam_search_decode(
            inputs, sequence_lengths, beam_width=beam_width, top_paths=top_paths, blank_index=mask_index
        )
        return ops.astype(labels, "int32"), scores
    labels, _ = ops.ctc_greedy_decode(inputs, sequence_lengths, blank_index=mask_index, merge_repeated=merge_repeated)
    frames = beside(np.arange(inputs.shape[1]), inputs)
    counted = ops.less(frames, ops.reshape(sequence_lengths, (-1, 1)))
    scores = ops.negative(ops.sum(ops.where(counted, ops.max(inputs, -1), 0.0), 1, keepdims=True))
    return ops.astype(ops.expand_dims(labels, 0), "int32"), scores


def jvp(fun: Callable[..., Any], primals: Any, tangents: Any, has_aux: bool = False) -> Any:
    """The value of a function and its derivative in a direction, see `fnet.jvp`; with `has_aux` what else it gives."""
    if not has_aux:
        return derivative(fun, tuple(primals), tuple(tangents))
    (value, more), (tangent, _) = derivative(fun, tuple(primals), tuple(tangents))
    return value, tangent, more


def polar(abs_: Any, angle: Any) -> tuple[Any, Any]:
    """The real and the imaginary part of complex numbers: ``abs_ cos(angle)`` and ``abs_ sin(angle)``."""
    return call(ops.multiply, abs_, call(ops.cos, angle)), call(ops.multiply, abs_, call(ops.sin, angle))
