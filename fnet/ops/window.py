"""The axes of sliding windows from strides, padding and dilation, by Keras' rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fnet.arguments import is_integer, one_of
from fnet.errors import AxisSizeError, DtypeError, ShapeError, ValueRangeError
from fnet.taps import Axes, Axis

Sizes = int | Sequence[int]
Padding = str | Sequence[tuple[int, int]]


def spatial(name: str, x: Any, w: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The sizes of an input (batch, *sizes, channels) and of a kernel (*sizes, ., .), or a `ShapeError`."""
    shape, kernel = x.shape, w.shape
    if len(kernel) < 3 or len(shape) != len(kernel):
        raise ShapeError(
            f"{name}: expected an input (batch, *sizes, channels) and a kernel with as many sizes and two axes of "
            f"channels behind them, received {shape} and {kernel}."
        )
    if 0 in kernel[:-2]:
        raise ShapeError(f"{name}: a kernel has at least one tap on each axis, received the kernel {kernel}.")
    return shape[1:-1], kernel[:-2]


def window_axes(
    name: str,
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: Sizes,
    padding: Padding,
    dilation: Sizes,
) -> Axes:
    """The axes of a convolution, by Keras' padding rule; raises the errors of `conv` in the name of `name`."""
    rank = len(sizes)
    steps, gaps = per_axis(name, "strides", strides, rank), per_axis(name, "dilation", dilation, rank)
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, gaps, strict=True)]
    outputs = [-(-n // s) for n, s in zip(sizes, steps, strict=True)]
    if padding == "same":
        totals = [max(0, (o - 1) * s + k - n) for o, s, k, n in zip(outputs, steps, spans, sizes, strict=True)]
        before = [total // 2 for total in totals]
    elif padding == "causal" and rank == 1:
        before = [spans[0] - 1]
    else:
        pairs = [(0, 0)] * rank if padding == "valid" else _pairs(name, padding, rank)
        before = [first for first, _ in pairs]
        padded = [n + sum(pair) for n, pair in zip(sizes, pairs, strict=True)]
        for n, k in zip(padded, spans, strict=True):
            if n < k:
                raise AxisSizeError(
                    f"{name}: the kernel {tuple(kernel)}, which spans {tuple(spans)} with its dilation, is larger than "
                    f"the padded input {tuple(padded)}. Use padding='same', a smaller kernel or a larger input.",
                    n,
                    least=k,
                )
        outputs = [(n - k) // s + 1 for n, k, s in zip(padded, spans, steps, strict=True)]
    columns = zip(sizes, outputs, kernel, steps, gaps, before, strict=True)
    return tuple(Axis(*column) for column in columns)


def per_axis(name: str, argument: str, value: Any, rank: int, least: int = 1) -> tuple[int, ...]:
    """An integer of at least `least`, or one for each of `rank` axes, as a tuple."""
    values = tuple(value) if isinstance(value, tuple | list) else (value,) * rank
    if len(values) != rank or not all(map(is_integer, values)):
        raise DtypeError(f"{name}: {argument} must be an integer or {rank} integers, received {value!r:.40}.")
    if any(v < least for v in values):
        raise ValueRangeError(f"{name}: {argument} must be at least {least}, received {value!r:.40}.")
    return tuple(int(v) for v in values)


def _pairs(name: str, padding: Any, rank: int) -> list[tuple[int, int]]:
    if isinstance(padding, str):
        known = ["valid", "same"] + ["causal"] * (rank == 1)
        raise ValueRangeError(f"{name}: padding must be one of {known} for {rank} axes, received {padding!r}.")
    pairs = [tuple(pair) if isinstance(pair, tuple | list) else () for pair in padding]
    if len(pairs) != rank or any(len(p) != 2 or min(p) < 0 for p in pairs):
        raise ValueRangeError(
            f"{name}: padding must be a name or {rank} pairs (before, after) of sizes from 0 on, received "
            f"{padding!r:.60}."
        )
    return [(int(before), int(after)) for before, after in pairs]


def transposed_axes(
    name: str,
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: Sizes,
    padding: str,
    dilation: Sizes,
    output_padding: Sizes | None,
) -> Axes:
    """The axes of the convolution whose transpose reads `sizes`, by Keras' rule for the sizes of its output."""
    rank = len(sizes)
    steps, gaps = per_axis(name, "strides", strides, rank), per_axis(name, "dilation", dilation, rank)
    extra = (None,) * rank if output_padding is None else per_axis(name, "output_padding", output_padding, rank, 0)
    one_of(name, "padding", padding, ("valid", "same"))
    axes = []
    for n, taps, stride, gap, more in zip(sizes, kernel, steps, gaps, extra, strict=True):
        if more is not None and more >= stride:
            raise ValueRangeError(
                f"{name}: output_padding must be below strides, received {output_padding} and strides {strides}."
            )
        span = (taps - 1) * gap + 1
        if padding == "valid":
            more = max(stride - span, 0) if more is None else more
            size, before = (n - 1) * stride + span + more, 0
        else:
            more = stride - span % 2 if more is None else more
            size = (n - 1) * stride + span % 2 + more
            before = max(0, (span - span % 2 - more) // 2)
        axes.append(Axis(size, n, taps, stride, gap, before))
    return tuple(axes)
