"""What training minimises beside the libraries' own: losses with gradients, CTC, iterations of L-BFGS."""

from __future__ import annotations

from collections.abc import Sequence

from bench.measure import measure
from bench.peer import started
from bench.problems.objectives import LossGradient, Regression, Rosenbrock
from bench.problems.operations import CTC
from bench.report import absent_list, peers_table, summary_table
from bench.rows import Row

PEERS = ("fnet", "torch", "scipy")
_LOSSES = {
    "mse": "mean squared error",
    "binary": "binary cross-entropy of logits",
    "classes": "cross-entropy of labels",
}

ROWS = (
    *(
        Row(f"{loss}_{rows}", f"{title}, {rows} x 10, with its gradient", "both", LossGradient(loss, rows, 10))
        for loss, title in _LOSSES.items()
        for rows in (128, 65536)
    ),
    Row("ctc", "CTC, 100 steps, 29 classes, batch 16, with its gradient", "both", CTC(16, 100, 29, 20), {"best": 2}),
    Row("rosenbrock", "L-BFGS, an iteration on Rosenbrock in 50 dimensions", "both", Rosenbrock(50)),
    Row("regression", "L-BFGS, an iteration on an MLP 8-32-32-1, batch 256", "both", Regression(256, (8, 32, 32, 1))),
)


def tables(names: Sequence[str], threads: int, rounds: int, burst: float) -> str:
    """Every row beside the fastest peer, who is absent and why, and every peer."""
    with started([name for name in PEERS if name in names], threads) as (peers, absent):
        results = [measure(row, peers, rounds, burst) for row in ROWS]
    parts = (summary_table(results), absent_list(absent, results), peers_table(results))
    return "\n\n".join(part for part in parts if part)
