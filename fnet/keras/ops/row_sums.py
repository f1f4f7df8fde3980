"""Sums of rows by the row of the result where each belongs."""

from __future__ import annotations

from typing import Any

from fnet.ops.index import scatter_add
from fnet.transforms.linear_maps import part
from fnet.transforms.operand import beside


def sums_of_rows(rows: Any, places: Any, count: int) -> Any:
    """``y[k]``, the sum of the rows whose place is k, in their order: rows (N, ...), places (N,) -> (count, ...).

    The place `count` is for rows that are left out; no place is beyond it. Their derivative is 0.
    """
    sums = scatter_add(rows, beside(places, rows), shape=(count + 1, *rows.shape[1:]), axis=0)
    return part(sums, 0, count, 0)
