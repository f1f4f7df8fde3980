"""Attention; what Keras' layers take in a call (masks, whether scores are returned) are arguments of fnet's layers."""

from __future__ import annotations

from fnet.io.keras.config import FLAG, INTEGER, NUMBER, SIZES, optional, word
from fnet.io.keras.fields import Field, fields, layer_row
from fnet.io.keras.parts import INITIALIZER, SEED
from fnet.io.keras.translation import Translation
from fnet.io.keras.variables import Variable, Variables, params
from fnet.networks.layer import Layer

_LACKS = {"rotary": "Leave rotary out, or keep the weights alone: fnet.save_weights."}
_CALL = {"causal": "use_causal_mask", "return_attention_scores": "return_attention_scores"}
_SEED = Field("seed", SEED)
_PROJECTIONS = ("query", "key", "value", "attention_output")


def _projected(kind: str, sizes: tuple[Field, ...], prefix: str, aliases: tuple[str, ...] = ()) -> Translation:
    """A layer that projects queries, keys and values; `prefix` begins the names of Keras' attributes."""

    def variables(layer: Layer) -> Variables:
        names = ("kernel", *(["bias"] if layer.config["use_bias"] else []))
        return Variables(children={
            f"{prefix}{role.removeprefix('attention_')}_dense": Variables(
                tuple(Variable(name, f"params/{role}/{name}") for name in names)
            )
            for role in _PROJECTIONS
        })  # fmt: skip

    return layer_row(
        kind,
        (
            *sizes,
            Field("dropout", NUMBER),
            Field("use_bias", FLAG),
            *fields(INITIALIZER, "kernel_initializer", "bias_initializer"),
        ),
        variables,
        weights=("kernel", "bias"),
        only={"use_gate": (False, None), "sliding_window": (None,), "attention_axes": (None, [1], (1,), 1)},
        lacks=_LACKS,
        in_call=_CALL | {"masked": "attention_mask"},
        inputs="each",
        aliases=aliases,
    )


def _scale(layer: Layer) -> Variables:
    config = layer.config
    names = [*(["scale"] if config["use_scale"] else [])]
    names += ["concat_score_weight"] if config.get("score_mode") == "concat" else []
    return Variables(params(*names))


_MULTI_HEAD = (
    *fields(INTEGER, "num_heads", "key_dim"),
    Field("value_dim", optional(INTEGER)),
    Field("output_shape", optional(SIZES)),
)
ROWS = (
    _projected("MultiHeadAttention", _MULTI_HEAD, ""),
    _projected(
        "GroupQueryAttention",
        fields(INTEGER, "head_dim", "num_query_heads", "num_key_value_heads"),
        "_",
        aliases=("GroupedQueryAttention",),
    ),
    layer_row(
        "Attention",
        (Field("use_scale", FLAG), Field("score_mode", word("dot", "concat")), Field("dropout", NUMBER), _SEED),
        _scale,
        in_call=_CALL,
        inputs="list",
    ),
    layer_row(
        "AdditiveAttention",
        (Field("use_scale", FLAG), Field("dropout", NUMBER), _SEED),
        _scale,
        in_call=_CALL,
        inputs="list",
    ),
)
