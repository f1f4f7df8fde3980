"""Layers that number tokens by a vocabulary: Keras' configs say it, or files beside them do."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.errors import StructureError
from fnet.io.keras.config import FLAG, NUMBER, TEXT, Config, ValueKind, either, integers, optional, several, word, wrong
from fnet.io.keras.fields import Field, fields, layer_row
from fnet.io.keras.translation import Translation
from fnet.io.keras.variables import Variable, Variables
from fnet.layers.string_lookup import tokens_in_state
from fnet.layers.text_vectorization import SPLITS, STANDARDS
from fnet.layers.vocabulary import LOOKUP_MODES
from fnet.networks.layer import Layer

_MOST_TOKENS = 10_000_000
_LEAST = -(2**63)
_ANY_INTEGER = integers(_LEAST, most=2**63 - 1)
_COUNT = integers(1)
_IDF = Field("idf_weights", optional(several(NUMBER, 0, _MOST_TOKENS)))
_SALT = Field("salt", optional(either(_ANY_INTEGER, several(_ANY_INTEGER, 2, 2))))
_SHARED = (
    Field("max_tokens", optional(_COUNT)),
    Field("output_mode", word(*LOOKUP_MODES, "binary", "tf-idf")),
    Field("pad_to_max_tokens", FLAG),
)
_DENSE = {"sparse": (None, False)}


def _learnt(layer: Layer, state: Any) -> dict[str, Any]:
    """The vocabulary, and for ``"tf_idf"`` the weights, with the tokens that stand in front as in Keras."""
    tokens, weights = tokens_in_state(layer, state)
    if not tokens:
        return {}
    config = layer.config
    unknown = config.get("num_oov_indices", 1)
    front = [] if weights is None else [config.get("oov_token", "[UNK]")] * unknown
    known = None if weights is None else [float(w) for w in weights[: len(front) + len(tokens)]]
    return {"vocabulary": (*front, *tokens), "idf_weights": known}


def _weights(layer: Layer) -> Variables:
    """The weights of ``"tf_idf"``, which Keras keeps in archives alone."""
    if layer.config["output_mode"] not in ("tf_idf", "tf-idf"):
        return Variables()
    own = Variables((Variable("idf_weights", "state/idf_weights", trainable=False, key="idf_weights"),))
    return own if layer.kind != "TextVectorization" else Variables(own.own, {"_lookup_layer": own})


def _read_ngrams(value: Any, path: str) -> Any:
    return None if value is None else either(_COUNT, several(_COUNT, 1, 100)).read(value, path)


def _with_weights(row: Translation) -> Translation:
    """The translation, which reads a learnt vocabulary of ``"tf_idf"``: its weights come with the variables."""

    def from_config(config: Config) -> Layer:
        given = dict(config.fields)
        if given.get("output_mode") in ("tf_idf", "tf-idf") and given.get("idf_weights") is None:
            tokens = given.get("vocabulary")
            if isinstance(tokens, list | tuple) and tokens:
                given["idf_weights"] = [1.0] * len(tokens)
        return row.from_config(Config(given, config.path, config.depth))

    return Translation(**{**row.__dict__, "from_config": from_config})


def _tokens_field(kind: ValueKind) -> Field:
    def read(value: Any, path: str) -> Any:
        if isinstance(value, str):
            raise wrong(path, "a list of tokens, for no other file is read", value)
        return several(kind, 0, _MOST_TOKENS).read(value, path)

    return Field("vocabulary", optional(ValueKind(read, lambda value: [_plain(token) for token in value])))


def _plain(token: Any) -> Any:
    return token.item() if isinstance(token, np.generic) else token


def _named(words: tuple[str, ...]) -> ValueKind:
    """One of a few words, or None; a function is in no file."""

    def write(value: Any) -> Any:
        if callable(value):
            raise StructureError("a file cannot hold a function. Apply it to the texts before, and take None.")
        return value

    return ValueKind(word(None, *words).read, write)


ROWS = (
    _with_weights(
        layer_row(
            "StringLookup",
            (
                *_SHARED,
                Field("num_oov_indices", integers(0)),
                Field("mask_token", optional(TEXT)),
                Field("oov_token", TEXT),
                _tokens_field(TEXT),
                _IDF,
                Field("invert", FLAG),
                Field("encoding", TEXT),
                _SALT,
            ),
            _weights,
            only=_DENSE,
            learnt=_learnt,
        )
    ),
    _with_weights(
        layer_row(
            "IntegerLookup",
            (
                *_SHARED,
                Field("num_oov_indices", integers(0)),
                Field("mask_token", optional(_ANY_INTEGER)),
                Field("oov_token", _ANY_INTEGER),
                _tokens_field(_ANY_INTEGER),
                _IDF,
                Field("invert", FLAG),
                Field("oov_method", word("floormod", "farmhash")),
                _SALT,
            ),
            _weights,
            only=_DENSE | {"vocabulary_dtype": ("int64",)},
            learnt=_learnt,
        )
    ),
    _with_weights(
        layer_row(
            "TextVectorization",
            (
                *_SHARED,
                Field("standardize", _named(STANDARDS)),
                Field("split", _named(SPLITS)),
                Field("ngrams", ValueKind(_read_ngrams)),
                Field("output_sequence_length", optional(_COUNT)),
                _tokens_field(TEXT),
                _IDF,
                *fields(FLAG, "ragged"),
                Field("encoding", TEXT),
            ),
            _weights,
            only=_DENSE,
            learnt=_learnt,
        )
    ),
)
