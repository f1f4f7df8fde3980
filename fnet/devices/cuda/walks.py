"""Which way a recurrent layer walks over its steps on a card; `fnet.kernels.cuda.recurrent_walk` says which there are.

Of the ways that the card has room for, the one with the fewest clocks for a step is taken, where those are counted as
the multiply-adds of a multiprocessor, the bytes that it fetches from the cache, and a wait of blocks for each other, or
the beginning of a launch:

    samples columns depth / MULTIPLIES + bytes / BYTES + WAIT

Blocks do not wait for each other on cards that cannot begin them together, and for a single step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fnet.devices.cuda.grids import WARP
from fnet.kernels.cuda.recurrent_product import COLUMNS, DEEP, SAMPLES, SPACE, THREADS
from fnet.kernels.cuda.runtime.limits import Limits

MULTIPLIES = 85  # a clock of a multiprocessor: of its 128, what the reads of shared memory leave in float32
EACH = 0.5  # a clock of a thread, at most
BYTES = 24  # a clock, from the cache of the card to each of its multiprocessors while all fetch
WAIT = 3000  # clocks from the last write of a step to the first read of the next one, across blocks or launches
MOST_SAMPLES = 64  # of a tile
CHUNK = 64  # the depth of a chunk, at least, where a block keeps its weights; and where it fetches them
TILES = (64, 32, 16)  # columns of a block that keeps no weights


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
        weights = (self.depth if self.keeps_weights else self.chunk) * self.columns
        vectors, sums = self.samples * (self.chunk + SPACE), self.slices * self.samples * self.columns
        return self.itemsize * (weights + vectors + sums)

    @property
    def clocks(self) -> float:
        """For a step of a block."""
        multiplied = self.group * self.columns * self.depth / min(MULTIPLIES, EACH * self.block)
        vectors, weights = 0 if self.keeps_vectors else self.group, 0 if self.keeps_weights else self.columns
        fetched = (vectors + weights) * self.depth * self.itemsize / BYTES
        return multiplied + fetched + (0 if self.keeps_vectors else WAIT)

    @property
    def numbers(self) -> dict[str, int]:
        """What kernels are told of it."""
        names = "parts own columns group samples depth chunk slices keeps_weights keeps_vectors"
        return {name: int(getattr(self, name)) for name in names.split()}


def way(n: int, steps: int, units: int, gates: int, itemsize: int, limits: Limits, *, back: bool) -> Way:
    """The way of a walk, forward or back, over so many samples and steps; all are at least 1."""
    found = ways(n, steps, units, gates, itemsize, limits, back=back)
    return min(found, key=lambda one: one.clocks * -(-one.parts * one.groups // limits.together))


def ways(n: int, steps: int, units: int, gates: int, itemsize: int, limits: Limits, *, back: bool) -> Iterator[Way]:
    """All ways that the card has room for."""
    layer = n, units, gates, itemsize, back
    yield from (one for one in _of_one_block(*layer) if one.shared_bytes <= limits.shared_bytes)
    if steps > 1:
        yield from _of_several_blocks(*layer, limits)
    yield from _of_steps(*layer)


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
        samples = min(_up(group, SAMPLES), MOST_SAMPLES)
        while samples >= SAMPLES and columns // COLUMNS * (samples // SAMPLES) <= THREADS:
            slices = _slices(columns, samples, depth)
            room = limits.shared_bytes // itemsize - slices * samples * columns - _up(depth, DEEP) * columns
            chunk = min(_up(depth, DEEP), (room // samples - SPACE) // DEEP * DEEP)
            if chunk >= min(CHUNK, _up(depth, DEEP)):
                chunk = _up(-(-depth // -(-depth // chunk)), DEEP)  # chunks that are all as deep
                made = Way(
                    parts, -(-n // group), own, columns, group, samples, _up(depth, chunk), chunk, slices, True, False,
                    itemsize,
                )  # fmt: skip
                yield made
                break
            samples = samples // 2 // SAMPLES * SAMPLES


def _of_steps(n: int, units: int, gates: int, itemsize: int, back: bool) -> Iterator[Way]:
    """A launch for each step, whose blocks have a tile of samples and units."""
    depth = _depth(units, gates, back)
    for wide in TILES:
        own = min(units, max(1, wide // (1 if back else gates)))
        columns = _columns(own, gates, back)
        for most in (64, 32, 16, 8, 4):
            samples = min(most, _up(n, SAMPLES))
            chunk = min(CHUNK, _up(depth, DEEP))
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


def _slices(columns: int, samples: int, depth: int) -> int:
    """In how many slices a product is summed: for threads that have no other part of it."""
    return max(1, min(THREADS // (columns // COLUMNS * (samples // SAMPLES)), -(-depth // 4)))


def _up(number: int, step: int) -> int:
    """The least multiple of a step that is not below a number."""
    return -(-number // step) * step
