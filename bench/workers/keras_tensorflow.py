"""Keras on TensorFlow: the peer `keras` with the backend chosen."""

from __future__ import annotations

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

from bench.workers.keras import losses as losses
from bench.workers.keras import start as start
from bench.workers.keras import workload as workload
