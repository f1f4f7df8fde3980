"""The text of a CUDA kernel for a nest of loops: its lines, its numbers, and where its operands are.

Outputs are folds of `length` elements; `columns` of them lie side by side in memory. The ways to divide the work:
each    nothing is folded; a thread takes four elements, then four others
thread  a thread folds all elements of an output
tile    a block folds 32 outputs side by side, several threads each, and combines these in shared memory
warp    a warp folds a row of neighbours, by shuffles
block   a block folds a row of neighbours, by shuffles and shared memory
segments  a block has a part of one of several arrays, each of which has numbers of its own; a table says which part
A block of the ways "block" and "tile" may fold a part of the elements. The kernel is then `partial`: a block stores
what it has accumulated, and the last one of those that fold parts of the same outputs folds the parts, in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from fnet.compile.loops import FOLDED, NEXT, SAME, STAYS, STRIDES, LoopNest

EACH, THREAD, TILE, WARP, BLOCK, SEGMENTS = "each", "thread", "tile", "warp", "block", "segments"
LANES, TILE_ROWS = 32, 8
QUARTERS = "abcd"  # prefixes of the names of four neighbours


@dataclass(frozen=True, slots=True)
class LoopKernel:
    """A nest and how a card runs it; wide: whether places need 64 bits."""

    nest: LoopNest
    way: str
    partial: bool = False
    wide: bool = False


class LoopText:
    """The lines of a kernel. Loops are numbered from the outermost; those `before` and `after` the folded are kept."""

    def __init__(self, loop: LoopKernel) -> None:
        self.loop, self.nest = loop, loop.nest
        kinds = self.nest.loops
        self.folds = [(k, w) for k, w in enumerate(self.nest.writes) if w.fold]
        start = kinds.find(FOLDED) if FOLDED in kinds else len(kinds)
        stop = kinds.rfind(FOLDED) + 1 if FOLDED in kinds else len(kinds)
        self.before, self.inner, self.after = range(start), range(start, stop), range(stop, len(kinds))
        self.integer = "np.int64" if loop.wide else "np.uint32"
        self.lines: list[str] = []
        self.depth = 1

    def strided(self) -> list[tuple[int, int]]:
        return [
            (k, d) for k, read in enumerate(self.nest.reads) for d, step in enumerate(read.steps) if step == STRIDES
        ]

    def moves(self, k: int, d: int) -> str:
        """How read k moves in loop d."""
        steps = self.nest.reads[k].steps
        return steps[d] if steps else STAYS

    def stays(self, k: int) -> bool:
        """Whether read k has one value for all that is folded together."""
        return all(self.moves(k, d) == STAYS for d in self.inner)

    def used(self, loops: Iterable[int]) -> set[int]:
        """The loops whose indices a read needs."""
        reads = [read for read in self.nest.reads if SAME not in read.steps]
        return {d for d in loops for read in reads if read.steps[d] != STAYS}

    def aligned(self, last: int) -> list[str]:
        """What must begin at multiples of 16 bytes for access to four elements at once along loop `last`."""
        names = [f"x{k}" for k, r in enumerate(self.nest.reads) if SAME in r.steps or self.moves(k, last) == NEXT]
        names += [f"y{k}" for k, w in enumerate(self.nest.writes) if w.fold is None and w.overwrites is None]
        return [f"is_aligned({name})" for name in names]

    def arrays(self) -> list[str]:
        """The operands that lie in the order of the loops, with an array for each segment."""
        reads = [f"x{k}" for k, read in enumerate(self.nest.reads) if SAME in read.steps]
        return reads + [f"y{k}" for k, w in enumerate(self.nest.writes) if w.fold is None and w.overwrites is None]

    def spot(self, name: str) -> str:
        """Where an operand in the order of the loops has its element number w, of a segment if there are some."""
        return self.whole(f"b{name} + w") if self.loop.way == SEGMENTS else "w"

    def even_row(self) -> list[str]:
        """When four neighbours of a row can be read and written at once."""
        last = self.inner[-1]
        found = self.aligned(last)
        whole = any(SAME in r.steps for r in self.nest.reads) or any(w.fold is None for w in self.nest.writes)
        if whole:
            found.append("z % 4 == 0")
        found += [f"p{k} % 4 == 0" for k, r in enumerate(self.nest.reads) if self.moves(k, last) == NEXT]
        return found

    def place(self, k: int, loops: Iterable[int]) -> str:
        """Where read k is, by the indices of these loops."""
        terms = [self.term(k, d, f"i{d}") for d in loops if self.moves(k, d) != STAYS]
        return self.whole(" + ".join(terms) or "0")

    def moved(self, k: int, loops: Sequence[int], index: str) -> str:
        """Where read k is in a row or column that begins at ``p{k}``, or in a nest without folds."""
        only = len(loops) == 1
        terms = [self.term(k, d, index if only else f"i{d}") for d in loops if self.moves(k, d) != STAYS]
        return self.whole(" + ".join(terms if self.loop.way == EACH else [f"p{k}", *terms]) or "0")

    def term(self, k: int, d: int, index: str) -> str:
        return index if self.moves(k, d) == NEXT else f"{index} * u{k}_{d}"

    def split(self, name: str, loops: Sequence[int], used: set[int]) -> None:
        """The indices of loops from one number for all of them, where reads use them."""
        wanted = [d for d in loops if d in used]
        if not wanted or (len(loops) == 1 and (self.loop.way == EACH or loops[0] in self.inner)):
            return
        rest = name
        for d in reversed(range(min(wanted), loops[-1] + 1)):
            outermost = d == loops[0]
            if d in used:
                self.put(f"i{d} = {rest if outermost else self.whole(f'{rest} % m{d}')}")
            if not outermost and d > min(wanted):
                self.put(f"t = {self.whole(f'{rest} // m{d}')}")
                rest = "t"

    def product(self, loops: Iterable[int]) -> str:
        sizes = [f"m{d}" for d in loops]
        return sizes[0] if len(sizes) == 1 else self.whole(" * ".join(sizes) or "1")

    # ------------------------------------------------------------------------------------------------ the text

    def whole(self, text: str) -> str:
        return f"{self.integer}({text})"

    def put(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """The lines behind a head are indented."""
        self.put(head)
        self.depth += 1
        yield
        self.depth -= 1
