"""Integers looked up in a table of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet import initializers, ops
from fnet.errors import ValueRangeError
from fnet.layers.checks import entries, one_shape, positive_integer
from fnet.layers.constructor import Pair, constructor
from fnet.ops.promotion import astype, lift
from fnet.random import fold_in
from fnet.transforms.primitive import spec_of
from fnet.transforms.tracer import Tracer


@constructor(masks="used", embeddings="embeddings")
def Embedding(input_dim: int, output_dim: int, embeddings_initializer: Any = "uniform") -> Pair:
    """``y[..., :] = E[x[...]]``: row x of a table, for integers x from 0 to ``input_dim - 1``.

    x: (N, ...) of any integer type (floating numbers are truncated) -> (N, ..., output_dim).
    Params: ``embeddings: (input_dim, output_dim)``. The gradient of a row is the sum over all its uses, in the order
    of the batch. Raises `ValueRangeError` naming the first integer outside of the table and where it is; under jit,
    where integers are not known in advance, its row is NaN. Source: Keras ``Embedding``.

    >>> import numpy as np
    >>> from fnet import random
    >>> layer = Embedding(10, 4)
    >>> params, state = layer.init(random.key(0), (5,))
    >>> layer.apply(params, state, np.array([[1, 2, 3, 0, 0]]))[0].shape
    (1, 5, 4)
    """
    rows = positive_integer("Embedding", "input_dim", input_dim)
    columns = positive_integer("Embedding", "output_dim", output_dim)
    make_table = initializers.get(embeddings_initializer)

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        one_shape("Embedding", shape)
        return {"embeddings": make_table(fold_in(key, 0), (rows, columns), dtype)}, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        (table,) = entries("Embedding", params, "embeddings")
        return ops.take(table, _positions(lift(x), spec_of(table).shape[0])), state

    return init, apply


def _positions(x: Any, rows: int) -> Any:
    """`x` as positions in a table of so many rows; what lies outside is refused, or outside at the end if traced."""
    if spec_of(x).dtype.kind not in "iu":
        x = astype(x, np.int64)
    if isinstance(x, Tracer):
        return x if spec_of(x).dtype.kind == "u" else ops.where(ops.less(x, 0), rows, astype(x, np.int64))
    wrong = np.argwhere((x < 0) | (x >= rows))
    if wrong.size:
        place = tuple(wrong[0].tolist())
        raise ValueRangeError(
            f"Embedding: {x[place]} at position {place} is outside of the table of {rows} rows: expected 0 to "
            f"{rows - 1}. Check the input, or give a larger input_dim."
        )
    return x
