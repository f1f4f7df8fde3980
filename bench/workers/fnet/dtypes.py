"""The same numbers in another dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

import fnet


def floats_to(dtype: str, values: Any) -> Any:
    """A tree whose floating arrays have this dtype; the others are left as they are."""
    return fnet.tree.map(lambda a: a.astype(dtype) if np.issubdtype(a.dtype, np.floating) else a, values)
