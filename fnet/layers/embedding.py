"""Integers looked up in a table of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet import initializers, ops
from fnet.arguments import positive_integer
from fnet.constraints import ConstraintLike
from fnet.errors import StructureError, ValueRangeError
from fnet.initializers import InitializerLike
from fnet.layers.checks import masked_input, one_shape, parameters
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.masking import both, join_mask
from fnet.ops.promotion import astype, lift
from fnet.random import fold_in
from fnet.regularizers import RegularizerLike
from fnet.transforms.operand import is_known


@LAYERS.named()
@layer_constructor(masks="used", embeddings="embeddings")
def Embedding(
    input_dim: int,
    output_dim: int,
    embeddings_initializer: InitializerLike = "uniform",
    mask_zero: bool = False,
    weights: Any = None,
    *,
    embeddings_regularizer: RegularizerLike = None,
    activity_regularizer: RegularizerLike = None,
    embeddings_constraint: ConstraintLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """``y[..., :] = E[x[...]]``: row x of a table, for integers x from 0 to ``input_dim - 1``.

    x: (N, ...) of any integer type (floating numbers are truncated) -> (N, ..., output_dim).
    Params: ``embeddings: (input_dim, output_dim)``, of the values of `weights`, an array, if that is given. The
    gradient of a row is the sum over all its uses, in the order of the batch. With `mask_zero` x is (N, T) and the
    output a `fnet.masking.Masked` in which steps with ``x = 0`` do not count; row 0 is one as any other.
    Raises `ValueRangeError` naming the first integer outside of the table and where it is; under jit, where integers
    are not known in advance, its row is NaN. Source: Keras ``Embedding``.

    >>> import numpy as np
    >>> from fnet import random
    >>> layer = Embedding(10, 4, mask_zero=True)
    >>> params, state = layer.init(random.key(0), (5,))
    >>> y, _ = layer.apply(params, state, np.array([[1, 2, 3, 0, 0]]))
    >>> y.shape, y.mask
    ((1, 5, 4), array([[ True,  True,  True, False, False]]))
    """
    rows = positive_integer("Embedding", "input_dim", input_dim)
    columns = positive_integer("Embedding", "output_dim", output_dim)
    make_table = initializers.get(embeddings_initializer if weights is None else _table(weights))

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        one_shape("Embedding", shape)
        return {"embeddings": make_table(fold_in(key, 0), (rows, columns), dtype)}, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        (table,) = parameters("Embedding", params, {"embeddings": (rows, columns)})
        values, mask = masked_input("Embedding", x)
        y, ids = looked_up("Embedding", table, values, rows)
        return join_mask(y, both(mask, ops.not_equal(ids, 0)) if mask_zero else mask), state

    return init, apply


def looked_up(kind: str, table: Any, values: Any, rows: int) -> tuple[Any, Any]:
    """The rows of a table that integers say, and the integers."""
    ids = _integers(lift(values))
    return ops.take(table, _positions(kind, ids, rows)), ids


def _table(weights: Any) -> np.ndarray:
    """The table given as `weights`: an array, or a list of one."""
    given = weights[0] if isinstance(weights, list | tuple) and len(weights) == 1 else weights
    if not isinstance(given, np.ndarray) or given.ndim != 2:
        kind = f"shape {given.shape}" if isinstance(given, np.ndarray) else type(given).__name__
        raise StructureError(f"Embedding: weights is an array (input_dim, output_dim), received {kind}.")
    return given


def _integers(x: Any) -> Any:
    return x if x.dtype.kind in "iu" else astype(x, np.int64)


def _positions(kind: str, x: Any, rows: int) -> Any:
    """`x` as positions in a table of so many rows; what lies outside is refused, or outside at the end if traced."""
    if not is_known(x):
        return x if x.dtype.kind == "u" else ops.where(ops.less(x, 0), rows, astype(x, np.int64))
    wrong = np.argwhere((x < 0) | (x >= rows))
    if wrong.size:
        place = tuple(wrong[0].tolist())
        raise ValueRangeError(
            f"{kind}: {x[place]} at position {place} is outside of the table of {rows} rows: expected 0 to "
            f"{rows - 1}. Check the input, or give a larger input_dim."
        )
    return x
