"""Layers that are random in training and do nothing in inference."""

from __future__ import annotations

from typing import Any

from fnet import ops
from fnet.layers.activation import nothing
from fnet.layers.checks import fraction, needed_key
from fnet.layers.constructor import Pair, constructor


@constructor(masks="kept")
def Dropout(rate: float) -> Pair:
    """In training, each element is 0 with probability `rate`, the fraction dropped, else divided by ``1 - rate``.

    A rate of 0 changes nothing, a rate of 1 gives zeros. Source: N. Srivastava et al. 2014 (Keras ``Dropout``).

    >>> import numpy as np
    >>> from fnet import random
    >>> y, _ = Dropout(0.5).apply({}, {}, np.ones((1, 4), "float32"), key=random.key(0), train=True)
    >>> set(y.ravel().tolist()) <= {0.0, 2.0}
    True
    """
    rate = fraction("Dropout", "rate", rate)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        if not train or rate == 0:
            return x, state
        return ops.dropout(x, needed_key("Dropout", key), rate), state

    return nothing, apply
