"""Vocabularies: which tokens there are, learnt by counting; as a state of arrays; which number a token has."""

from __future__ import annotations

import functools
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fnet.arguments import flag, integer, one_of, positive_integer
from fnet.errors import ShapeError, StructureError, ValueRangeError
from fnet.layers.categories import MODES
from fnet.layers.checks import entries
from fnet.networks.layer import Layer
from fnet.transfer import to_host

LOOKUP_MODES = (*MODES, "tf_idf")
_OLDER = {"binary": "multi_hot", "tf-idf": "tf_idf"}


@dataclass(frozen=True)
class Numbering:
    """How tokens are numbered: first the mask, then what is unknown, then the vocabulary.

    mask: a token that stands for nothing, number 0; in vectors it leaves no trace. unknown: how many numbers are for
    tokens that are not in the vocabulary. most: numbers altogether, None for any. pads: whether vectors have as many.
    """

    who: str
    mode: str
    mask: Any
    unknown: int
    most: int | None
    pads: bool

    @property
    def first_unknown(self) -> int:
        """The first number that a token has which is not in the vocabulary."""
        return int(self.mask is not None and self.mode == "int")

    @property
    def first(self) -> int:
        """The number of the first token of the vocabulary."""
        return self.first_unknown + self.unknown

    def depth(self, tokens: int) -> int:
        """The size of vectors for a vocabulary of so many tokens."""
        return self.most if self.pads and self.most is not None else self.first + tokens

    def idf(self, weights: np.ndarray, tokens: int) -> np.ndarray:
        """The weights for all numbers: the mean of those of the vocabulary for what is before it, 0 behind it."""
        if len(weights) != tokens:
            raise ShapeError(f"{self.who}: expected {tokens} idf_weights, one for each token, received {len(weights)}.")
        before = np.full(self.first, weights.mean() if tokens else 0.0)
        return np.concatenate([before, weights, np.zeros(self.depth(tokens) - self.first - tokens)]).astype(np.float32)


def numbering(
    who: str, output_mode: Any, mask: Any, unknown: Any, max_tokens: Any, pad_to_max_tokens: Any, invert: bool = False
) -> Numbering:
    """The numbering that arguments say, checked."""
    older = _OLDER.get(output_mode, output_mode) if isinstance(output_mode, str) else output_mode
    mode = one_of(who, "output_mode", older, LOOKUP_MODES)
    if invert and mode != "int":
        raise StructureError(f"{who}: invert gives tokens for integers, so output_mode is 'int', received {mode!r}.")
    numbers = integer(who, "num_oov_indices", unknown, 0)
    most = None if max_tokens is None else positive_integer(who, "max_tokens", max_tokens)
    pads = flag(who, "pad_to_max_tokens", pad_to_max_tokens)
    if pads and most is None:
        raise StructureError(f"{who}: pad_to_max_tokens=True needs max_tokens, the size to pad to.")
    made = Numbering(who, mode, mask, numbers, most, pads)
    if most is not None and most <= made.first:
        raise ValueRangeError(
            f"{who}: max_tokens={most} leaves no room for a token beside {made.first} numbers for the mask and what is "
            f"unknown. Give at least {made.first + 1}."
        )
    return made


def numbering_of(layer: Layer) -> Numbering:
    """The numbering of a layer with a vocabulary."""
    config = layer.config
    is_text = layer.kind == "TextVectorization"
    return numbering(
        layer.kind,
        config["output_mode"],
        "" if is_text else config["mask_token"],
        1 if is_text else config["num_oov_indices"],
        config["max_tokens"],
        config["pad_to_max_tokens"],
    )


def checked_tokens(plan: Numbering, given: Sequence[Any], oov_token: Any = None) -> list[Any]:
    """The tokens of a vocabulary that is given, without the mask and what stands for the unknown at its front."""
    special = [plan.mask] * plan.first_unknown + [oov_token] * plan.unknown
    tokens = list(given)
    if special and tokens[: len(special)] == special:
        tokens = tokens[len(special) :]
    if not tokens:
        raise ValueRangeError(f"{plan.who}: the vocabulary is empty. Give at least one token, or none and fnet.adapt.")
    twice = [token for token, count in Counter(tokens).items() if count > 1]
    if twice:
        raise ValueRangeError(f"{plan.who}: the vocabulary has {twice[0]!r} twice. Give each token once.")
    if plan.mask is not None and plan.mask in tokens:
        raise ValueRangeError(
            f"{plan.who}: the mask token {plan.mask!r} is in the vocabulary. Leave it out, or put it first, with the "
            f"tokens for what is unknown: {special}."
        )
    if plan.most is not None and plan.first + len(tokens) > plan.most:
        raise ValueRangeError(
            f"{plan.who}: a vocabulary of {len(tokens)} tokens with {plan.first} numbers before it is larger than "
            f"max_tokens={plan.most}."
        )
    return tokens


@dataclass
class TokenCounts:
    """How often each token was seen, and in how many of the documents, if these count; a sample is a document."""

    of_documents: bool = True
    tokens: Counter[Any] = field(default_factory=Counter)
    documents: Counter[Any] = field(default_factory=Counter)
    number: int = 0

    def add(self, documents: Iterable[Sequence[Any]]) -> TokenCounts:
        """Count the tokens of some documents, too."""
        documents = list(documents)
        self.number += len(documents)
        self.tokens.update(itertools.chain.from_iterable(documents))
        if self.of_documents:
            self.documents.update(itertools.chain.from_iterable(map(set, documents)))
        return self

    def vocabulary(self, plan: Numbering, without: Sequence[Any]) -> list[Any]:
        """The tokens, the most frequent first, of equally frequent ones the last in their order first, as in Keras."""
        found = [(count, token) for token, count in self.tokens.items() if token not in without]
        found.sort(key=lambda pair: (pair[0], _order(pair[1])), reverse=True)
        return [token for _, token in found[: None if plan.most is None else plan.most - plan.first]]

    def idf(self, tokens: Sequence[Any]) -> np.ndarray:
        """``log(1 + documents / (1 + documents with the token))`` for each token."""
        return np.array([math.log(1 + self.number / (1 + self.documents[token])) for token in tokens], np.float32)


def _order(token: Any) -> Any:
    return token.encode("utf-8", "surrogateescape") if isinstance(token, str) else token


def packed(tokens: Sequence[str]) -> dict[str, np.ndarray]:
    """Texts as arrays of numbers, which are kept, saved and moved like others.

    ``characters``: the bytes of all tokens in UTF-8; ``ends``: where each of them ends.
    """
    encoded = [token.encode("utf-8", "surrogateescape") for token in tokens]
    ends = np.cumsum([len(token) for token in encoded], dtype=np.int64)
    return {"characters": np.frombuffer(b"".join(encoded), np.uint8).copy(), "ends": ends}


def unpacked_tokens(who: str, state: Any) -> tuple[str, ...]:
    """The texts of `packed`."""
    characters, ends = packed_arrays(who, state)
    return _tokens(characters.tobytes(), ends.tobytes())


def places_of_tokens(who: str, state: Any) -> Mapping[str, int]:
    """The place of each text of `packed` among them."""
    characters, ends = packed_arrays(who, state)
    return _places(characters.tobytes(), ends.tobytes())


def packed_arrays(who: str, state: Any) -> tuple[np.ndarray, np.ndarray]:
    """The two arrays of `packed`, checked."""
    names = ("characters", "ends", *(("idf_weights",) if "idf_weights" in state else ()))
    characters, ends = (np.asarray(to_host(part)) for part in entries(who, state, *names)[:2])
    steps = np.diff(ends, prepend=0) if ends.ndim == 1 else np.array([-1])
    if characters.ndim != 1 or (steps < 0).any() or (ends[-1] if len(ends) else 0) != len(characters):
        raise ShapeError(
            f"{who}: expected 'characters' and 'ends' of one vocabulary, received the shapes {characters.shape} and "
            f"{ends.shape}, which do not belong together. Pass what init or fnet.adapt returned."
        )
    return characters, ends


@functools.lru_cache(64)
def _tokens(characters: bytes, ends: bytes) -> tuple[str, ...]:
    begin, made = 0, list[str]()
    for end in np.frombuffer(ends, np.int64).tolist():
        made.append(characters[begin:end].decode("utf-8", "surrogateescape"))
        begin = end
    return tuple(made)


@functools.lru_cache(64)
def _places(characters: bytes, ends: bytes) -> Mapping[str, int]:
    return {token: place for place, token in enumerate(_tokens(characters, ends))}
