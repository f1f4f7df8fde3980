"""Peak memory of training, in a fresh process for each row and peer."""

from __future__ import annotations

from collections.abc import Sequence

from bench.peer import Peer
from bench.problems import MLP
from bench.protocol import UnavailableError
from bench.rows import ROWS, Row

PEERS = ("fnet", "jax", "torch", "keras")
STEPS = 3
_LEAST = Row("least", "the least network there is", "step", MLP(1, (1, 1)))


def memory_table(names: Sequence[str], threads: int, keys: Sequence[str]) -> str:
    """MB that a row takes on top of the library with the least network, and in brackets the whole process."""
    names = [name for name in PEERS if name in names]
    lines = [f"| peak memory, MB (of the process) | {' | '.join(names)} |", f"|---|{'---:|' * len(names)}"]
    for row in ROWS:
        if row.do == "step" and row.key in keys:
            lines.append(f"| {row.title} | {' | '.join(_peak(name, threads, row) for name in names)} |")
    return "\n".join(lines)


def _peak(name: str, threads: int, row: Row) -> str:
    try:
        peer = Peer(name, threads)
    except UnavailableError:
        return ""
    try:
        peer.prepare(_LEAST)
        before, _ = peer.memory()
        peer.prepare(row)
        for _ in range(STEPS):
            peer.burst(1)
        _, peak = peer.memory()
    except UnavailableError:
        return ""
    finally:
        peer.close()
    return f"{(peak - before) / 1e6:.0f} ({peak / 1e6:.0f})"
