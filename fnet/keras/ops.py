"""Operations for calls of layers of your own: those of `fnet.ops`, then NumPy's; they take weights, too."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet import ops


def __getattr__(name: str) -> Any:
    found = getattr(ops, name, None)
    return getattr(np, name) if found is None else found
