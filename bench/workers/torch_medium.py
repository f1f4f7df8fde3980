"""PyTorch with the setting "medium" for products of float32, and what says the same of convolutions."""

from __future__ import annotations

import torch

from bench.workers.torch import losses as losses
from bench.workers.torch import results as results
from bench.workers.torch import start as start_torch
from bench.workers.torch import timed as timed
from bench.workers.torch import workload as workload


def start(threads: int) -> str:
    """Set the number of threads and the precision; returns what this peer is."""
    torch.set_float32_matmul_precision("medium")
    torch.backends.mkldnn.conv.fp32_precision = "bf16"
    return f"{start_torch(threads)}, precision medium"
