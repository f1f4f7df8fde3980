"""Which way a recurrent layer walks over its steps on a card; `fnet.kernels.cuda.recurrent_walk` says which there are.

Of the ways that the card has room for, the one with the fewest clocks for a step is taken, where those are counted as
the multiply-adds of a multiprocessor, the bytes that it fetches from the cache, and a wait of blocks for each other, or
the beginning of a launch:

    samples columns depth / MULTIPLIES + bytes / BYTES + WAIT

Blocks do not wait for each other on cards that cannot begin them together, and for a single step.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

from fnet.devices.cuda.grids import WARP
from fnet.kernels.cuda.recurrent_product import AHEAD, COLUMNS, DEEP, SAMPLES, THREADS, vectors_size, weights_size
from fnet.kernels.cuda.runtime.limits import Limits

MULTIPLIES = 85  # a clock of a multiprocessor: of its 128, what the reads of shared memory leave in float32
EACH = 0.5  # a clock of a thread, at most
BYTES = 24  # a clock, from the cache of the card to each of its multiprocessors while all fetch
WAIT = 3000  # clocks from the last write of a step to the first read of the next one, across blocks or launches
TILE_SAMPLES = (64, 32, 16, 8, 4)
TILE_COLUMNS = (64, 32, 16)  # of a block that keeps no weights
CHUNK = 64  # the depth of its chunks, at most


@dataclass(frozen=True)
class Way:
    """How blocks share out the work of the steps; for the names see `fnet.kernels.cuda.recurrent_walk`.

    groups: how many groups of samples there are; itemsize: of a number.
    """

    parts: int
    groups: int
    own: int
    columns: int
    group: int
    samples: int
    depth: int
    chunk: int
    slices: int
    keeps_weights: bool
    keeps_vectors: bool
    itemsize: int

    @property
    def is_at_once(self) -> bool:
        """Whether all steps are one launch."""
        return self.keeps_weights

    @property
    def is_together(self) -> bool:
        """Whether blocks wait for each other."""
        return self.keeps_weights and self.parts > 1

    @property
    def grid(self) -> tuple[int, int]:
        return self.parts, self.groups

    @property
    def block(self) -> int:
        """The number of threads."""
        threads = self.columns // COLUMNS * (self.samples // SAMPLES) * self.slices
        return WARP * -(-threads // WARP)

    @property
    def shared_bytes(self) -> int:
        """The shared memory of a block: weights, vectors, sums."""
        weights = weights_size(self.depth if self.keeps_weights else self._buffers * self.chunk, self.columns)
        vectors = self._buffers * vectors_size(self.samples, self.chunk)
        return self.itemsize * (weights + vectors + self.slices * self.samples * self.columns)

    @property
    def _buffers(self) -> int:
        return 2 if self.chunk < self.depth else 1

    @property
    def clocks(self) -> float:
        """For a step of a block."""
        fours = self.chunk // 4
        rounds = -(-fours // self.slices) * self.slices / fours  # of the slices, of which some have fewer fours
        multiplied = self.group * self.columns * self.depth * rounds / min(MULTIPLIES, EACH * self.block)
        vectors = 0 if self.keeps_vectors else self.group * self.depth * self.itemsize / BYTES
        weights = 0 if self.keeps_weights else self.columns * self.depth * self.itemsize / BYTES
        if self._buffers == 2:
            vectors = max(0, vectors - multiplied) + vectors * self.chunk / self.depth  # the first chunk is waited for
        return multiplied + vectors + weights + (0 if self.keeps_vectors else WAIT)

    @property
    def numbers(self) -> dict[str, int]:
        """What kernels are told of it."""
        names = "parts own columns group samples depth chunk slices keeps_weights keeps_vectors"
        return {name: int(getattr(self, name)) for name in names.split()}


@functools.cache
def way(n: int, steps: int, units: int, gates: int, itemsize: int, limits: Limits, *, back: bool) -> Way:
    """The way of a walk, forward or back, over so many samples and steps; all are at least 1."""
    found = ways(n, steps, units, gates, itemsize, limits, back=back)
    return min(found, key=lambda one: one.clocks * -(-one.parts * one.groups // limits.together))


def ways(n: int, steps: int, units: int, gates: int, itemsize: int, limits: Limits, *, back: bool) -> Iterator[Way]:
    """All ways that the card has room for."""
    layer = n, units, gates, itemsize, back
    several = _of_several_blocks(*layer, limits) if steps > 1 else ()
    for one in (*_of_one_block(*layer), *several, *_of_steps(*layer)):
        if one.shared_bytes <= limits.shared_bytes:
            yield one


def _of_one_block(n: int, units: int, gates: int, itemsize: int, back: bool) -> Iterator[Way]:
    """Each block has all units of a few samples."""
    columns, depth = _columns(units, gates, back), _depth(units, gates, back)
    if columns <= COLUMNS * THREADS:
        deep, slices = _up(depth, DEEP), _slices(columns, SAMPLES, depth)
        while slices:
            yield Way(1, -(-n // SAMPLES), units, columns, SAMPLES, SAMPLES, deep, deep, slices, True, True, itemsize)
            slices //= 2  # which takes less shared memory


def _of_several_blocks(n: int, units: int, gates: int, itemsize: int, back: bool, limits: Limits) -> Iterator[Way]:
    """Blocks share out the units of a group of samples: one block for each multiprocessor, at most."""
    depth, seen = _depth(units, gates, back), set()
    for most in range(2, min(units, limits.together) + 1):
        own = -(-units // most)
        if own in seen:
            continue
        seen.add(own)
        parts, columns = -(-units // own), _columns(own, gates, back)
        group = _up(-(-n // min(-(-n // SAMPLES), limits.together // parts)), SAMPLES)
        for most in TILE_SAMPLES:
            made = _kept(parts, -(-n // group), own, columns, group, min(group, most), depth, itemsize)
            if columns // COLUMNS * (made.samples // SAMPLES) <= THREADS:
                yield made


def _kept(parts: int, groups: int, own: int, columns: int, group: int, samples: int, depth: int, itemsize: int) -> Way:
    """The way of blocks that keep their weights, for tiles of so many samples."""
    chunk = _chunk(columns, samples, depth)
    slices = _slices(columns, samples, chunk)
    return Way(parts, groups, own, columns, group, samples, _up(depth, chunk), chunk, slices, True, False, itemsize)


def _of_steps(n: int, units: int, gates: int, itemsize: int, back: bool) -> Iterator[Way]:
    """A launch for each step, whose blocks have a tile of samples and units."""
    depth = _depth(units, gates, back)
    for wide in TILE_COLUMNS:
        own = min(units, max(1, wide // (1 if back else gates)))
        columns = _columns(own, gates, back)
        for most in TILE_SAMPLES:
            samples = min(most, _up(n, SAMPLES))
            chunk = min(CHUNK, _chunk(columns, samples, depth))
            yield Way(
                -(-units // own), -(-n // samples), own, columns, samples, samples, _up(depth, chunk), chunk,
                _slices(columns, samples, chunk), False, False, itemsize,
            )  # fmt: skip


def _columns(own: int, gates: int, back: bool) -> int:
    """The columns of a product for so many units."""
    return _up(own if back else gates * own, COLUMNS)


def _depth(units: int, gates: int, back: bool) -> int:
    """The depth of a product."""
    return gates * units if back else units


def _chunk(columns: int, samples: int, depth: int) -> int:
    """The depth of a chunk: threads fetch as many fours of it ahead as they can."""
    tiles = columns // COLUMNS * (samples // SAMPLES)
    threads = tiles * max(1, THREADS // tiles)
    chunk = max(DEEP, 4 * AHEAD * threads // samples // DEEP * DEEP)
    return _up(-(-depth // -(-depth // chunk)), DEEP)  # chunks that are all as deep


def _slices(columns: int, samples: int, depth: int) -> int:
    """In how many slices a product is summed: for threads that have no other part of it."""
    return max(1, min(THREADS // (columns // COLUMNS * (samples // SAMPLES)), -(-depth // 4)))


def _up(number: int, step: int) -> int:
    """The least multiple of a step that is not below a number."""
    return -(-number // step) * step
