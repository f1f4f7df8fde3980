"""The rows of the table: what is measured, and what fnet aims at."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """One row: `key` names its entry in each worker's table, `targets` maps a peer ("best": the fastest) to a ratio."""

    key: str
    title: str
    targets: dict[str, float] = field(default_factory=dict)


ROWS = (
    Row("step_small", "training step, MLP 16-16-1, batch 32, Adam", {"jax": 10, "torch": 15}),
    Row("step_small_read", "the same, its loss read after every step", {"jax": 10, "torch": 15}),
    Row("fit_small", "the same step inside fit", {"keras": 300, "keras_torch": 300}),
    Row("step_digits", "training step, MLP 784-300-100-10, batch 128, Adam", {"best": 1.5}),
    Row("infer_digits", "inference, MLP 784-300-100-10, batch 1", {"best": 1.3}),
)
PEERS = ("fnet", "jax", "torch", "torch_compile", "keras", "keras_torch")
