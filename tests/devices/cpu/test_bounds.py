"""What kernels touch: nothing around operands, results and scratch memory, and no scratch that was not written."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import fnet
from fnet.compile.emit import Ref
from fnet.compile.recording import Layout, record
from fnet.device import cpu
from tests.ops.drawn import KINDS, Drawn

GUARD = 256
NAN, MARK = 0xFF, 0x5A


class Memory:
    """A flat array inside of a larger one, which is full of bytes of one value."""

    def __init__(self, count: int, dtype: Any, around: int, shift: int = 0) -> None:
        self.around, self.begin = around, GUARD + shift * np.dtype(dtype).itemsize
        self.end = self.begin + count * np.dtype(dtype).itemsize
        self.bytes = np.full(self.end + GUARD, around, np.uint8)
        self.array = self.bytes[self.begin : self.end].view(dtype)
        self.array.view(np.uint8)[...] = NAN

    def is_whole(self) -> bool:
        """Whether nothing was written around the array."""
        return bool(np.all(self.bytes[: self.begin] == self.around) and np.all(self.bytes[self.end :] == self.around))


def guarded(primitive: Any, arrays: Sequence[np.ndarray], params: dict[str, Any]) -> list[np.ndarray]:
    """The results of a primitive whose operands lie among NaN; scratch memory and results are NaN before."""
    by_rows = [x.flags.c_contiguous or not x.flags.f_contiguous for x in arrays]
    layouts = [Layout(x.shape, x.dtype, rows) for x, rows in zip(arrays, by_rows, strict=True)]
    flat = [np.array(x if rows else x.T, order="C").reshape(-1) for x, rows in zip(arrays, by_rows, strict=True)]
    recording, results = record(primitive, cpu(), layouts, params)
    shift = itertools.count(1)
    given = [Memory(x.size, x.dtype, NAN, next(shift) % 4) for x in arrays]
    made = [Memory(int(np.prod(y.shape)), y.dtype, MARK) for y in results]
    extra = [
        Memory(x[0], x[1], MARK) if isinstance(x, tuple) else Memory(x.size, x.dtype, NAN) for x in recording.extra
    ]
    constants = [(memory, x) for memory, x in zip(extra, recording.extra, strict=True) if isinstance(x, np.ndarray)]
    read = [*zip(given, flat, strict=True), *constants]
    for memory, values in read:
        memory.array[...] = values
    blocks = [*given, *made, *extra]
    for kernel, args in recording.calls:
        kernel(*(_window(blocks, x) if isinstance(x, Ref) else x for x in args))
    assert all(memory.is_whole() for memory in blocks), f"{primitive.name} writes beyond its memory"
    for memory, values in read:
        np.testing.assert_array_equal(memory.array, values, f"{primitive.name} writes what it reads")
    return [memory.array.reshape(y.shape) for memory, y in zip(made, results, strict=True)]


def _window(blocks: list[Memory], ref: Ref) -> np.ndarray:
    return blocks[ref.buffer].array[ref.offset : ref.offset + ref.extent]


def check(drawn: Drawn, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The value and the gradients are those of ordinary calls, to the bit."""
    arrays = drawn.operands(rng, drawn.shapes, rng.choice(["float32", "float64"], p=[0.8, 0.2]))
    floating = len(arrays) - drawn.masked

    def computed() -> list[np.ndarray]:
        value, pull = fnet.vjp(lambda *floats: drawn.function(*floats, *arrays[floating:]), *arrays[:floating])
        return [value, *pull(np.ones_like(value))]

    wanted = computed()
    with monkeypatch.context() as patch:
        patch.setattr(cpu(), "compute", guarded)
        found = computed()
    for mine, plain in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(mine, plain)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__[1:])
def test_kernels_touch_only_what_they_are_given(kind, monkeypatch):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        check(kind(rng), rng, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__[1:])
def test_kernels_touch_only_what_they_are_given_of_many_sizes(kind, monkeypatch):
    for seed in range(100, 600):
        rng = np.random.default_rng(seed)
        check(kind(rng), rng, monkeypatch)


def test_the_guard_sees_a_kernel_that_goes_too_far(monkeypatch):
    """A softmax that is told of a row too many."""
    from fnet.compile.recording import Recording

    call = Recording.call
    monkeypatch.setattr(Recording, "call", lambda self, kernel, *args, **more: call(self, kernel, *args[:-2], 4, 5))
    monkeypatch.setattr(cpu(), "compute", guarded)
    with pytest.raises(AssertionError, match="softmax writes beyond its memory"):
        fnet.ops.softmax(np.ones((3, 5), np.float32))
