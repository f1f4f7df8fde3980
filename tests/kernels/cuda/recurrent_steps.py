"""A step of a recurrent layer on a card, counted: the section of it in the document of machine code."""

from __future__ import annotations

from fnet.devices.cuda.walks import BYTES, MULTIPLIES, WAIT, Way, way
from fnet.kernels.cuda.runtime.limits import Limits

H200, A100, RTX_3090 = Limits(132, 227 << 10), Limits(108, 163 << 10), Limits(82, 99 << 10)
SAMPLES, STEPS, GATES, SIZE = 64, 50, 4, 4
GIGAHERTZ, FUSED, TERABYTES = 1.755, 128, 4.8  # of an H200: clock, multiply-adds of a multiprocessor, memory

HEAD = f"""
Recurrent layers: a step of LSTM on {SAMPLES} samples in float32, as `fnet.devices.cuda.walks` chooses and counts it for
an H200. A thread reads 12 times 16 bytes from shared memory for 128 multiply-adds: 0.38 numbers for each. A warp takes
4 clocks for such a read, so that {MULTIPLIES} of {FUSED} multiply-adds a clock are left. {BYTES} bytes a clock come
from the L2 cache to each multiprocessor, beside the multiply-adds but for those of a first chunk. {WAIT} clocks pass
until the others have seen what a block wrote, or a launch has begun. Gates and barriers of a block are not counted. The
limit is that of all multiply-adds of the card, or of the bytes of its memory: what enters the gates, states, and what
is saved. Samples, units, shared memory, multiply-adds and bytes fetched are those of a block.

| units | walk | way | blocks | samples, units | shared KB | multiply-adds | bytes fetched | clocks | us | limit |
|---|---|---|---|---|---|---|---|---|---|---|
"""

TAIL = """
| most units in one block, 64 samples | LSTM | GRU | SimpleRNN | most units of several blocks | LSTM | GRU | SimpleRNN |
|---|---|---|---|---|---|---|---|
"""


def section() -> str:
    """What a step takes, and which sizes go which way."""
    cards = [("H200", H200), ("A100", A100), ("RTX 3090", RTX_3090)]
    return HEAD + "\n".join(steps()) + "\n" + TAIL + "\n".join(_limits(*card) for card in cards) + "\n"


def steps() -> list[str]:
    """A line for each size, forward and back."""
    return [_line(units, back) for units in (64, 128, 512, 1024) for back in (False, True)]


def name_of(found: Way) -> str:
    """What a way is called."""
    return "several blocks" if found.is_together else "one block" if found.is_at_once else "a launch a step"


def _line(units: int, back: bool) -> str:
    found = way(SAMPLES, STEPS, units, GATES, SIZE, H200, back=back)
    multiplied = found.group * found.columns * found.depth
    vectors, weights = 0 if found.keeps_vectors else found.group, 0 if found.keeps_weights else found.columns
    products = SAMPLES * GATES * units * units / (H200.together * FUSED) / GIGAHERTZ / 1000
    memory = SAMPLES * units * SIZE * (GATES + 1 + GATES + 2) / TERABYTES / 1e6
    cells = [
        units, "back" if back else "forward", name_of(found), found.parts * found.groups,
        f"{found.group}, {found.own}", found.shared_bytes >> 10, multiplied,
        (vectors + weights) * found.depth * SIZE, round(found.clocks), f"{found.clocks / GIGAHERTZ / 1000:.1f}",
        f"{max(products, memory):.1f}",
    ]  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def _limits(name: str, limits: Limits) -> str:
    """Up to how many units a walk forward and back go these ways."""

    def most(kind: str, gates: int) -> int:
        sizes = range(8, 2049, 8)
        both = [
            {name_of(way(SAMPLES, STEPS, n, gates, SIZE, limits, back=back)) for back in (False, True)} for n in sizes
        ]
        return max((n for n, found in zip(sizes, both, strict=True) if kind in found), default=0)

    one, several = ([most(kind, gates) for gates in (4, 3, 1)] for kind in ("one block", "several blocks"))
    return f"| {name} | {' | '.join(map(str, one))} | | {' | '.join(map(str, several))} |"
