"""Checks for what users write: gradients against differences, layers against the contract, arrays for Hypothesis.

`fnet.testing.strategies` needs the package hypothesis and is imported on first use only.
"""

from __future__ import annotations

import importlib
from typing import Any

from fnet.testing.gradients import check_complex_step as check_complex_step
from fnet.testing.gradients import check_grads as check_grads
from fnet.testing.layers import check_layer as check_layer


def __getattr__(name: str) -> Any:
    if name == "strategies":
        return importlib.import_module("fnet.testing.strategies")
    raise AttributeError(f"module 'fnet.testing' has no attribute '{name}'")
