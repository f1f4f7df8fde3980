"""Attention without projections and in groups of heads: Keras' formulas, options, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import random, tree
from fnet.activations import softmax
from fnet.errors import ShapeError, StructureError, ValueRangeError
from fnet.layers import AdditiveAttention, Attention, GroupQueryAttention, MultiHeadAttention

KEY = random.key(6)
RNG = np.random.default_rng(3)
QUERY, VALUE, KEYS = (RNG.normal(size=s) for s in ((2, 4, 3), (2, 5, 6), (2, 5, 3)))
SHAPES = ((4, 3), (5, 6), (5, 3))


def applied(layer: Any, x: Any, shape: Any = SHAPES, shift: float = 0.5) -> Any:
    params, state = layer.init(KEY, shape, "float64")
    params = tree.map(lambda p: p + shift, params)
    return params, layer.apply(params, state, x)[0]


def test_values_of_keras() -> None:
    # From Keras' tests of Attention.
    query, key, value = np.array([[[1.0, 0], [0, 1]]]), np.array([[[0.0, 1], [1, 0]]]), np.array([[[1.0, 2], [3, 4]]])
    layer = Attention(return_attention_scores=True)
    y, scores = layer.apply({}, {}, (query, value, key))[0]
    np.testing.assert_allclose(y, [[[2.462, 3.462], [1.538, 2.538]]], atol=1e-3)
    np.testing.assert_allclose(scores, [[[0.269, 0.731], [0.731, 0.269]]], atol=1e-3)
    params = {"scale": np.array(0.5)}
    scaled = Attention(use_scale=True).apply(params, {}, (query, value, key))[0]
    np.testing.assert_allclose(scaled, softmax(query @ key.transpose(0, 2, 1) * 0.5) @ value, rtol=1e-12)


@pytest.mark.parametrize("use_scale", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_formulas(use_scale: bool, causal: bool) -> None:
    visible = np.tri(4, 5, dtype=bool) if causal else np.ones((4, 5), bool)
    pairs = QUERY[:, :, None] + KEYS[:, None]
    options = {"use_scale": use_scale, "causal": causal, "return_attention_scores": True}
    for layer in (Attention(**options), Attention(score_mode="concat", **options), AdditiveAttention(**options)):
        params, (y, weights) = applied(layer, (QUERY, VALUE, KEYS))
        scale = params.get("scale", 1.0)
        if layer.kind == "AdditiveAttention":
            scores = (scale * np.tanh(pairs)).sum(-1)
        elif "concat_score_weight" in params:
            scores = params["concat_score_weight"] * np.tanh(scale * pairs).sum(-1)
        else:
            scores = scale * np.einsum("ntd,nsd->nts", QUERY, KEYS)
        expected = softmax(np.where(visible, scores, -np.inf))
        np.testing.assert_allclose(weights, expected, rtol=1e-10)
        np.testing.assert_allclose(y, expected @ VALUE, rtol=1e-10)


def test_parameters_are_those_of_keras() -> None:
    def shapes(layer: Any) -> dict[str, Any]:
        return {name: leaf.shape for name, leaf in layer.init(KEY, SHAPES)[0].items()}

    assert shapes(Attention()) == {} and shapes(AdditiveAttention(use_scale=False)) == {}
    assert shapes(Attention(True, "concat")) == {"scale": (), "concat_score_weight": ()}
    assert shapes(AdditiveAttention()) == {"scale": (3,)}
    assert Attention(True).init(KEY, SHAPES)[0]["scale"] == 1


@pytest.mark.parametrize("layer", [Attention(dropout=0.5), AdditiveAttention(dropout=0.5)], ids=repr)
def test_dropout_keeps_the_mean(layer: Any) -> None:
    params, state = layer.init(KEY, SHAPES, "float64")
    x = (QUERY, VALUE, KEYS)
    drawn = [layer.apply(params, state, x, key=k, train=True)[0] for k in random.split(KEY, 400)]
    spread = np.std(drawn, axis=0) / 20
    assert (np.abs(np.mean(drawn, axis=0) - layer.apply(params, state, x)[0]) < 5 * spread).all()


def test_scores_of_heads_are_the_weights() -> None:
    layer = MultiHeadAttention(2, 4, causal=True, return_attention_scores=True, use_bias=False)
    params, (y, weights) = applied(layer, QUERY, (4, 3))
    assert weights.shape == (2, 2, 4, 4)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-12)
    assert np.all(np.triu(weights, 1) == 0)
    value = np.einsum("nsf,fhd->nshd", QUERY, params["value"]["kernel"])
    gathered = np.einsum("nhts,nshd->nthd", weights, value)
    np.testing.assert_allclose(
        y, np.einsum("nthd,hdf->ntf", gathered, params["attention_output"]["kernel"]), rtol=1e-10
    )
    plain = MultiHeadAttention(2, 4, causal=True, use_bias=False).apply(params, {}, QUERY)[0]
    np.testing.assert_array_equal(y, plain)


def test_groups_share_keys_and_values() -> None:
    layer = GroupQueryAttention(4, 6, 2, rotary=True, causal=True)
    params, y = applied(layer, QUERY, (4, 3))
    shapes = {path: leaf.shape for path, leaf in tree.leaves_with_path(params) if path.endswith("kernel")}
    assert shapes == {
        "query/kernel": (3, 6, 4), "key/kernel": (3, 2, 4), "value/kernel": (3, 2, 4),
        "attention_output/kernel": (6, 4, 3),
    }  # fmt: skip
    wide = {
        role: tree.map(lambda p: np.repeat(p, 3, axis=-2), part) if role in ("key", "value") else part
        for role, part in params.items()
    }
    expected = MultiHeadAttention(6, 4, rotary=True, causal=True).apply(wide, {}, QUERY)[0]
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    same = GroupQueryAttention(4, 6, 6).init(KEY, (4, 3))[0]
    assert tree.all_equal(same, MultiHeadAttention(6, 4).init(KEY, (4, 3))[0])


def test_they_take_one_input_for_self_attention() -> None:
    for layer in (Attention(), AdditiveAttention(), GroupQueryAttention(4, 2, 1)):
        params, y = applied(layer, QUERY, (4, 3))
        np.testing.assert_array_equal(layer.apply(params, {}, (QUERY, QUERY))[0], y)
        assert layer.out_shape((None, 3)) == (None, 3)
        np.testing.assert_allclose(fnet.jit(layer.apply)(params, {}, QUERY)[0], y, rtol=1e-12)


ERRORS: list[tuple[Any, type, str]] = [
    (lambda: Attention(dropout=2), ValueRangeError, "Attention: dropout is a fraction"),
    (lambda: applied(Attention(), (QUERY, VALUE), SHAPES[:2]), ShapeError, "as many features, received 3 and 6"),
    (lambda: applied(Attention(), QUERY[0], (4, 3)), ShapeError, r"expected a query \(batch, steps, features\), rec"),
    (lambda: applied(Attention(), (QUERY, KEYS[:1]), SHAPES[:1] * 2), ShapeError, "all equal batches: received query"),
    (lambda: applied(AdditiveAttention(), (QUERY,) * 4, (4, 3)), StructureError, "received 4 inputs"),
    (
        lambda: applied(AdditiveAttention(), (), (4, 3)),
        StructureError,
        "AdditiveAttention takes x, .* received 0 inputs",
    ),
    (
        lambda: Attention().init(KEY, (4,)),
        ShapeError,
        r"Attention: expected a shape \(steps, features\), received \(4,\)",
    ),
    (lambda: GroupQueryAttention(4, 6, 0), ValueRangeError, "num_key_value_heads is a positive integer, received 0"),
]


@pytest.mark.parametrize(("wrong", "error", "text"), ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors_say_what_was_expected(wrong: Any, error: type, text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        wrong()
    assert len(str(caught.value).splitlines()) <= 3
