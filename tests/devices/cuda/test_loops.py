"""Nests of loops as CUDA kernels, run by the checker: NumPy's results, in any way and however operands lie."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fnet.compile.emit import Ref
from fnet.compile.loops import Computation, LoopStep, Write, emit_computation, foldable
from fnet.compile.recording import Recording
from fnet.devices.cuda import loops
from fnet.devices.cuda.loop_text import BLOCK, THREAD, TILE, WARP
from fnet.kernels.cpu import scalars
from tests.devices.cuda.unloaded import Unloaded, aligned, copied

STEPS: list[tuple[str, Callable[..., Any], str]] = [  # template, its meaning, the dtypes that it is for
    ("{0} + {1}", lambda a, b: a + b, "f4 f8 i8 i4 u1"),
    ("{0} * {1}", lambda a, b: a * b, "f4 f8 i8"),
    ("{1} if {0} > 0 else -{1}", lambda a, b: np.where(a > 0, b, -b), "f4 f8 i8 i4"),
    ("maximum_{t}({0}, {1})", np.maximum, "f4 f8"),
    ("exp_{t}({0})", lambda a, b: np.array([scalars.exp_f32(v) for v in a.flat]).reshape(a.shape), "f4"),
    ("{0} or {1}", np.logical_or, "?"),
]
FOLDS: dict[str, Callable[..., np.ndarray]] = {"sum": np.sum, "prod": np.prod, "max": np.max, "min": np.min}


class Nest:
    """A drawn computation: over a shape, of operands that lie somehow, with results and what they should be."""

    def __init__(self, rng: np.random.Generator, most: int = 1500) -> None:
        self.rng = rng
        self.shape, self.folded = self._space(most)
        dtype = str(rng.choice(["f4", "f4", "f4", "f8", "i8", "i4", "u1", "?"]))
        self.arrays: list[np.ndarray] = []  # flat memory
        self.refs: list[Ref] = []
        values = []
        for _ in range(rng.integers(1, 4)):
            values.append(self._operand(dtype))
        self.steps: list[LoopStep] = []
        for _ in range(rng.integers(0, 4)):
            template, meaning, _ = self._choice([s for s in STEPS if dtype in s[2].split()])
            args = tuple(int(a) for a in rng.integers(0, len(values), 2))
            self.steps.append(LoopStep(template, args, dtype))
            with np.errstate(all="ignore"):
                values.append(np.asarray(meaning(*(values[a] for a in args)), dtype))
        self.writes: list[Write] = []
        self.targets: list[Ref] = []
        self.expected: list[np.ndarray] = []
        self.places: list[int] = []  # of the results among the arrays
        axes = tuple(sorted(self.folded))
        for number in range(rng.integers(1, 4)):
            value = int(rng.integers(0, len(values)))
            if axes and (number == 0 or rng.random() < 0.5):
                fold = str(self._choice(["max", "min"] if dtype == "?" else list(FOLDS)))
                with np.errstate(all="ignore"):
                    whole = FOLDS[fold](values[value].astype("f8" if dtype == "f4" else dtype), axis=axes)
                self._result(Write(value, dtype, fold), np.asarray(whole).astype(dtype))
            else:
                self._result(Write(value, dtype), values[value])
        if not axes and rng.random() < 0.3:
            self._overwrite(values, dtype)

    def _space(self, most: int) -> tuple[tuple[int, ...], frozenset[int]]:
        while True:
            ndim = int(self.rng.integers(0, 5))
            shape = tuple(int(self._choice([1, 2, 3, 4, 5, 8, 31, 32, 33, 36, 127, 128, 129])) for _ in range(ndim))
            folded = frozenset(int(a) for a in range(ndim) if self.rng.random() < 0.4)
            if math.prod(shape) <= most and foldable(shape, folded):
                return shape, folded

    def _operand(self, dtype: str) -> np.ndarray:
        """Row-major, along other axes first, with gaps, repeated, or not on a multiple of 16 bytes."""
        rng, shape = self.rng, self.shape
        order = list(range(len(shape)))
        how = self._choice(["rows", "rows", "rows", "turned", "gaps", "repeated", "shifted"])
        if how == "turned":
            rng.shuffle(order)
        gap = 2 if how == "gaps" else 1
        repeated = [how == "repeated" and rng.random() < 0.5 for _ in shape]
        strides, step = [0] * len(shape), gap
        for axis in reversed(order):
            if not repeated[axis]:
                strides[axis], step = step, step * shape[axis]
        first = 3 if how == "shifted" else 0
        extent = 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
        flat = copied(self._numbers(first + extent, dtype))
        self.refs.append(Ref(len(self.arrays), flat.dtype, shape, tuple(strides), first))
        self.arrays.append(flat)
        item = flat.itemsize
        return np.lib.stride_tricks.as_strided(flat[first:], shape, [s * item for s in strides]).copy()

    def _numbers(self, count: int, dtype: str) -> np.ndarray:
        if dtype == "?":
            return self.rng.random(count) < 0.5
        numbers = self.rng.normal(size=count) if dtype[0] == "f" else self.rng.integers(0, 9, count)
        return numbers.astype(dtype)

    def _result(self, write: Write, expected: np.ndarray) -> None:
        self.writes.append(write)
        self.expected.append(expected)
        self.places.append(len(self.arrays))
        self.targets.append(Ref.whole(len(self.arrays), expected.dtype, expected.shape))
        self.arrays.append(aligned(expected.shape, expected.dtype).reshape(-1))

    def _overwrite(self, values: list[np.ndarray], dtype: str) -> None:
        """A result in the place of an operand in row-major order, if there is one."""
        for k, ref in enumerate(self.refs):
            if ref.contiguous and ref.offset == 0:
                value = int(self.rng.integers(0, len(values)))
                self.writes.append(Write(value, dtype, None, k))
                self.expected.append(values[value])
                self.places.append(k)
                self.targets.append(ref)
                return

    def _choice(self, options: list[Any]) -> Any:
        return options[int(self.rng.integers(0, len(options)))]

    def run(self) -> list[np.ndarray]:
        device = Unloaded()
        recording = Recording(device, len(self.arrays))
        work = Computation(self.shape, self.folded, self.refs, self.steps, self.writes, self.targets)
        emit_computation(work, recording)
        device.run(recording, self.arrays)
        return [self.arrays[p].reshape(y.shape) for p, y in zip(self.places, self.expected, strict=True)]

    def check(self) -> None:
        for received, expected, write in zip(self.run(), self.expected, self.writes, strict=True):
            if write.fold in ("sum", "prod") and expected.dtype.kind == "f":
                rounding = 1e-5 if write.fold == "prod" else 2e-6
                size = np.abs(expected) + (1 if write.fold == "sum" else 0)
                assert np.all(np.abs(received - expected) <= rounding * size), (self.shape, self.folded, write)
            else:
                np.testing.assert_array_equal(received, expected, err_msg=f"{self.shape} {self.folded} {write}")


SMALL = {"SHORT": 4, "LONG": 64, "SHALLOW": 2, "MANY": 128, "PART": 16, "DEPTH": 4, "FEW_BLOCKS": 8}


@pytest.mark.parametrize("seed", range(40))
def test_drawn_nests(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    for name, value in SMALL.items() if seed % 2 else ():
        monkeypatch.setattr(loops, name, value)
    Nest(rng).check()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40, 400))
def test_many_drawn_nests(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    for name, value in SMALL.items() if seed % 2 else ():
        monkeypatch.setattr(loops, name, value)
    Nest(rng).check()


def folded(way: str, x: np.ndarray, axis: int, fold: str, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """A fold of a matrix along one axis, in a way of one's choice."""
    monkeypatch.setattr(loops, "_way", lambda length, columns, total: way if (columns > 1) == (way == TILE) else THREAD)
    target = tuple(n for a, n in enumerate(x.shape) if a != axis)
    y = aligned(target, x.dtype)
    device = Unloaded()
    recording = Recording(device, 2)
    writes, refs = [Write(0, x.dtype.str[1:], fold)], [Ref.whole(0, x.dtype, x.shape)]
    results = [Ref.whole(1, x.dtype, target)]
    emit_computation(Computation(x.shape, frozenset([axis]), refs, [], writes, results), recording)
    device.run(recording, [copied(x).reshape(-1), y.reshape(-1)])
    return y


LENGTHS = [2, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 257]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("way", "axis"), [(THREAD, 1), (WARP, 1), (BLOCK, 1), (TILE, 0)])
def test_every_way_at_every_edge(way, axis, length, monkeypatch):
    shape = (3, length) if axis else (length, 3)
    x = np.random.default_rng(length).normal(size=shape).astype(np.float32)
    received = folded(way, x, axis, "sum", monkeypatch)
    np.testing.assert_allclose(received, x.astype(np.float64).sum(axis), rtol=1e-6)


@pytest.mark.parametrize(("way", "axis"), [(THREAD, 1), (WARP, 1), (BLOCK, 1), (TILE, 0)])
def test_extremes_keep_nan_and_infinities(way, axis, monkeypatch):
    x = np.random.default_rng(0).normal(size=(6, 40)).astype(np.float32)
    x[0, 3], x[1, 39], x[2, 5], x[3] = np.nan, np.inf, -np.inf, -np.inf
    x = x if axis else np.ascontiguousarray(x.T)
    for fold, meant in (("max", np.max), ("min", np.min)):
        np.testing.assert_array_equal(folded(way, x, axis, fold, monkeypatch), meant(x, axis=axis))


@pytest.mark.parametrize(("way", "axis"), [(BLOCK, 1), (TILE, 0)])
def test_parts_make_the_whole(way, axis, monkeypatch):
    for name in ("PART", "DEPTH"):
        monkeypatch.setattr(loops, name, 8)
    x = np.random.default_rng(0).normal(size=(3, 70) if axis else (300, 2)).astype(np.float32)
    received = folded(way, x, axis, "sum", monkeypatch)  # a thread has several parts of a column
    np.testing.assert_allclose(received, x.astype(np.float64).sum(axis), rtol=1e-5)


def test_the_order_of_a_sum_does_not_depend_on_where_its_operand_lies(monkeypatch):
    monkeypatch.setattr(loops, "SHORT", 4)
    rng = np.random.default_rng(0)
    x = (rng.normal(size=200) * 10.0 ** rng.integers(-8, 8, 200)).astype(np.float64)
    sums = []
    for first in (0, 1):
        y, flat = aligned((1,), x.dtype), aligned((201,), x.dtype)
        flat[first : first + 200] = x
        device = Unloaded()
        recording = Recording(device, 2)
        source, target = Ref(0, x.dtype, (200,), (1,), first), Ref.whole(1, y.dtype, ())
        work = Computation((200,), frozenset([0]), [source], [], [Write(0, "f8", "sum")], [target])
        emit_computation(work, recording)
        device.run(recording, [flat, y])
        sums.append(float(y[0]))
    assert sums[0] == sums[1]


def test_places_beyond_32_bits_are_wide():
    def works(n: int) -> list[Any]:
        recording = Recording(Unloaded(), 2)
        source, target = (Ref.whole(k, np.dtype("f4"), (n,)) for k in (0, 1))
        emit_computation(Computation((n,), frozenset(), [source], [], [Write(0, "f4")], [target]), recording)
        return recording.calls

    texts = [inspect.getsource(works(n)[0][0].kernel.py_func) for n in (1 << 30, 1 << 31)]
    assert "uint32" in texts[0]
    assert "uint32" not in texts[1]
    assert "int64" in texts[1]
