"""The layer that numbers texts by a vocabulary, which it learns from data or is told."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fnet.errors import FileError, StructureError, ValueRangeError
from fnet.layers.categories import encoded
from fnet.layers.constructor import LAYERS, Learner, layer_constructor
from fnet.layers.hashing import hash_bins, salt_pair
from fnet.layers.host_values import as_bytes, host_array, texts
from fnet.layers.vocabulary import (
    Numbering,
    TokenCounts,
    checked_tokens,
    numbering,
    packed,
    places_of_tokens,
    unpacked_tokens,
)
from fnet.networks.layer import Layer
from fnet.networks.learning import Learning
from fnet.regularizers import RegularizerLike
from fnet.transfer import to_host
from fnet.transforms.operand import beside, is_only_shape

OutputMode = Literal["int", "one_hot", "multi_hot", "count", "tf_idf"]


@LAYERS.named()
@layer_constructor(several=True, on_host=True)
def StringLookup(
    max_tokens: int | None = None,
    num_oov_indices: int = 1,
    mask_token: str | None = None,
    oov_token: str = "[UNK]",
    vocabulary: Sequence[str] | str | PathLike[str] | None = None,
    idf_weights: Sequence[float] | None = None,
    invert: bool = False,
    output_mode: OutputMode = "int",
    pad_to_max_tokens: bool = False,
    encoding: str = "utf-8",
    salt: int | Sequence[int] | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Learner:
    """The number of each text in a vocabulary.

    Numbers: 0 for `mask_token`, if there is one and the output is integers; then `num_oov_indices` numbers for texts
    that are not in the vocabulary, of which a hash (under a `salt`) chooses one; then those of the vocabulary. Without
    numbers for them, unknown texts are an error. With `invert` the texts of numbers, `oov_token` for unknown ones.

    vocabulary: texts, or the path of a file with one in each line. Without it `fnet.adapt` learns it: all texts of the
    data, the most frequent first and of equally frequent ones the last in their order, at most `max_tokens` numbers.
    output_mode: integers, or vectors, see `CategoryEncoding`, of the size of the vocabulary or, with
    `pad_to_max_tokens`, `max_tokens`. ``"tf_idf"``: counts times a weight for each token, which is learnt, too, or told
    as `idf_weights`. encoding: of texts that are bytes. It runs on the host, before what is compiled.

    x: texts of any shape -> int64 of this shape, or float32 vectors. State: the vocabulary in two arrays of numbers,
    ``characters`` and ``ends``, so that it is saved, copied and moved like any other; for ``"tf_idf"`` ``idf_weights``.
    Source: Keras ``StringLookup``, with the same numbers.

    >>> import fnet
    >>> layer = StringLookup()
    >>> params, state = layer.init(fnet.random.key(0), ())
    >>> state = fnet.adapt(layer, params, state, ["a", "b", "b"])
    >>> layer.apply(params, state, ["a", "b", "c"])[0]
    array([2, 1, 0])
    """
    plan = numbering("StringLookup", output_mode, mask_token, num_oov_indices, max_tokens, pad_to_max_tokens, invert)
    secret = salt_pair("StringLookup", salt)
    told = None if vocabulary is None else checked_tokens(plan, given_tokens("StringLookup", vocabulary), oov_token)
    init = vocabulary_state(plan, told, idf_weights)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        if is_only_shape(x):
            ids = np.zeros(x.shape, np.int64)
        elif invert:
            return _tokens_of(
                plan, unpacked_tokens("StringLookup", state), host_array("StringLookup", x), oov_token
            ), state
        else:
            ids = token_ids(plan, state, texts("StringLookup", x, encoding), secret)
        return numbers_or_vectors(plan, state, ids), state

    def update(counts: TokenCounts, x: Any) -> TokenCounts:
        given = texts("StringLookup", x, encoding)
        return counts.add(given.reshape(len(given), -1).tolist())

    learning = Learning(
        lambda: TokenCounts(plan.mode == "tf_idf"), update, lambda counts, state: learnt(plan, counts, oov_token, state)
    )
    return init, apply, None if told is not None else learning


def vocabulary_state(plan: Numbering, told: list[str] | None, idf_weights: Sequence[float] | None) -> Any:
    """The init of a layer with a vocabulary of texts, none of them where it is not told."""
    weights = checked_idf(plan, told, idf_weights)

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        return {}, packed(told or ()) | ({} if weights is None else {"idf_weights": weights})

    return init


def checked_idf(plan: Numbering, told: Sequence[Any] | None, idf_weights: Any) -> np.ndarray | None:
    """The weights of all numbers for ``"tf_idf"``, None for other outputs."""
    if plan.mode != "tf_idf":
        if idf_weights is not None:
            raise StructureError(f"{plan.who}: idf_weights are for output_mode='tf_idf', received {plan.mode!r}.")
        return None
    if (told is None) != (idf_weights is None):
        missing, given = ("vocabulary", "idf_weights") if told is None else ("idf_weights", "vocabulary")
        raise StructureError(f"{plan.who}: {given} is given without {missing}. Give both, or none and learn them.")
    if told is None:
        return plan.idf(np.zeros(0), 0)
    weights = np.asarray(idf_weights, np.float32)
    if weights.shape == (plan.first + len(told),):  # with those of the numbers before the vocabulary
        return np.concatenate([weights[: plan.first], plan.idf(weights[plan.first :], len(told))[plan.first :]])
    return plan.idf(weights, len(told))


def learnt(plan: Numbering, counts: TokenCounts, oov_token: Any, state: Any) -> dict[str, np.ndarray]:
    """The state of a vocabulary of texts that were counted."""
    tokens = counts.vocabulary(plan, (plan.mask, oov_token))
    weights = {"idf_weights": plan.idf(counts.idf(tokens), len(tokens))} if plan.mode == "tf_idf" else {}
    return packed(tokens) | weights


def token_ids(plan: Numbering, state: Any, given: np.ndarray, salt: tuple[int, int] | None = None) -> np.ndarray:
    """The numbers of texts; -1 for the mask where it leaves no trace."""
    places = places_of_tokens(plan.who, state)
    tokens = given.reshape(-1).tolist()
    found = np.fromiter((places.get(token, -1) for token in tokens), np.int64, len(tokens))
    ids = found + plan.first
    missing = [i for i in np.flatnonzero(found < 0).tolist() if plan.mask is None or tokens[i] != plan.mask]
    if missing and plan.unknown == 0:
        raise ValueRangeError(
            f"{plan.who}: {tokens[missing[0]]!r:.60} is not in the vocabulary of {len(places)} tokens. Give "
            f"num_oov_indices=1, a number for what is unknown."
        )
    masked = (found < 0) if plan.mask is not None else np.zeros(len(found), bool)
    if missing:
        masked[missing] = False
        unknown = np.array([tokens[i] for i in missing], object)
        bins = hash_bins(as_bytes(unknown), plan.unknown, salt) if plan.unknown > 1 else 0
        ids[missing] = plan.first_unknown + bins
    ids[masked] = 0 if plan.mode == "int" else -1
    return ids.reshape(given.shape)


def numbers_or_vectors(plan: Numbering, state: Any, ids: Any) -> Any:
    """What the output mode makes of numbers."""
    if plan.mode == "int":
        return ids
    depth = plan.depth(len(state["ends"]) if "ends" in state else state["vocabulary"].shape[0])
    if plan.mode != "tf_idf":
        return encoded(plan.who, ids, plan.mode, depth)
    return encoded(plan.who, ids, "count", depth) * beside(state["idf_weights"], ids)


def _tokens_of(plan: Numbering, tokens: tuple[str, ...], ids: np.ndarray, oov_token: Any) -> np.ndarray:
    """The texts of numbers."""
    made = np.empty(ids.shape, object)
    first, last = plan.first, plan.first + len(tokens)
    made.reshape(-1)[:] = [
        plan.mask if i == 0 and plan.first_unknown else tokens[i - first] if first <= i < last else oov_token
        for i in ids.reshape(-1).tolist()
    ]
    return made


def tokens_in_state(layer: Layer, state: Any) -> tuple[list[Any], np.ndarray | None]:
    """The tokens that a layer with a vocabulary knows, and its weights of ``"tf_idf"``."""
    weights = state.get("idf_weights")
    known = np.asarray(to_host(state["vocabulary"])).tolist() if "vocabulary" in state else None
    tokens = list(unpacked_tokens(layer.kind, state)) if known is None else known
    return tokens, None if weights is None else np.asarray(to_host(weights))


def given_tokens(who: str, vocabulary: Any) -> list[str]:
    """The texts of a vocabulary, from the lines of a file if it is a path."""
    if not isinstance(vocabulary, str | PathLike):
        return texts(who, list(vocabulary)).tolist()
    try:
        lines = Path(vocabulary).read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{who}: the vocabulary {fspath(vocabulary)} cannot be read: {error}.") from None
    while lines and not lines[-1]:
        lines.pop()
    return lines
