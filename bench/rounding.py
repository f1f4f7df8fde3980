"""What it costs that eager, walked and native code give the same bits: fnet beside itself with fast-math flags.

With the flags the compiler may turn quotients into products with reciprocals, take approximate roots, lose the signs of
zeros, and round a product and the sum behind it once wherever they meet.
"""

from __future__ import annotations

from bench.measure import measure
from bench.peer import started
from bench.problems.operations import AdamUpdate, BatchNorm, Elementwise
from bench.report import absent_list, peers_table
from bench.rows import Row, find
from bench.workers.fnet.operations import CHAINS

PEERS = ("fnet", "fnet_fast_math")
ROWS = (
    *(
        Row(f"{chain}, {n}", f"{chain}, {n}", "forward", Elementwise(chain, n))
        for chain in CHAINS
        for n in (2048, 262144)
    ),
    *(Row(f"{c}, both", f"{c}, 2048, and gradients", "both", Elementwise(c, 2048)) for c in CHAINS),
    Row("adam", "Adam, an update of 300 x 784", "forward", AdamUpdate(((300, 784),))),
    Row("batch_norm", "batch normalisation, 4096 x 64, and gradients", "both", BatchNorm(4096, 64)),
    *(find(key) for key in ("mlp", "digits", "cnn", "dense_lstm", "transformer")),
)


def tables(threads: int, rounds: int, burst: float) -> str:
    """Every row: the time of fnet, and that with the flags as a multiple of it."""
    with started(PEERS, threads) as (peers, absent):
        results = [measure(row, peers, rounds, burst) for row in ROWS]
    return "\n\n".join(part for part in (peers_table(results), absent_list(absent, results)) if part)


if __name__ == "__main__":
    print(tables(2, 9, 0.05))
