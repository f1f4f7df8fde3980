"""Weights for tests that do not look at their values, made without any kernel: tests may have them at import."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet import eval_shape, random, tree
from fnet.networks.layer import Layer


def any_weights(net: Layer, shape: Any) -> tuple[Any, Any]:
    """Parameters and state as `net.init` makes them for inputs of `shape`, of random numbers in [0, 1), or of 0."""
    specs = eval_shape(lambda key: net.init(key, shape), random.key(0))

    def drawn(spec: Any) -> np.ndarray:
        return (
            np.random.default_rng(0)
            .random(spec.shape, np.float32)
            .astype(spec.dtype if spec.dtype.kind in "iu" else np.float32)
        )

    params, state = tree.map(drawn, specs)
    return params, state
