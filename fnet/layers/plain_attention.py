"""Attention without projections: inner products, or a sum of features, as scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet import initializers, ops
from fnet.arguments import fraction, integer_or_none, one_of
from fnet.errors import ShapeError
from fnet.layers.attention_inputs import Inputs, check_inputs, inputs, masked_softmax, sizes
from fnet.layers.checks import parameters, stream
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.masking import join_mask
from fnet.ops.promotion import promote
from fnet.regularizers import RegularizerLike

SCORE_MODES = ("dot", "concat")


@LAYERS.named()
@layer_constructor(masks="used", several=True)
def Attention(
    use_scale: bool = False,
    score_mode: str = "dot",
    dropout: float = 0.0,
    seed: int | None = None,
    causal: bool = False,
    return_attention_scores: bool = False,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """``y[t] = sum over s of softmax_s(score[t, s]) value[s]`` with ``score[t, s] = scale query[t] . key[s]``.

    Input: x (N, T, D) for self-attention, or a tuple (query, value) or (query, value, key) of (N, T, D), (N, S, E),
    (N, S, D); the key is the value by default. -> (N, T, E), and the weights (N, T, S) with `return_attention_scores`.
    score_mode: "dot", or "concat" for ``w sum over features of tanh(scale (query[t] + key[s]))``.
    Params: with `use_scale` ``scale: ()``, 1 without, and for "concat" ``concat_score_weight: ()``, w.
    Steps that the mask of value or key leaves out are not seen, nor with `causal` those after t; a query that sees
    nothing, and one left out by its mask, gets 0. `dropout` zeroes that fraction of the weights in training.
    Source: M. Luong et al. 2015 (Keras ``Attention``, whose ``use_causal_mask`` is an argument of the call).

    >>> Attention().out_shape(((7, 6), (3, 6)))
    (7, 6)
    """
    one_of("Attention", "score_mode", score_mode, SCORE_MODES)
    names = (["scale"] if use_scale else []) + (["concat_score_weight"] if score_mode == "concat" else [])

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        _check_equal("Attention", *sizes("Attention", shape))
        return {name: np.ones((), dtype) for name in names}, {}

    def score(params: Any, query: Any, key: Any) -> Any:
        given = dict(zip(names, parameters("Attention", params, dict.fromkeys(names, ())), strict=True))
        scale = given.get("scale", 1.0)
        if score_mode == "dot":
            return ops.einsum("ntd,nsd->nts", query * scale, key)
        return given["concat_score_weight"] * ops.sum(ops.tanh(scale * _all_pairs(query, key)), -1)

    return init, _attending("Attention", score, dropout, seed, causal, return_attention_scores)


@LAYERS.named()
@layer_constructor(masks="used", several=True)
def AdditiveAttention(
    use_scale: bool = True,
    dropout: float = 0.0,
    seed: int | None = None,
    causal: bool = False,
    return_attention_scores: bool = False,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """As `Attention`, with ``score[t, s] = sum over features d of scale[d] tanh(query[t, d] + key[s, d])``.

    Params: with `use_scale` ``scale: (D,)``, 1 without. Source: D. Bahdanau et al. 2015 (Keras ``AdditiveAttention``).

    >>> AdditiveAttention().out_shape(((7, 6), (3, 5), (3, 6)))
    (7, 5)
    """
    make_scale = initializers.glorot_uniform()

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        features = _check_equal("AdditiveAttention", *sizes("AdditiveAttention", shape))
        return ({"scale": make_scale(key, (features,), dtype)} if use_scale else {}), {}

    def score(params: Any, query: Any, key: Any) -> Any:
        shape = query.shape[-1:]
        scale = parameters("AdditiveAttention", params, {"scale": shape} if use_scale else {})
        pairs = ops.tanh(_all_pairs(query, key))
        return ops.sum(pairs * scale[0] if scale else pairs, -1)

    return init, _attending("AdditiveAttention", score, dropout, seed, causal, return_attention_scores)


def _attending(kind: str, score: Any, dropout: Any, seed: Any, causal: bool, return_scores: bool) -> Any:
    """The apply of a layer with ``score(params, query, key)``: (N, T, S)."""
    rate, seed = fraction(kind, "dropout", dropout), integer_or_none(kind, "seed", seed)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        given = inputs(kind, x)
        check_inputs(kind, given, (None, None, None))
        _check_equal(kind, *(role.shape[-1] for role in given[:3]))
        query, value, keys, *_ = promote(*given[:3], *params.values(), floating=True)
        weights = masked_softmax(score(params, query, keys), _without_heads(given), causal)
        used = ops.dropout(weights, stream(kind, key, seed), rate) if train and rate else weights
        y = join_mask(ops.matmul(used, value), given.query_mask)
        return (y, weights) if return_scores else y, state

    return apply


def _without_heads(given: Inputs) -> Any:
    return None if given.visible is None else ops.squeeze(given.visible, 1)


def _all_pairs(query: Any, key: Any) -> Any:
    """``query[t] + key[s]`` for all t and s: (N, T, S, D)."""
    return ops.expand_dims(query, 2) + ops.expand_dims(key, 1)


def _check_equal(kind: str, query: int, value: int, key: int) -> int:
    """The features of query and key, or a `ShapeError` where they differ."""
    if query != key:
        raise ShapeError(f"{kind}: query and key need as many features, received {query} and {key}.")
    return query
