"""The layer that puts numbers into bins, whose boundaries it learns from data or is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet import ops
from fnet.arguments import number, one_of, positive_integer, sequence
from fnet.data.quantiles import Summary, boundaries, joined, summarised
from fnet.errors import ShapeError, StructureError, ValueRangeError
from fnet.layers.categories import MODES, Mode, encoded
from fnet.layers.checks import entries
from fnet.layers.constructor import LAYERS, Learner, layer_constructor
from fnet.networks.learning import Learning
from fnet.ops.promotion import astype, lift
from fnet.regularizers import RegularizerLike


@LAYERS.named()
@layer_constructor()
def Discretization(
    bin_boundaries: Sequence[float] | None = None,
    num_bins: int | None = None,
    epsilon: float = 0.01,
    output_mode: Mode = "int",
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Learner:
    """The number of boundaries that are not above x: its bin, from 0 to their number.

    bin_boundaries: in rising order. num_bins: in their place, the number of bins that `fnet.adapt` finds, of about
    equally many of the data, by quantiles with an error of about `epsilon`; before it has, all is in bin 0. Few data
    give fewer bins. output_mode: the bins as integers, or as vectors, see `CategoryEncoding`.

    x: numbers of any shape -> int64 of this shape, or float32 vectors. State: ``bin_boundaries: (num_bins - 1,)``.
    Source: Keras ``Discretization``.

    >>> import fnet
    >>> layer = Discretization([0.0, 1.0, 2.0])
    >>> params, state = layer.init(fnet.random.key(0), (4,))
    >>> layer.apply(params, state, np.array([[-1.5, 1.0, 3.4, 0.5]]))[0].tolist()
    [[0, 2, 3, 1]]
    """
    if (bin_boundaries is None) == (num_bins is None):
        raise StructureError("Discretization: give bin_boundaries, or num_bins and learn them: fnet.adapt.")
    mode = one_of("Discretization", "output_mode", output_mode, MODES)
    error = number("Discretization", "epsilon", epsilon, "(0, 1)")
    told = np.full(positive_integer("Discretization", "num_bins", num_bins or 1) - 1, np.inf)
    if bin_boundaries is not None:
        told = np.array([number("Discretization", "bin_boundaries", b) for b in _items(bin_boundaries)])
        if (told[1:] < told[:-1]).any():
            raise ValueRangeError(f"Discretization: bin_boundaries rise, received {bin_boundaries!r:.60}. Sort them.")

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        return {}, {"bin_boundaries": told.astype(dtype)}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        (edges,) = map(lift, entries("Discretization", state, "bin_boundaries"))
        if len(edges.shape) != 1:
            raise ShapeError(
                f"Discretization: expected 'bin_boundaries' of shape (boundaries,), received {edges.shape}. Pass what "
                f"init of this network returned."
            )
        bins = ops.searchsorted(edges, astype(lift(x), edges.dtype), "right")
        return encoded("Discretization", bins, mode, edges.shape[0] + 1), state

    def update(summary: Summary, x: Any) -> Summary:
        return joined(summarised(np.asarray(x), error), summary, error)

    def finish(summary: Summary, state: Any) -> Any:
        assert num_bins is not None
        return {"bin_boundaries": boundaries(summary, num_bins).astype(state["bin_boundaries"].dtype)}

    learning = Learning(lambda: np.zeros((2, 0), np.float32), update, finish)
    return init, apply, None if num_bins is None else learning


def _items(given: Any) -> list[Any]:
    """The boundaries as Python numbers."""
    return [
        item.item() if isinstance(item, np.generic) else item
        for item in sequence("Discretization", "bin_boundaries", given)
    ]
