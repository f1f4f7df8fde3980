"""The layer that makes vectors of categories that are numbered already."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.arguments import one_of, positive_integer
from fnet.errors import StructureError, ValueRangeError
from fnet.layers.activation import nothing
from fnet.layers.categories import VECTORS, VectorMode, encoded
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.ops.promotion import astype, lift
from fnet.regularizers import RegularizerLike
from fnet.transforms.operand import is_known


@LAYERS.named()
@layer_constructor(several=True)
def CategoryEncoding(
    num_tokens: int,
    output_mode: VectorMode = "multi_hot",
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """Vectors of `num_tokens` numbers for integers from 0 to ``num_tokens - 1``.

    ``"one_hot"``: one vector for each integer, (N, ..., T) -> (N, ..., T, num_tokens), without the T if it is 1.
    ``"multi_hot"``: a one for each integer that is among T, (N, ..., T) -> (N, ..., num_tokens). ``"count"``: how often
    it is there; with a second input of the same shape, the sum of its weights. An input (N,) has one integer a sample.

    Raises `ValueRangeError` for an integer outside; under jit, where integers are not known in advance, it leaves no
    trace. Source: Keras ``CategoryEncoding``, whose ``count_weights=`` is the second input.

    >>> layer = CategoryEncoding(4, "count")
    >>> layer.apply({}, {}, np.array([[0, 1], [2, 2]]))[0].tolist()
    [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0]]
    """
    depth = positive_integer("CategoryEncoding", "num_tokens", num_tokens)
    mode = one_of("CategoryEncoding", "output_mode", output_mode, VECTORS)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        ids, *weights = x if isinstance(x, tuple) else (x,)
        if len(weights) > (mode == "count"):
            raise StructureError(
                f"CategoryEncoding: weights are for output_mode='count' and one input, received {len(weights) + 1} "
                f"inputs with {mode!r}."
            )
        ids = lift(ids)
        _check_inside(ids, depth)
        given = lift(weights[0]) if weights else None
        if given is not None and given.dtype.kind != "f":
            given = astype(given, np.float32)
        return encoded("CategoryEncoding", ids, mode, depth, given), state

    return nothing, apply


def _check_inside(ids: Any, depth: int) -> None:
    """Refuse what is known to be no category."""
    if is_known(ids) and ids.size and not (ids.min() >= 0 and ids.max() < depth):
        wrong = ids[~((ids >= 0) & (ids < depth))][0]
        raise ValueRangeError(
            f"CategoryEncoding: expected integers from 0 to {depth - 1}, received {wrong}. Give a larger num_tokens, "
            f"or number the categories by IntegerLookup."
        )
