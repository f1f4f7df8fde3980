"""fnet at the precision level "medium"."""

from __future__ import annotations

import fnet
from bench.workers.fnet import losses as losses
from bench.workers.fnet import results as results
from bench.workers.fnet import start as start_fnet
from bench.workers.fnet import timed as timed
from bench.workers.fnet import workload as workload


def start(threads: int) -> str:
    """Set the level; returns what this peer is."""
    fnet.precision("medium")
    return f"{start_fnet(threads)}, precision medium"
