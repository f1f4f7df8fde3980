"""The levels of precision: fnet's beside PyTorch's settings for float32 and its bfloat16, each with its error."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.measure import Result, measure
from bench.peer import Peer, started
from bench.problems import Transformer
from bench.problems import operations as kinds
from bench.protocol import UnavailableError
from bench.rows import Row

PEERS = {
    "fnet": "fnet highest",
    "fnet_medium": "fnet medium",
    "torch": "torch highest",
    "torch_medium": "torch medium",
    "torch_bfloat16": "torch bfloat16",
}
"""The titles of the peers, of which every one has a level."""
_OPERATIONS = {
    **{f"GEMM {n} x {n} x {n}": kinds.Gemm(n, n, n) for n in (512, 1024, 2048)},
    "GEMM 128 x 300 x 784": kinds.Gemm(128, 300, 784),
    "convolution 3x3, 32x32x64 to 64, batch 32": kinds.Convolution(32, 32, 64, 64, 3),
    "convolution 3x3, 16x16x128 to 128, batch 32": kinds.Convolution(32, 16, 128, 128, 3),
}
_TRAINED = {
    "LSTM(128), 100 steps of 64, batch 64": kinds.LSTM(64, 100, 64, 128),
    "causal attention, 16 x 64 tokens, 4 heads of 32": kinds.Attention(16, 64, 4, 32),
    "causal attention, 8 x 512 tokens, 8 heads of 64": kinds.Attention(8, 512, 8, 64),
}
ROWS = (
    *(Row(title, title, "forward", operation) for title, operation in (_OPERATIONS | _TRAINED).items()),
    *(Row(f"{title}, both", f"{title}, and gradients", "both", operation) for title, operation in _TRAINED.items()),
    Row("transformer", "training step, 2-block causal transformer, width 128, batch 16", "step", Transformer()),
)
Errors = dict[str, float]
"""The relative error of each peer."""


def measured_table(names: Sequence[str], threads: int, rounds: int, burst: float) -> str:
    """Measure every row with the levels of these libraries."""
    with started([peer for peer in PEERS if peer.split("_")[0] in names], threads) as (peers, _):
        figures = [(measure(row, peers, rounds, burst), _errors(row, peers)) for row in ROWS]
        return table(figures, [peer.name for peer in peers], threads)


def table(figures: Sequence[tuple[Result, Errors]], peers: Sequence[str], threads: int) -> str:
    """One line for each row: fnet's time at "highest", the others' as a multiple of it, and in brackets the error."""
    head = f"{threads} thread{'s' if threads > 1 else ''}, peer / fnet highest (relative error)"
    titles = [PEERS[peer] for peer in peers]
    titles[peers.index("fnet")] += ", us"
    lines = [f"| {head} | {' | '.join(titles)} |", f"|---|{'---:|' * len(peers)}"]
    for result, errors in figures:
        cells = [result.row.title, *(_cell(result, errors, peer) for peer in peers)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(result: Result, errors: Errors, peer: str) -> str:
    if not {"fnet", peer} <= set(result.seconds):
        return ""
    time = f"{result.median(peer) * 1e6:.1f}" if peer == "fnet" else f"{result.ratio(peer):.2f}"
    return f"{time} ({errors.get(peer, math.nan):.1e})"


def _errors(row: Row, peers: Sequence[Peer]) -> Errors:
    found: Errors = {}
    for peer in peers:
        try:
            found[peer.name] = peer.error(row.problem)
        except UnavailableError:
            continue
    return found
