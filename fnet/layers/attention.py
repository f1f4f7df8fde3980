"""Multi-head attention."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet import initializers, ops
from fnet.errors import ShapeError, StructureError, ValueRangeError
from fnet.layer import Layer, is_single
from fnet.layers.checks import entries, fraction, known_size, needed_key, positive_integer
from fnet.layers.constructor import Pair, constructor
from fnet.layers.position import rotate_by_position
from fnet.ops.promotion import astype, lift
from fnet.random import fold_in
from fnet.transforms.primitive import spec_of
from fnet.transforms.tracer import Tracer

_PROJECTIONS = ("query", "key", "value", "attention_output")


@constructor(masks="used", kernel="kernel", bias="bias")
def MultiHeadAttention(
    num_heads: int,
    key_dim: int,
    value_dim: int | None = None,
    dropout: float = 0.0,
    use_bias: bool = True,
    output_shape: int | Sequence[int] | None = None,
    causal: bool = False,
    masked: bool = False,
    rotary: bool = False,
    kernel_initializer: Any = "glorot_uniform",
    bias_initializer: Any = "zeros",
) -> Pair:
    """Every position of the query gathers values from the positions whose keys resemble it, once for each head.

    ``y = concat over heads of (softmax(Q K' / sqrt(key_dim)) V) W + b`` with ``Q = query W_q + b_q`` and so on.

    Input: x (N, T, F) for self-attention, or a tuple (query, value) or (query, value, key) of (N, T, F), (N, S, G),
    (N, S, G'); the key is the value by default. With `masked` a further input comes last: the mask, (N, S), (N, T, S)
    or (N, H, T, S), not 0 where a query sees a key. With `causal` position t sees the positions up to t only. A
    position that sees none gets the bias alone. With `rotary` queries and keys are rotated by their position.
    -> (N, T, *output_shape), by default F.
    Params: ``query/kernel: (F, H, key_dim)``, ``key/kernel``, ``value/kernel: (G, H, value_dim)``,
    ``attention_output/kernel: (H, value_dim, *output_shape)``, and with `use_bias` ``query/bias: (H, key_dim)``, ...
    `dropout` zeroes that fraction of the weights in training. Raises `ShapeError` where inputs do not fit.
    Source: A. Vaswani et al. 2017 (Keras ``MultiHeadAttention``, whose ``use_causal_mask`` and ``attention_mask`` are
    arguments of the call).

    >>> MultiHeadAttention(2, 4).out_shape((7, 6))
    (7, 6)
    >>> MultiHeadAttention(2, 4, output_shape=5).out_shape(((7, 6), (3, 8)))
    (7, 5)
    """
    layer_name = "MultiHeadAttention"
    heads = positive_integer(layer_name, "num_heads", num_heads)
    key_size = positive_integer(layer_name, "key_dim", key_dim)
    value_size = key_size if value_dim is None else positive_integer(layer_name, "value_dim", value_dim)
    rate = fraction(layer_name, "dropout", dropout)
    out = _output_sizes(output_shape)
    make_kernel, make_bias = initializers.get(kernel_initializer), initializers.get(bias_initializer)

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        shapes, _ = _roles((shape,) if is_single(shape) else shape, masked)
        query, value, key_features = (_features(s) for s in shapes)
        head_shapes = ((query, heads, key_size), (key_features, heads, key_size), (value, heads, value_size))
        kernels = (*head_shapes, (heads, value_size, *(out or (query,))))
        params: dict[str, Any] = {}
        for i, (role, kernel) in enumerate(zip(_PROJECTIONS, kernels, strict=True)):
            params[role] = {"kernel": make_kernel(fold_in(key, 2 * i), kernel, dtype)}
            if use_bias:
                bias = kernel[2:] if role == "attention_output" else kernel[1:]
                params[role]["bias"] = make_bias(fold_in(key, 2 * i + 1), bias, dtype)
        return params, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        parts = _weights(params, use_bias)
        inputs, mask = _roles(x if isinstance(x, tuple | list) else (x,), masked)
        query, value, keys = (lift(i) for i in inputs)
        _check_inputs(query, value, keys, [spec_of(p[0]).shape[0] for p in parts[:3]])
        q, k, v = (_project(x, 1, *p) for x, p in zip((query, keys, value), parts[:3], strict=True))
        if rotary:
            q, k = rotate_by_position(q), rotate_by_position(k)
        chance = rate if train else 0.0
        drop = {"rate": chance, "key": needed_key(layer_name, key)} if chance else {}
        mask = None if mask is None else _with_heads(astype(lift(mask), np.bool_))
        return _project(ops.dot_product_attention(q, k, v, mask, causal=causal, **drop), 2, *parts[3]), state

    return init, apply


def key_value_cache(params: Any, batch: int, length: int) -> dict[str, Any]:
    """An empty cache for `decode_step` with the `params` of a `MultiHeadAttention`: room for `length` positions."""
    cache: dict[str, Any] = {}
    for role in ("key", "value"):
        kernel = params[role]["kernel"]
        cache[role] = np.zeros((batch, length, *kernel.shape[1:]), kernel.dtype)
    return cache | {"used": np.zeros((), np.int64)}


def decode_step(layer: Layer, params: Any, x: Any, cache: Any) -> tuple[Any, Any]:
    """Causal self-attention of the next positions of sequences whose earlier keys and values are in `cache`.

    x: (N, T, F), the next T positions (1 when decoding, more for a prompt) -> (y, cache) with y: (N, T, ...), as if
    the whole sequence had gone through `layer`, a causal `MultiHeadAttention`. Raises `ValueRangeError` where the
    cache is full; under jit, where that is not known in advance, y is NaN then.

    >>> from fnet import random
    >>> layer = MultiHeadAttention(2, 4, causal=True)
    >>> params, _ = layer.init(random.key(0), (None, 6))
    >>> cache = key_value_cache(params, batch=1, length=8)
    >>> y, cache = decode_step(layer, params, np.ones((1, 1, 6), "float32"), cache)
    >>> y.shape, int(cache["used"])
    ((1, 1, 6), 1)
    """
    if layer.kind != "MultiHeadAttention" or not layer.config["causal"]:
        raise StructureError(f"decode_step: expected a causal MultiHeadAttention, received {layer}.")
    parts, x, used = _weights(params, layer.config["use_bias"]), lift(x), cache["used"]
    _check_inputs(x, x, x, [spec_of(p[0]).shape[0] for p in parts[:3]])
    steps, length = spec_of(x).shape[1], spec_of(cache["key"]).shape[1]
    if not isinstance(used, Tracer) and used + steps > length:
        raise ValueRangeError(f"decode_step: {used} of {length} positions of the cache are used, no room for {steps}.")
    q, k, v = (_project(x, 1, *p) for p in parts[:3])
    positions, places = used + np.arange(steps), np.arange(length)
    if layer.config["rotary"]:
        q, k = rotate_by_position(q, positions), rotate_by_position(k, positions)
    offset = places - used
    fresh = ops.reshape(ops.logical_and(offset >= 0, offset < steps), (1, length, 1, 1))
    source = ops.clip(offset, 0, steps - 1)
    cache = {
        role: ops.where(fresh, ops.take(new, source, axis=1), cache[role]) for role, new in (("key", k), ("value", v))
    }
    visible = ops.less_equal(places, ops.reshape(positions, (steps, 1)))
    y = _project(ops.dot_product_attention(q, cache["key"], cache["value"], visible), 2, *parts[3])
    return ops.where(ops.less_equal(used + steps, length), y, np.nan), cache | {"used": used + steps}


def _weights(params: Any, use_bias: bool) -> list[tuple[Any, ...]]:
    """Kernel and bias, if there is one, of every projection."""
    names = ["kernel", "bias"] if use_bias else ["kernel"]
    given = zip(_PROJECTIONS, entries("MultiHeadAttention", params, *_PROJECTIONS), strict=True)
    return [entries(f"MultiHeadAttention {role}", entry, *names) for role, entry in given]


def _project(x: Any, axes: int, kernel: Any, bias: Any = None) -> Any:
    """``x . kernel + bias``, contracting the last `axes` axes of x with the first of the kernel."""
    shape, given = spec_of(kernel).shape, spec_of(x).shape
    size = math.prod(shape[:axes])
    added = None if bias is None else ops.reshape(bias, -1)
    y = ops.matmul(
        ops.reshape(astype(x, spec_of(kernel).dtype), (*given[: len(given) - axes], size)),
        ops.reshape(kernel, (size, math.prod(shape[axes:]))),
    )
    y = y if added is None else y + added
    return ops.reshape(y, (*given[: len(given) - axes], *shape[axes:]))


def _roles(given: Sequence[Any], masked: bool) -> tuple[tuple[Any, Any, Any], Any]:
    """(query, value, key) and the mask or None, from the inputs or from their shapes."""
    *inputs, mask = given if masked else (*given, None)
    if not 1 <= len(inputs) <= 3:
        wanted = "x, (query, value) or (query, value, key)" + (", and the mask last" if masked else "")
        raise StructureError(f"MultiHeadAttention takes {wanted}, received {len(given)} inputs.")
    query, value = inputs[0], inputs[min(1, len(inputs) - 1)]
    return (query, value, inputs[2] if len(inputs) == 3 else value), mask


def _features(shape: Any) -> int:
    size = known_size("MultiHeadAttention", shape)
    if len(shape) != 2:
        raise ShapeError(f"MultiHeadAttention: expected a shape (steps, features), received {shape}.")
    return size


def _check_inputs(query: Any, value: Any, key: Any, features: list[int]) -> None:
    expected = dict(zip(("query", "key", "value"), features, strict=True))
    given = {"query": query, "key": key, "value": value}
    for role, x in given.items():
        shape = spec_of(x).shape
        if len(shape) != 3 or shape[-1] != expected[role]:
            raise ShapeError(
                f"MultiHeadAttention: expected a {role} (batch, steps, {expected[role]}), received {shape}. "
                f"Init the network for this shape."
            )
    if spec_of(key).shape[:2] != spec_of(value).shape[:2] or spec_of(query).shape[0] != spec_of(key).shape[0]:
        shapes = ", ".join(f"{role} {spec_of(x).shape}" for role, x in given.items())
        raise ShapeError(f"MultiHeadAttention: key and value need as many steps, all equal batches: received {shapes}.")


def _with_heads(mask: Any) -> Any:
    """A mask (N, S), (N, T, S) or (N, H, T, S) with the axes that it lacks, of size 1."""
    shape = spec_of(mask).shape
    if not 2 <= len(shape) <= 4:
        raise ShapeError(f"MultiHeadAttention: expected a mask (N, S), (N, T, S) or (N, H, T, S), received {shape}.")
    return ops.reshape(mask, (shape[0], *(1,) * (4 - len(shape)), *shape[1:]))


def _output_sizes(output_shape: Any) -> tuple[int, ...]:
    if output_shape is None:
        return ()
    sizes = output_shape if isinstance(output_shape, tuple | list) else (output_shape,)
    return tuple(positive_integer("MultiHeadAttention", "output_shape", n) for n in sizes)
