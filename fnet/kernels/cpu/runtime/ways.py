"""The ways in which this processor can multiply matrices of float32, and which of them a level of precision takes.

| way | products | relative error | needs |
|---|---|---|---|
| ``"float32"`` | fused multiply-adds | 6e-8 | |
| ``"pairs"`` | of operands rounded to bfloat16, two in one instruction of vectors | 8e-3 | avx512_bf16 |
| ``"tiles"`` | the same in AMX tiles; "high": three, of operands split in two bfloat16 each | 8e-3; 5e-6 | amx_bf16 |

A level takes the fastest way that it permits, and what a level permits the ones below it do, too: no level is slower
than the one above it. How fast the ways are is measured on registers when a level first asks, which takes some
milliseconds, and is kept in the cache's folder.
"""

from __future__ import annotations

import contextlib
import functools
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir

from fnet.errors import ValueRangeError
from fnet.kernels.compiler.cache_folder import cache_directory, keep, kept
from fnet.kernels.cpu.vector import amx
from fnet.kernels.cpu.vector.simd import HAS_BFLOAT16, VECTOR_BYTES, Loop, Vectors, at, lanes, vector_code
from fnet.kernels.policy import kernel

WAYS = ("float32", "pairs", "tiles")
PERMITTED = {
    "highest": ("float32",),
    "high": ("float32", "tiles"),
    "medium": ("float32", "tiles", "pairs"),
}
GAIN = 1.25  # how many times as fast as float32 another way must be: operands have to be rounded for it
FILLED = 0.25  # how much of what tiles multiply must be of use, as moving it to and from them takes time: an estimate
CHAINS = 12  # independent sums: more than the latency of a multiply-add times those that begin in a cycle
STEPS = 4000
RUNS = 20
SETS, CLOSE = 5, 1.05  # sets of runs after the first one, at most, until one is hardly faster than those before

_selected: dict[str, str] = {}


def way(level: str, among: Sequence[str] = WAYS, share: float = 1.0) -> str:
    """How products of float32 are computed at this level of precision, by a kernel that has these ways.

    share: how much of what tiles multiply is of use, and not zeros up to whole tiles.

    >>> way("highest")
    'float32'
    """
    if _selected.get(level) in among:
        return _selected[level]
    candidates = [name for name in PERMITTED[level] if name in among and name in available()]
    return candidates[0] if len(candidates) == 1 else fastest(level, candidates, rates(), share)


def takes_pairs(level: str) -> bool:
    """Whether a kernel that has no tiles rounds its operands to pairs of bfloat16 at this level."""
    return level != "highest" and way(level, ("float32", "pairs")) == "pairs"


def takes_tiles(level: str, share: float = 1.0) -> bool:
    """Whether a kernel that has tiles, and multiplies so much of use in them, takes them at this level."""
    return level != "highest" and share >= FILLED and way(level, share=share) == "tiles"


def products_in_tiles(level: str) -> int:
    """How many products of bfloat16 make one of float32 in tiles at this level.

    >>> products_in_tiles("high"), products_in_tiles("medium")
    (3, 1)
    """
    return 1 if level == "medium" else 3


def available() -> tuple[str, ...]:
    """The ways that this processor has."""
    return ("float32", *(("pairs",) if HAS_BFLOAT16 else ()), *(("tiles",) if amx.permitted() else ()))


def fastest(level: str, candidates: Sequence[str], rates: Mapping[str, float], share: float = 1.0) -> str:
    """The fastest of the candidates, given how many multiply-adds each does in a second, tiles a share of use."""
    speed = {name: rates.get(name, 0.0) / (GAIN if name != "float32" else 1) for name in candidates}
    if "tiles" in speed:
        speed["tiles"] *= share / products_in_tiles(level)
    return max(candidates, key=lambda name: speed[name])


@contextlib.contextmanager
def selected(**levels: str) -> Iterator[None]:
    """Let levels take these ways within a ``with`` statement, whatever their speed; for tests and measurements.

    Raises `ValueRangeError` where the level does not permit the way or the processor does not have it. A function that
    `fnet.jit` compiled before keeps its way.
    """
    for level, name in levels.items():
        possible = [each for each in PERMITTED[level] if each in available()]
        if name not in possible:
            only = ", ".join(possible)
            raise ValueRangeError(f"precision {level!r} cannot take the way {name!r} here, only: {only}.")
    before = dict(_selected)
    _selected.update(levels)
    try:
        yield
    finally:
        _selected.clear()
        _selected.update(before)


# ----------------------------------------------------------------------------------------------- measurement


@functools.cache
def rates() -> dict[str, float]:
    """How many multiply-adds one core does in a second, for each of the ways; measured once, then read from a file."""
    directory = cache_directory()
    path = None if directory is None else directory / f"rates-{llvm.get_host_cpu_name()}.json"
    stored = None if path is None else kept(path)
    if stored is not None:
        found = json.loads(stored)
        if set(found) == set(available()):
            return found
    before = dict.fromkeys(available(), 0.0)
    found = _highest(before)
    for _ in range(SETS):
        if all(found[name] <= CLOSE * before[name] for name in found):
            break
        found, before = _highest(found), found
    if path is not None:
        keep(path, json.dumps(found).encode())
    return found


def _highest(found: Mapping[str, float]) -> dict[str, float]:
    """The rates in `found` or in a set of runs, whichever are higher: nothing else makes a processor look faster."""
    for _ in range(RUNS):  # in turn, so that what else the machine does hinders all of them
        found = {name: max(rate, _rate(name)) for name, rate in found.items()}
    return dict(found)


def _rate(name: str) -> float:
    """Multiply-adds a second in one run."""
    if name == "tiles":
        run, count = amx.multiply_add_tiles, amx.multiply_adds(STEPS)
        arguments: tuple[Any, ...] = (amx.configuration(), STEPS)
    else:
        sums = np.zeros(CHAINS * VECTOR_BYTES // 4, np.float32)
        words = sums.astype(np.uint32) if name == "pairs" else np.zeros_like(sums)
        run, count = _multiply_adds, STEPS * sums.size * (2 if name == "pairs" else 1)
        arguments = (words, sums, STEPS)
    run(*arguments)
    start = time.perf_counter()
    run(*arguments)
    return count / (time.perf_counter() - start)


def _write_chains(simd: Vectors, values: Sequence[ir.Value]) -> None:
    words, sums, count = values
    multiply_add = simd.multiply_add_pairs if isinstance(words.type.pointee, ir.IntType) else simd.multiply_add
    factor = simd.load(words)
    places = [simd.at(sums, number * simd.lanes) for number in range(CHAINS)]
    loop = Loop(simd.builder, count, [simd.load(place) for place in places])
    loop.close([multiply_add(factor, factor, total) for total in loop.values])
    for place, total in zip(places, loop.values, strict=True):
        simd.store(total, place)


def _chains_in_python(words: np.ndarray, sums: np.ndarray, count: int) -> None:
    sums += count * words[: lanes(words)].astype(sums.dtype)[0] ** 2


# `chains(words, sums, count)`: count multiply-adds in each of `CHAINS` vectors of sums.
_chains: Callable[..., Any] = vector_code(_write_chains, _chains_in_python)


@kernel
def _multiply_adds(words, sums, count):
    _chains(at(words, 0), at(sums, 0), count)
