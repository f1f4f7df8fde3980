"""Machine code of all CUDA kernels, made with no card at hand: its figures, and the table of them in the documents.

``python -m tests.kernels.cuda.gate`` compiles everything in `tests.kernels.cuda.table` and writes the table;
``python -m tests.kernels.cuda.gate index copy.fill`` what begins so, and what the table does not have yet.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fnet.kernels.cuda.runtime.adapter import Compiled, compiled
from fnet.kernels.cuda.runtime.kernel import Kernel
from tests.kernels.cuda.recurrent_steps import section
from tests.kernels.cuda.table import ROWS, Row, kernel, typed

CAPABILITIES = ((9, 0), (8, 0))
PAGE = Path(__file__).parents[3] / "docs" / "cuda_kernels.md"

HEAD = """# CUDA kernels as machine code

Written by `python -m tests.kernels.cuda.gate`, with no card at hand: each kernel is compiled for each signature (`n` is
an int64 number, everything else the dtype of a flat array) and assembled for sm_90 and sm_80.
`tests/kernels/cuda/test_gate.py` compiles them again and holds them to the budgets of `tests/kernels/cuda/table.py`.
Nothing here was measured on a card.

- registers: of a thread, for sm_90 and sm_80; none is kept in memory for want of registers
- shared: bytes of a block in shared memory, 1024 of them the system's; stack: bytes of a thread in local memory
- fused: products and sums rounded once; float64: instructions that compute in float64
- wide: accesses of 16 bytes to global memory; shuffles: exchanges between lanes, and their votes
- occupancy: the share of the 2048 threads of an sm_90 multiprocessor for which it has registers and shared memory

Products of matrices, by counting what a block does for 16 k; bytes are those of operands that leave the caches once for
a block. Shared memory moves 128 bytes and tensor cores multiply 16 x 8 x 16 numbers a clock of an sm_90
multiprocessor, so that shared memory leaves the last share of that peak. `mma.sync` itself is said to reach 60 % of it.

| tile, arithmetic | products a byte | clocks of shared memory | of arithmetic | share |
|---|---|---|---|---|
| 16 x 16, float32 | 2 | 256 to read | 32 | 12 % |
| 64 x 64, float32 | 8 | 1024 to read | 512 | 50 % |
| 128 x 64, float32 | 11 | 1536 to read | 1024 | 67 % |
| 128 x 128, float32 | 16 | 2048 to read | 2048 | 100 % |
| 64 x 64, bfloat16 ("medium") | 8 | 96 to read, 32 to write | 32 | 25 % |
| 128 x 64, bfloat16 ("medium") | 11 | 128 to read, 48 to write | 64 | 36 % |
| 128 x 128, bfloat16 ("medium") | 16 | 192 to read, 64 to write | 128 | 50 % |
| 64 x 64, three times ("high") | 8 | 192 to read, 64 to write | 96 | 38 % |
| 128 x 64, three times ("high") | 11 | 256 to read, 96 to write | 192 | 55 % |
| 128 x 128, three times ("high") | 16 | 384 to read, 128 to write | 384 | 75 % |

An H200 needs 7 products a byte of its memory in float32, and 103 in bfloat16: the rest comes from the L2 cache, for
which blocks that run together share eight rows of tiles. Three products are one of the
result: at 60 % of 990 TFLOP/s that is 198, where float32 has 67.

Convolutions of `bench/card_rows.py` (batch 64, "same"): billions of products, forward as for the gradient of the
weights; of the input gradient before and since its residues have taps of their own; megabytes of the three arrays, each
once; microseconds that an H200 needs at least, of float32 arithmetic and of memory; tiles of the forward pass and of
the gradients of inputs and weights (with parts), before and now; and the share of the peak that tiles leave forward.

| convolution | products | input gradient | MB | µs | tiles before | now | forward share |
|---|---|---|---|---|---|---|---|
| 3x3, 56x56x64 to 64 | 7.4 | 7.4, 7.4 | 103 | 221, 21 | 64, 64, 64 (16) | narrow, narrow, 64 (12) | 50, 67 % |
| 1x1, 56x56x64 to 256: a product | 3.3 | 3.3, 3.3 | 257 | 98, 54 | 128, 64, 16 (4) | 128, 64, 64 (27) | 100, 100 % |
| 3x3/2, 56x56x128 to 128 | 7.4 | 29.6, 7.4 | 129 | 221, 27 | 128, 128, 64 (6) | 128, 128, 128 (12) | 100, 100 % |
| 3x3, 14x14x256 to 256 | 7.4 | 7.4, 7.4 | 28 | 221, 6 | 128, 128, 128 (4) | 128, 128, 128 (3) | 100, 100 % |
| 7x7/2, 224x224x3 to 64 | 7.6 | 30.2, 7.6 | 244 | 225, 51 | 64, 16, 16 (6) | narrow, narrow, 64 (36) | 50, 67 % |

All have far more products a byte than float32 needs of memory, so arithmetic is their bound. By tensor cores the
first and the last had half of a tile of 128 x 128 beyond their edge, and now have none: 25 % against 36 % of the peak
at "medium", 38 % against 55 % at "high".
{steps}
Attention of 4096 tokens in 16 heads of 64 columns, not causal, by counting: forward needs 2 products of 4096 x 4096 x
64 for each head, back 5; tiles compute 2 and 7, since queries and keys have blocks of their own and both compute scores
and slopes. Memory moves 67 MB forward and 218 MB back, 0.014 and 0.045 ms at 4.8 TB/s: arithmetic is what takes time.
A multiprocessor of sm_90 has 128 float32 products a clock, 16 powers of two, and what is said above. Clocks for 64
queries and 64 keys, and blocks of a multiprocessor by shared memory and by registers:

| arithmetic, pass | products | shared memory | exponentials | share | blocks |
|---|---|---|---|---|---|
| float32, forward | 4096 | 6144 at most | 640 | 67 to 86 % | 4, 3 |
| float32, dQ | 6144 | 13312 at most | 640 | 46 to 91 % | 3, 3 |
| float32, dK and dV | 8192 | 16384 at most | 640 | 50 to 93 % | 3, 2 |
| "high", forward | 768 | 1536 | 256 | 50 % | 4, 3 |
| "high", dQ | 1152 | 2688 | 256 | 43 % | 3, 3 |
| "high", dK and dV | 1536 | 3328 | 256 | 46 % | 3, 2 |
| "medium", forward | 256 | 768 | 256 | 33 % | 8, 3 |
| "medium", dQ | 384 | 1344 | 256 | 29 % | 7, 4 |
| "medium", dK and dV | 512 | 1664 | 256 | 31 % | 6, 2 |

"At most" counts 4 clocks for 16 bytes of each lane; lanes that read the same words may take fewer, and then products
and exponentials, which share their units, are the limit. At those shares of 67, 330 and 990 TFLOP/s forward takes 1.2
to 1.5 ms in float32, 0.42 at "high" and 0.21 at "medium". Loads of a tile are hidden by other blocks only: tiles have
one buffer. One query beside 4096 keys in 16 heads reads 34 MB, 0.007 ms: 352 blocks have 8 KB each on their way, which
is 21 KB a multiprocessor, where latencies of 0.7 us ask for 25 KB.

Launches say how much shared memory these kernels have, so the table does not. In KB, for 64 and for 128 columns:
forward 51 and 83 in float32, 54 and 68 at "high", 27 and 51 at "medium"; dQ, and dK and dV, 60 and 71 in float32, 63 to
94 at "high", 32 to 68 at "medium". None has more than 96, which all cards from capability 8.0 on have.

| kernel | signature | registers | shared | stack | fused | float64 | wide | shuffles | occupancy |
|---|---|---|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Figures:
    """What is counted in the machine code of a kernel."""

    registers: int
    shared: int
    stack: int
    spilled: int
    fused: int
    float64: int
    wide: int
    shuffles: int
    tensor: int = 0

    @classmethod
    def of(cls, code: Compiled) -> Figures:
        wide = len(re.findall(r"(?:ld|st)\.global\S*\.(?:v4\.[bfsu]32|v2\.[bfsu]64)", code.ptx))
        computing = [line for line in code.ptx.splitlines() if ".f64" in line and not re.search(_MOVES, line)]
        return cls(
            code.registers,
            code.shared,
            code.local,
            code.spilled,
            len(re.findall(r"\bfma\.", code.ptx)),
            len(computing),
            wide,
            len(re.findall(r"\b(?:shfl|vote)\.", code.ptx)),
            len(re.findall(r"\bmma\.sync\.", code.ptx)),
        )

    def occupancy(self, threads: int) -> int:
        """In per cent, for blocks of so many threads."""
        registers = -(-self.registers // 8) * 8 * threads
        blocks = min(65536 // registers, 2048 // threads, 32, 233472 // max(self.shared, 1))
        return round(100 * blocks * threads / 2048)


_MOVES = r"\b(?:ld|st|mov|reg|selp)\b|\.reg|\.param"


def figures(name: str, signature: str, capability: tuple[int, int]) -> Figures:
    return Figures.of(compiled(kernel(name), typed(signature), capability))


def faults(row: Row, signature: str, found: Figures) -> list[str]:
    """What is not as the table expects it."""
    checks = {
        f"{found.spilled} bytes for want of registers": found.spilled == 0,
        f"{found.stack} bytes of stack, allowed {row.stack}": found.stack <= row.stack,
        f"{found.registers} registers, allowed {row.registers}": found.registers <= row.registers,
        f"{found.float64} instructions in float64": row.float64 or "f8" in signature or not found.float64,
        "no access of 16 bytes": not row.vector or "?" in signature.split()[:1] or found.wide > 0,
        "no shuffles": not row.shuffles or found.shuffles > 0,
        "no products by tensor cores": row.tensor == (found.tensor > 0),
    }
    return [fault for fault, holds in checks.items() if not holds]


def lines(text: str) -> dict[tuple[str, str], str]:
    """The lines of the document, by kernel and signature."""
    found = re.finditer(r"^\| ([^|]+) \| `([^`]+)` \|.*$", text, re.MULTILINE)
    return {(line[1], line[2]): line[0] for line in found}


def page(known: dict[tuple[str, str], str], anew: Sequence[str]) -> str:
    """A line for each kernel and signature; known: lines that stay, but for those of names that begin as `anew` say."""
    made = []
    for name, row in ROWS.items():
        for signature in row.signatures:
            line = None if name.startswith(tuple(anew)) else known.get((name, signature))
            if line is None:
                new, old = (figures(name, signature, capability) for capability in CAPABILITIES)
                line = _line(name, signature, new, old, kernel(name))
            made.append(line)
    return HEAD.replace("{steps}", section()) + "\n".join(made) + "\n"


def _line(name: str, signature: str, new: Figures, old: Figures, of: Kernel) -> str:
    cells = [
        name, f"`{signature}`", f"{new.registers}, {old.registers}", new.shared, new.stack, new.fused, new.float64,
        new.wide, new.shuffles, f"{new.occupancy(of.threads or 256)} %",
    ]  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    PAGE.write_text(page(lines(PAGE.read_text(encoding="utf-8")), sys.argv[1:] or [""]), encoding="utf-8")
