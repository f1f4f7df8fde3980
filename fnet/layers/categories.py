"""Categories as numbers: integers as vectors with an entry for each category."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from fnet import ops
from fnet.errors import ShapeError
from fnet.ops.promotion import astype, lift
from fnet.transforms.operand import beside

VECTORS = ("one_hot", "multi_hot", "count")
MODES = ("int", *VECTORS)
VectorMode = Literal["one_hot", "multi_hot", "count"]
Mode = Literal["int", "one_hot", "multi_hot", "count"]


def encoded(who: str, ids: Any, mode: str, depth: int, weights: Any = None) -> Any:
    """The integers themselves (``"int"``), or vectors of `depth` numbers, in which an integer outside leaves no trace.

    ids: (N, ..., T). ``"one_hot"``: (N, ..., T, depth), or (N, ..., depth) where T is 1. ``"multi_hot"``: a one for
    each category that is among the T, (N, ..., depth). ``"count"``: how often it is there, or the sum of its `weights`,
    shaped like the ids. Ids (N,) are one for each sample.
    """
    ids = lift(ids)
    if not ids.shape:
        raise ShapeError(f"{who}: expected an input (batch, ...), received a scalar. Add a batch axis: x[None].")
    if mode == "int":
        return ids
    ids = ids if ids.dtype.kind in "iu" else astype(ids, np.int64)
    if mode == "one_hot":
        return ops.one_hot(ops.squeeze(ids, -1) if ids.ndim > 1 and ids.shape[-1] == 1 else ids, depth)
    if weights is not None and weights.shape != ids.shape:
        raise ShapeError(f"{who}: expected count_weights shaped like the ids, {ids.shape}, received {weights.shape}.")
    ids = ops.expand_dims(ids, -1) if ids.ndim == 1 else ids
    *outer, last = ids.shape
    rows = math.prod(outer)
    begins = np.arange(rows, dtype=np.int64)[:, None] * depth
    flat = astype(ops.reshape(ids, (rows, last)), np.int64)
    inside = ops.logical_and(ops.greater_equal(flat, 0), ops.less(flat, depth))
    places = ops.where(inside, flat + beside(begins, flat), -1)
    given = beside(np.ones((rows, last), np.float32), flat) if weights is None else ops.reshape(weights, (rows, last))
    counts = ops.reshape(ops.bincount(places, given, rows * depth), (*outer, depth))
    return ops.minimum(counts, 1) if mode == "multi_hot" else counts
