"""A table of vectors that also gives the score of each of its rows for a vector."""

from __future__ import annotations

from typing import Any

from fnet import initializers, ops
from fnet.arguments import flag, number, positive_integer
from fnet.constraints import ConstraintLike
from fnet.errors import ShapeError
from fnet.initializers import InitializerLike
from fnet.layers.checks import masked_input, one_shape, parameters
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.layers.embedding import looked_up
from fnet.masking import both, join_mask, unmasked
from fnet.ops.promotion import astype, lift
from fnet.random import fold_in
from fnet.regularizers import RegularizerLike
from fnet.spec import check_dtype

REVERSE = "reverse"
"""The key of the dict in which the layer gets vectors."""


@LAYERS.named()
@layer_constructor(masks="used", named=REVERSE, embeddings="embeddings")
def ReversibleEmbedding(
    input_dim: int,
    output_dim: int,
    tie_weights: bool = True,
    embeddings_initializer: InitializerLike = "uniform",
    mask_zero: bool = False,
    reverse_dtype: Any = None,
    logit_soft_cap: float | None = None,
    *,
    embeddings_regularizer: RegularizerLike = None,
    activity_regularizer: RegularizerLike = None,
    embeddings_constraint: ConstraintLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """``y = E[x]`` for integers x, and ``y = h E'`` for vectors h in a dict, ``{"reverse": h}``: one table, both ways.

    x: (N, ...) integers -> (N, ..., output_dim), as `Embedding` gives them. h: (N, ..., output_dim) ->
    (N, ..., input_dim), with no mask. Params: ``embeddings: (input_dim, output_dim)``, and without `tie_weights`
    ``reverse_embeddings: (output_dim, input_dim)`` in place of ``E'``. reverse_dtype: in which scores are computed.
    logit_soft_cap: c of ``c tanh(y / c)``, which keeps scores between -c and c.
    Source: O. Press and L. Wolf 2016 (Keras ``ReversibleEmbedding``, whose call has ``reverse=True``).

    >>> import numpy as np
    >>> from fnet import random
    >>> layer = ReversibleEmbedding(10, 4)
    >>> params, state = layer.init(random.key(0), (5,))
    >>> h, _ = layer.apply(params, state, np.array([[1, 2, 3, 0, 0]]))
    >>> layer.apply(params, state, {"reverse": h})[0].shape
    (1, 5, 10)
    """
    kind = "ReversibleEmbedding"
    rows, columns = positive_integer(kind, "input_dim", input_dim), positive_integer(kind, "output_dim", output_dim)
    make_table, tied = initializers.get(embeddings_initializer), flag(kind, "tie_weights", tie_weights)
    dtype_of_scores = None if reverse_dtype is None else check_dtype(reverse_dtype)
    cap = None if logit_soft_cap is None else number(kind, "logit_soft_cap", logit_soft_cap, "(0, inf]")
    shapes = {"embeddings": (rows, columns)} | ({} if tied else {"reverse_embeddings": (columns, rows)})

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        one_shape(kind, shape[REVERSE] if isinstance(shape, dict) and list(shape) == [REVERSE] else shape)
        return {name: make_table(fold_in(key, i), size, dtype) for i, (name, size) in enumerate(shapes.items())}, {}

    def scores(tables: tuple[Any, ...], h: Any) -> Any:
        h = lift(unmasked(h))
        if h.shape[-1:] != (columns,):
            raise ShapeError(f"{kind}: expected vectors (batch, ..., {columns}) for 'reverse', received {h.shape}.")
        table = ops.swapaxes(tables[0], 0, 1) if tied else tables[1]
        if dtype_of_scores is not None:
            h, table = astype(h, dtype_of_scores), astype(table, dtype_of_scores)
        y = ops.matmul(h, table)
        return y if cap is None else ops.tanh(y / cap) * cap

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        tables = parameters(kind, params, shapes)
        if isinstance(x, dict):
            return scores(tables, x[REVERSE]), state
        values, mask = masked_input(kind, x)
        y, ids = looked_up(kind, tables[0], values, rows)
        return join_mask(y, both(mask, ops.not_equal(ids, 0)) if mask_zero else mask), state

    return init, apply
