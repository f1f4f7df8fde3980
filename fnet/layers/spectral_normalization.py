"""A layer whose weights have the largest singular value 1 in training."""

from __future__ import annotations

from typing import Any

from fnet import ops
from fnet.arguments import positive_integer
from fnet.errors import StructureError
from fnet.layers.constructor import LAYERS, layer_constructor
from fnet.networks.combinators import serial
from fnet.networks.layer import Layer
from fnet.networks.members import check_layers
from fnet.random import fold_in, truncated_normal
from fnet.regularizers import RegularizerLike

_KERNELS = ("kernel", "embeddings")
_STDDEV = 0.02  # of the first vector


@LAYERS.named()
@layer_constructor(masks="used", several=True)
def SpectralNormalization(
    layer: Layer,
    power_iterations: int = 1,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Layer:
    """`layer` with the kernel ``W / sigma`` in training; ``sigma = v W u^T`` estimates its largest singular value.

    W is the ``kernel`` or ``embeddings`` of `layer` as a matrix (all other axes, outputs). `power_iterations` times
    ``v = u W^T / |u W^T|`` and ``u = v W / |v W|``; then no gradient goes through u and v, and u is the new state.
    A kernel of zeros stays as it is. Inference takes W itself and changes nothing, as in Keras on JAX; there the
    weights that are trained are those before the division, too.
    Inputs, outputs and masks are those of `layer`. Params: the entry of `layer`. State: that of `layer`, and
    ``vector_u: (1, outputs)``. Raises `StructureError` for a layer without such weights.
    Source: T. Miyato et al. 2018 (Keras ``SpectralNormalization``).

    >>> from fnet.layers import Dense
    >>> SpectralNormalization(Dense(3)).out_shape((4,))
    (3,)
    """
    check_layers("SpectralNormalization", (layer,))
    iterations = positive_integer("SpectralNormalization", "power_iterations", power_iterations)
    body = serial(layer)
    (entry,) = body.entries

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        params, state = body.init(key, shape, dtype)
        own = params.get(entry, {})
        weights = own[_leaf(layer, own)]
        return params, {**state, "vector_u": truncated_normal(fold_in(key, 1), (1, weights.shape[-1]), dtype) * _STDDEV}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        inner = {name: value for name, value in state.items() if name != "vector_u"}
        u = state["vector_u"]
        if train:
            own = params.get(entry, {})
            leaf = _leaf(layer, own)
            weights, u = _normalized(own[leaf], u, iterations)
            params = {**params, entry: {**own, leaf: weights}}
        y, inner = body.apply(params, inner, x, key=key, train=train)
        return y, {**inner, "vector_u": u}

    return Layer(init, apply, children=(layer,), entries=body.entries, masks="used", container=True)


def _leaf(layer: Layer, params: Any) -> str:
    """The name of the weights that are normalised."""
    found = next((name for name in _KERNELS if name in params), None)
    if found is None:
        raise StructureError(
            f"SpectralNormalization: {layer.kind} has neither a 'kernel' nor 'embeddings'. Wrap a Dense, a convolution "
            f"or an Embedding."
        )
    return found


def _normalized(weights: Any, u: Any, iterations: int) -> tuple[Any, Any]:
    """The weights over the estimate of their largest singular value, and the vector of the next estimate."""
    matrix = ops.reshape(weights, (-1, weights.shape[-1]))
    fixed = ops.stop_gradient(matrix)
    new = v = u
    for _ in range(iterations):
        v = _unit(ops.matmul(new, ops.transpose(fixed)))
        new = _unit(ops.matmul(v, fixed))
    is_zero = ops.all(ops.equal(fixed, 0))
    sigma = ops.sum(ops.matmul(ops.matmul(v, matrix), ops.transpose(new)))
    return weights / ops.where(is_zero, 1, sigma), ops.where(is_zero, u, new)


def _unit(x: Any) -> Any:
    """A row of length 1, or of zeros."""
    return ops.l2_normalize(x, axis=-1, epsilon=1e-14)
