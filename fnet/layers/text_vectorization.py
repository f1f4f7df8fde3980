"""The layer that makes numbers of texts: it makes them alike, splits them into tokens, and numbers these."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, Literal

import numpy as np

from fnet.arguments import flag, is_integer, one_of, positive_integer
from fnet.data import words as tokens_of
from fnet.errors import ArgumentError, ShapeError, StructureError
from fnet.layers.constructor import LAYERS, Learner, layer_constructor
from fnet.layers.host_values import rows_of_any_length, texts
from fnet.layers.string_lookup import (
    OutputMode,
    given_tokens,
    learnt,
    numbers_or_vectors,
    token_ids,
    vocabulary_state,
)
from fnet.layers.vocabulary import TokenCounts, checked_tokens, numbering
from fnet.networks.learning import Learning
from fnet.regularizers import RegularizerLike
from fnet.transforms.operand import is_only_shape

STANDARDS = ("lower_and_strip_punctuation", "lower", "strip_punctuation")
SPLITS = ("whitespace", "character")
Standard = Literal["lower_and_strip_punctuation", "lower", "strip_punctuation"] | Callable[[Any], Any] | None
Split = Literal["whitespace", "character"] | Callable[[Any], Any] | None
_UNKNOWN = "[UNK]"


@LAYERS.named()
@layer_constructor(several=True, on_host=True)
def TextVectorization(
    max_tokens: int | None = None,
    standardize: Standard = "lower_and_strip_punctuation",
    split: Split = "whitespace",
    ngrams: int | Sequence[int] | None = None,
    output_mode: OutputMode = "int",
    output_sequence_length: int | None = None,
    pad_to_max_tokens: bool = False,
    vocabulary: Sequence[str] | str | PathLike[str] | None = None,
    idf_weights: Sequence[float] | None = None,
    ragged: bool = False,
    encoding: str = "utf-8",
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Learner:
    """The numbers of the tokens of each text: 0 where it has ended, 1 for tokens not in the vocabulary, then these.

    standardize: small letters for capital ones, and no punctuation, of ASCII; one of the two, None, or a function of an
    array of strings that returns one. split: at whitespace, into characters, a function of an array of strings that
    returns a list of tokens for each, or None for inputs (N, T) of tokens. ngrams: groups of so many neighbouring
    tokens in place of tokens, for an integer of up to so many.

    vocabulary, max_tokens, output_mode, pad_to_max_tokens, idf_weights, encoding: see `StringLookup`; without a
    vocabulary, `fnet.adapt` learns it. output_sequence_length: of integers; longer texts are cut off, without it rows
    have the length of the longest one. With `ragged`, rows stay as they are: an array of arrays, for the host alone. It
    runs on the host, before what is compiled.

    x: (N,) or (N, 1) texts -> (N, T) int64, or (N, vocabulary) float32. State: see `StringLookup`.
    Source: Keras ``TextVectorization``, with the same numbers.

    >>> import fnet
    >>> layer = TextVectorization(output_sequence_length=4)
    >>> params, state = layer.init(fnet.random.key(0), ())
    >>> state = fnet.adapt(layer, params, state, ["The cat sat.", "The dog!"])
    >>> layer.apply(params, state, ["the dog ran"])[0]
    array([[2, 4, 1, 0]])
    """
    who = "TextVectorization"
    plan = numbering(who, output_mode, "", 1, max_tokens, pad_to_max_tokens)
    prepare, part, widths = _standard(standardize), _splitter(split), _widths(ngrams)
    length = None
    if output_sequence_length is not None:
        length = positive_integer(who, "output_sequence_length", output_sequence_length)
    if plan.mode != "int" and (length is not None or flag(who, "ragged", ragged)):
        argument = "ragged" if length is None else "output_sequence_length"
        raise StructureError(f"{who}: {argument} is for output_mode='int', received {plan.mode!r}. Leave it out.")
    told = None if vocabulary is None else checked_tokens(plan, given_tokens(who, vocabulary), _UNKNOWN)

    def documents(x: Any) -> list[list[str]]:
        """The tokens of each text."""
        given = texts(who, x, encoding)
        if given.ndim == 0:
            raise ShapeError(f"{who}: expected texts (N,) or (N, 1), received a single one. Give a list of it: [text].")
        if split is not None and given.ndim > 1:
            if given.shape[1:] != (1,):
                raise ShapeError(
                    f"{who}: expected texts (N,) or (N, 1), received {given.shape}. For tokens: split=None."
                )
            given = given[:, 0]
        rows = part(prepare(given))
        return [tokens_of.ngrams(row, widths) for row in rows] if widths else rows

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        if is_only_shape(x):
            return _shape_alone(x, state), state
        rows = documents(x)
        ids = token_ids(plan, state, np.array(list(itertools.chain.from_iterable(rows)), object))
        sizes = np.array([len(row) for row in rows], np.int64)
        if plan.mode == "int" and ragged:
            return _ragged(np.split(ids, np.cumsum(sizes)[:-1]), length), state
        longest = int(sizes.max(initial=0))
        made = np.full((len(rows), max(longest, 1)), 0 if plan.mode == "int" else -1, np.int64)
        made[np.arange(made.shape[1]) < sizes[:, None]] = ids
        if plan.mode == "int":
            return (made[:, :longest] if length is None else _fitted(made, length)), state
        return numbers_or_vectors(plan, state, made), state

    def _shape_alone(x: Any, state: Any) -> Any:
        if plan.mode == "int" and length is None:
            return rows_of_any_length(x)
        return numbers_or_vectors(plan, state, np.zeros((x.shape[0], length or 1), np.int64))

    learning = Learning(
        lambda: TokenCounts(plan.mode == "tf_idf"),
        lambda counts, x: counts.add(documents(x)),
        lambda counts, state: learnt(plan, counts, _UNKNOWN, state),
    )
    return vocabulary_state(plan, told, idf_weights), apply, None if told is not None else learning


def _fitted(rows: np.ndarray, length: int) -> np.ndarray:
    """Rows of integers cut off, or filled up with 0."""
    return np.pad(rows[:, :length], ((0, 0), (0, max(length - rows.shape[1], 0))))


def _ragged(rows: list[np.ndarray], length: int | None) -> np.ndarray:
    made = np.empty(len(rows), object)
    for place, row in enumerate(rows):
        made[place] = row[:length]
    return made


def _standard(given: Any) -> Callable[[np.ndarray], np.ndarray]:
    """The function that makes texts alike."""
    if given is None:
        return lambda array: array
    if callable(given):
        return lambda array: texts("TextVectorization: what standardize returns", given(array))
    one_of("TextVectorization", "standardize", given, STANDARDS)
    change = tokens_of.alike("lower" in given, "strip_punctuation" in given)

    def alike(array: np.ndarray) -> np.ndarray:
        made = np.empty(array.shape, object)
        made.reshape(-1)[:] = [change(text) for text in array.reshape(-1).tolist()]
        return made

    return alike


def _splitter(given: Any) -> Callable[[np.ndarray], list[list[str]]]:
    """The function that gives the tokens of each text."""
    if given is None:
        return lambda array: array.reshape(len(array), -1).tolist()
    if callable(given):
        return lambda array: [list(map(str, row)) for row in given(array)]
    one_of("TextVectorization", "split", given, SPLITS)
    cut: Callable[[str], list[str]] = tokens_of.words if given == "whitespace" else list
    return lambda array: [cut(text) for text in array.tolist()]


def _widths(given: Any) -> tuple[int, ...]:
    """How many tokens groups have, nothing for single tokens."""
    if given is None:
        return ()
    several = (
        tuple(given) if isinstance(given, tuple | list) else tuple(range(1, given + 1)) if is_integer(given) else ()
    )
    if not several or not all(is_integer(n) and n >= 1 for n in several):
        raise ArgumentError(f"TextVectorization: ngrams is a positive integer or several, received {given!r:.40}.")
    return several
