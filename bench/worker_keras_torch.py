"""Keras on PyTorch: the peer `keras` with the backend chosen."""

from __future__ import annotations

import os

os.environ["KERAS_BACKEND"] = "torch"

from bench.worker_keras import WORKLOADS as WORKLOADS
from bench.worker_keras import start as start
