"""Attention of several heads, with projections of query, key, value and output."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet import initializers, ops
from fnet.arguments import fraction, positive_integer
from fnet.constraints import ConstraintLike
from fnet.errors import StructureError, ValueRangeError
from fnet.initializers import InitializerLike
from fnet.layers.attention_inputs import Inputs, check_inputs, inputs, masked_softmax, sizes
from fnet.layers.checks import entries, needed_key, parameters
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.layers.position import rotate_by_position
from fnet.masking import join_mask
from fnet.networks.layer import Layer
from fnet.ops.promotion import astype, lift
from fnet.random import fold_in
from fnet.regularizers import RegularizerLike
from fnet.transforms.operand import beside, is_known
from fnet.transforms.primitive import spec_of

_PROJECTIONS = ("query", "key", "value", "attention_output")


@LAYERS.named()
@layer_constructor(masks="used", several=True, kernel="kernel", bias="bias")
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
    return_attention_scores: bool = False,
    kernel_initializer: InitializerLike = "glorot_uniform",
    bias_initializer: InitializerLike = "zeros",
    *,
    kernel_regularizer: RegularizerLike = None,
    bias_regularizer: RegularizerLike = None,
    activity_regularizer: RegularizerLike = None,
    kernel_constraint: ConstraintLike = None,
    bias_constraint: ConstraintLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """Every position of the query gathers values from the positions whose keys resemble it, once for each head.

    ``y = concat over heads of (softmax(Q K' / sqrt(key_dim)) V) W + b`` with ``Q = query W_q + b_q`` and so on.

    Input: x (N, T, F) for self-attention, or a tuple (query, value) or (query, value, key) of (N, T, F), (N, S, G),
    (N, S, G'); the key is the value by default. With `masked` a further input comes last: the mask, (N, S), (N, T, S)
    or (N, H, T, S), true or 1 where a query sees a key. With `causal` position t sees the positions up to t only, and
    no position sees a step that the mask of an input leaves out; the output has the mask of the query. A position that
    sees none gets the bias alone. With `rotary` queries and keys are rotated by their position.
    -> (N, T, *output_shape), by default F, and the weights (N, H, T, S) with `return_attention_scores`.
    Params: ``query/kernel: (F, H, key_dim)``, ``key/kernel``, ``value/kernel: (G, H, value_dim)``,
    ``attention_output/kernel: (H, value_dim, *output_shape)``, and with `use_bias` ``query/bias: (H, key_dim)``, ...
    `dropout` zeroes that fraction of the weights in training. Raises `ShapeError` where inputs do not fit, and
    `ValueRangeError` for a mask of other floating numbers than 0 and 1 (an additive one of 0 and -inf, say); where a
    transform hides them, y is NaN. Source: A. Vaswani et al. 2017 (Keras ``MultiHeadAttention``, whose
    ``use_causal_mask`` and ``attention_mask`` are arguments of the call).

    >>> MultiHeadAttention(2, 4).out_shape((7, 6))
    (7, 6)
    >>> MultiHeadAttention(2, 4, output_shape=5).out_shape(((7, 6), (3, 8)))
    (7, 5)
    """
    kind = "MultiHeadAttention"
    heads = positive_integer(kind, "num_heads", num_heads)
    key_size = positive_integer(kind, "key_dim", key_dim)
    value_size = key_size if value_dim is None else positive_integer(kind, "value_dim", value_dim)
    head_sizes = ((heads, key_size), (heads, key_size), (heads, value_size))
    return _projected_attention(
        kind, head_sizes, _output_sizes(output_shape), dropout=dropout, use_bias=use_bias, causal=causal, masked=masked,
        rotary=rotary, return_scores=return_attention_scores, kernel_initializer=kernel_initializer,
        bias_initializer=bias_initializer,
    )  # fmt: skip


@LAYERS.named()
@layer_constructor(masks="used", several=True, kernel="kernel", bias="bias")
def GroupQueryAttention(
    head_dim: int,
    num_query_heads: int,
    num_key_value_heads: int,
    dropout: float = 0.0,
    use_bias: bool = True,
    causal: bool = False,
    masked: bool = False,
    rotary: bool = False,
    return_attention_scores: bool = False,
    kernel_initializer: InitializerLike = "glorot_uniform",
    bias_initializer: InitializerLike = "zeros",
    *,
    kernel_regularizer: RegularizerLike = None,
    bias_regularizer: RegularizerLike = None,
    activity_regularizer: RegularizerLike = None,
    kernel_constraint: ConstraintLike = None,
    bias_constraint: ConstraintLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """`MultiHeadAttention` in which groups of neighbouring query heads share one head of keys and values.

    Inputs, params and options as there, with ``query/kernel: (F, num_query_heads, head_dim)`` and
    ``key/kernel, value/kernel: (G, num_key_value_heads, head_dim)``. Raises `ValueRangeError` where the number of
    query heads is not a multiple of the other. Source: J. Ainslie et al. 2023 (Keras ``GroupQueryAttention``).

    >>> GroupQueryAttention(4, 6, 2).out_shape((7, 5))
    (7, 5)
    """
    kind = "GroupQueryAttention"
    size = positive_integer(kind, "head_dim", head_dim)
    heads = positive_integer(kind, "num_query_heads", num_query_heads)
    shared = positive_integer(kind, "num_key_value_heads", num_key_value_heads)
    if heads % shared:
        raise ValueRangeError(
            f"{kind}: num_key_value_heads must divide num_query_heads, received {shared} and {heads}."
        )
    return _projected_attention(
        kind, ((heads, size), (shared, size), (shared, size)), (), dropout=dropout, use_bias=use_bias, causal=causal,
        masked=masked, rotary=rotary, return_scores=return_attention_scores, kernel_initializer=kernel_initializer,
        bias_initializer=bias_initializer,
    )  # fmt: skip


def _projected_attention(
    kind: str, head_sizes: Sequence[tuple[int, int]], out: tuple[int, ...], *, dropout: float, use_bias: bool,
    causal: bool, masked: bool, rotary: bool, return_scores: bool, kernel_initializer: Any, bias_initializer: Any,
) -> Pair:  # fmt: skip
    """The pair for projections of query, key and value to heads of these numbers and sizes."""
    rate = fraction(kind, "dropout", dropout)
    make_kernel, make_bias = initializers.get(kernel_initializer), initializers.get(bias_initializer)
    (heads, key_size), _, (_, value_size) = head_sizes
    if rotary and key_size % 2:
        raise ValueRangeError(
            f"{kind}: rotary turns pairs of features, so heads have an even size, received {key_size}."
        )

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        query, value, key_features = sizes(kind, shape, masked)
        features = zip((query, key_features, value), head_sizes, strict=True)
        kernels: list[tuple[int, ...]] = [(n, *head) for n, head in features]
        kernels.append((heads, value_size, *(out or (query,))))
        params: dict[str, Any] = {}
        for i, (role, kernel) in enumerate(zip(_PROJECTIONS, kernels, strict=True)):
            contracted = 2 if role == "attention_output" else 1
            kernel = initializers.KernelShape(kernel, range(contracted, len(kernel)))
            params[role] = {"kernel": make_kernel(fold_in(key, 2 * i), kernel, dtype)}
            if use_bias:
                params[role]["bias"] = make_bias(fold_in(key, 2 * i + 1), kernel[contracted:], dtype)
        return params, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        given, parts = inputs(kind, x, masked), _weights(kind, params, use_bias, head_sizes, out)
        query, keys, value = (p[0].shape[0] for p in parts[:3])
        check_inputs(kind, given, (query, value, keys))
        q, k, v = (_project(x, 1, *p) for x, p in zip((given.query, given.key, given.value), parts[:3], strict=True))
        if rotary:
            q, k = rotate_by_position(q), rotate_by_position(k)
        k, v = _repeated(k, heads), _repeated(v, heads)
        drop = {"rate": rate, "key": needed_key(kind, key)} if train and rate else {}
        y = _project(ops.dot_product_attention(q, k, v, given.visible, causal=causal, **drop), 2, *parts[3])
        y = join_mask(y, given.query_mask)
        if not return_scores:
            return y, state
        scores = ops.einsum("nthd,nshd->nhts", q, k) * (1 / math.sqrt(key_size))
        return (y, masked_softmax(scores, given.visible, causal)), state

    return init, apply


def key_value_cache(params: Any, batch: int, length: int) -> dict[str, Any]:
    """An empty cache for `decode_step` with the `params` of a `MultiHeadAttention`: room for `length` positions."""
    cache: dict[str, Any] = {}
    for role in ("key", "value"):
        kernel = params[role]["kernel"]
        cache[role] = beside(np.zeros((batch, length, *kernel.shape[1:]), kernel.dtype), kernel)
    return cache | {"used": beside(np.zeros((), np.int64), kernel)}


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
    config, x, used = layer.config, lift(x), cache["used"]
    key, value = (config["num_heads"], config["key_dim"]), config["value_dim"] or config["key_dim"]
    out = _output_sizes(config["output_shape"])
    parts = _weights(layer.kind, params, config["use_bias"], (key, key, (config["num_heads"], value)), out)
    check_inputs(layer.kind, Inputs(x, x, x, None, None), [p[0].shape[0] for p in parts[:3]])
    steps, length = spec_of(x).shape[1], spec_of(cache["key"]).shape[1]
    if is_known(used) and used + steps > length:
        raise ValueRangeError(f"decode_step: {used} of {length} positions of the cache are used, no room for {steps}.")
    q, k, v = (_project(x, 1, *p) for p in parts[:3])
    positions, places = used + beside(np.arange(steps), used), beside(np.arange(length), used)
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


def _weights(
    kind: str, params: Any, use_bias: bool, heads: Sequence[tuple[int, int]], out: tuple[int, ...]
) -> list[tuple[Any, ...]]:
    """Kernel and bias, if there is one, of every projection, for heads of these numbers and sizes."""
    given = dict(zip(_PROJECTIONS, entries(kind, params, *_PROJECTIONS), strict=True))

    def checked(role: str, *kernel: int | None, bias: tuple[int, ...]) -> tuple[Any, ...]:
        shapes: dict[str, tuple[int | None, ...]] = {"kernel": kernel} | ({"bias": bias} if use_bias else {})
        return parameters(f"{kind} {role}", given[role], shapes)

    *inner, last = _PROJECTIONS
    parts = [checked(role, None, *head, bias=head) for role, head in zip(inner, heads, strict=True)]
    out = out or spec_of(parts[0][0]).shape[:1]
    return [*parts, checked(last, heads[0][0], heads[2][1], *out, bias=out)]


def _repeated(x: Any, heads: int) -> Any:
    """(N, S, K, D) with each of its heads repeated in place, so that there are so many: (N, S, heads, D)."""
    batch, steps, given, size = x.shape
    if given == heads:
        return x
    wide = ops.broadcast_to(ops.expand_dims(x, 3), (batch, steps, given, heads // given, size))
    return ops.reshape(wide, (batch, steps, heads, size))


def _project(x: Any, axes: int, kernel: Any, bias: Any = None) -> Any:
    """``x . kernel + bias``, contracting the last `axes` axes of x with the first of the kernel."""
    shape, given = kernel.shape, x.shape
    size = math.prod(shape[:axes])
    added = None if bias is None else ops.reshape(bias, -1)
    y = ops.matmul(
        ops.reshape(astype(x, kernel.dtype), (*given[: len(given) - axes], size)),
        ops.reshape(kernel, (size, math.prod(shape[axes:]))),
    )
    y = y if added is None else y + added
    return ops.reshape(y, (*given[: len(given) - axes], *shape[axes:]))


def _output_sizes(output_shape: Any) -> tuple[int, ...]:
    if output_shape is None:
        return ()
    sizes = output_shape if isinstance(output_shape, tuple | list) else (output_shape,)
    return tuple(positive_integer("MultiHeadAttention", "output_shape", n) for n in sizes)
