"""fnet without a library of matrix products: on a card, all that computes is its own."""

from __future__ import annotations

import os

os.environ["FNET_CUBLASLT"] = "0"

from bench.workers.fnet import losses as losses
from bench.workers.fnet import results as results
from bench.workers.fnet import start as start_fnet
from bench.workers.fnet import timed as timed
from bench.workers.fnet import workload as workload


def start(threads: int) -> str:
    """Returns what this peer is."""
    return f"{start_fnet(threads)}, without cuBLASLt"
