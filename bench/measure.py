"""Timing in alternation: round by round every peer runs one burst, so that what slows the machine slows them all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.peer import Peer
from bench.protocol import UnavailableError
from bench.rows import Row

PAUSE = 0.03  # seconds between bursts: the last peer's threads stop spinning
WARM_UP = 32  # steps before the first timing: first calls compile, and some libraries compile anew after a few
WARM_UP_BURSTS = 5  # after so much time the warm-up ends: a large step compiles once


@dataclass(frozen=True)
class Result:
    """Seconds a step of each peer, one figure a round, and why the others are absent."""

    row: Row
    seconds: dict[str, list[float]]
    absent: dict[str, str]

    def median(self, peer: str) -> float:
        """The median burst of a peer."""
        return statistics.median(self.seconds[peer])

    def ratio(self, peer: str) -> float:
        """How many times as long as fnet the peer takes: the median of the rounds' ratios."""
        return statistics.median(p / f for p, f in zip(self.seconds[peer], self.seconds["fnet"], strict=True))

    def best_peer(self) -> str | None:
        """The fastest peer, or None where fnet stands alone."""
        return min((p for p in self.seconds if p != "fnet"), key=self.median, default=None)


def measure(row: Row, peers: Sequence[Peer], rounds: int, burst: float) -> Result:
    """Time one row: `rounds` bursts of about `burst` seconds for each peer."""
    counts: dict[Peer, int] = {}
    absent: dict[str, str] = {}
    for peer in peers:
        try:
            peer.prepare(row)
            counts[peer] = _count(peer, burst)
        except UnavailableError as reason:
            absent[peer.name] = str(reason)
    seconds: dict[str, list[float]] = {peer.name: [] for peer in counts}
    order = list(counts)
    for _ in range(rounds):
        for peer in order:
            time.sleep(PAUSE)
            seconds[peer.name].append(peer.burst(counts[peer]))
        order.reverse()
    return Result(row, seconds, absent)


def _count(peer: Peer, burst: float) -> int:
    """Steps that take about `burst` seconds, after a warm-up; the best of three, as one may still meet a compiler."""
    steps, end = 0, time.perf_counter() + WARM_UP_BURSTS * burst
    while steps < WARM_UP and time.perf_counter() < end:
        peer.burst(1)
        steps += 1
    count = 1
    while (step := min(peer.burst(count) for _ in range(3))) * count < burst / 2:
        count = min(max(int(burst / step), 2 * count), 20 * count)
    return max(1, round(burst / step))
