"""The text of folds in a CUDA kernel: accumulators, and how threads and blocks combine theirs."""

from __future__ import annotations

from fnet.compile.loops import Write, accumulator
from fnet.devices.cuda.loop_text import LANES, QUARTERS, TILE_ROWS, LoopText
from fnet.devices.expressions import first, folded, type_name

_SHUFFLED = {"f4": "np.float32", "f8": "np.float64", "i8": "np.int64", "u8": "np.int64"}  # others as np.int32


class FoldText(LoopText):
    """The lines of folds. What write k of a thread has folded is ``f{k}``."""

    def start(self) -> None:
        for k, w in self.folds:
            self.put(f"f{k} = {name_of(w)}({first(w)})")

    def fold(self, prefix: str) -> None:
        for k, w in self.folds:
            value = f"{name_of(w)}({prefix}_{k})"
            self.put(f"f{k} = {folded(w.fold or '', kind_of(w), f'f{k}', value)}")

    def shuffle(self) -> None:
        """Fold the lanes of a warp; each gets the whole."""
        for k, w in self.folds:
            for step in (16, 8, 4, 2, 1):
                other = f"{name_of(w)}(cuda.shfl_xor_sync(0xFFFFFFFF, {shuffled_of(w)}(f{k}), {step}))"
                self.put(f"f{k} = {folded(w.fold or '', kind_of(w), f'f{k}', other)}")

    def parts(self, count: str, place: str, begin: str, step: str) -> None:
        """Fold so many parts of an output, those that are a thread's, four of which are on their way at once.

        place: where a part is, with {} for its number.
        """
        self.put(f"r = {self.whole(begin)}")
        with self.block(f"while r < {count}:"):
            for j, q in enumerate(QUARTERS):
                self.put(f"i = {self.whole(f'r + {j} * {step}' if j else 'r')}")
                for k, w in self.folds:
                    value = f"part{k}[{self.whole(place.format('i'))}]"
                    self.put(f"{q}_{k} = {value} if i < {count} else {name_of(w)}({first(w)})")
            for q in QUARTERS:
                self.fold(q)
            self.put(f"r = {self.whole(f'r + {len(QUARTERS)} * {step}')}")

    def results(self, place: str, partial: bool = False) -> dict[int, str]:
        """Where the folds of an output belong: a part of it, or the whole."""
        part = self.whole(f"cuda.blockIdx.y * total + {place}")
        return {k: f"part{k}[{part}]" if partial else f"{target_of(k, w)}[{place}]" for k, w in self.folds}

    def finish(self, places: dict[int, str]) -> None:
        """Store what was folded."""
        for k, w in self.folds:
            value = f"f{k}" if places[k].startswith("part") else f"{type_name(w.dtype)}(f{k})"
            self.put(f"{places[k]} = {value}")

    def combine_tile(self, partial: bool) -> None:
        """Fold what the threads of a column have, and store it."""
        for k, w in self.folds:
            self.put(f"shared{k}[lane] = {shuffled_of(w)}(f{k})")
        self.put("cuda.syncthreads()")
        with self.block("if cuda.threadIdx.y == 0 and o < total:"):
            with self.block(f"for j in range(1, {TILE_ROWS}):"):
                for k, w in self.folds:
                    value = f"{name_of(w)}(shared{k}[j * {LANES} + cuda.threadIdx.x])"
                    self.put(f"f{k} = {folded(w.fold or '', kind_of(w), f'f{k}', value)}")
            self.finish(self.results("o", partial))

    def combine_block(self, places: dict[int, str]) -> None:
        """Fold what the threads of a block have, and store it."""
        self.shuffle()
        with self.block("if lane == 0:"):
            for k, w in self.folds:
                self.put(f"shared{k}[warp] = {shuffled_of(w)}(f{k})")
        self.put("cuda.syncthreads()")
        with self.block("if warp == 0:"):
            for k, w in self.folds:
                self.put(f"f{k} = {name_of(w)}({first(w)})")
            with self.block(f"if lane < cuda.blockDim.x // {LANES}:"):
                for k, w in self.folds:
                    self.put(f"f{k} = {name_of(w)}(shared{k}[lane])")
            self.shuffle()
        with self.block("if cuda.threadIdx.x == 0:"):
            self.finish(places)


def target_of(k: int, write: Write) -> str:
    """What holds the results of write k."""
    return f"y{k}" if write.overwrites is None else f"x{write.overwrites}"


def kind_of(write: Write) -> str:
    """The dtype in which a fold accumulates."""
    return accumulator(write).str[1:]


def name_of(write: Write) -> str:
    """The name of that dtype's type."""
    return type_name(kind_of(write))


def shuffled_of(write: Write) -> str:
    """The type in which lanes exchange what they have folded."""
    return _SHUFFLED.get(kind_of(write), "np.int32")
