"""Texts as older tutorials number them; `fnet.layers.TextVectorization` is the newer way."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from fnet.arguments import integer, one_of
from fnet.data.fingerprint import farm_hash
from fnet.errors import StructureError

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
_MODES = ("binary", "count", "freq", "tfidf")


def text_to_word_sequence(input_text: str, filters: str = FILTERS, lower: bool = True, split: str = " ") -> list[str]:
    """The words of a text, in small letters and without the characters of `filters`.

    >>> text_to_word_sequence("The cat; the Dog")
    ['the', 'cat', 'the', 'dog']
    """
    text = input_text.lower() if lower else input_text
    apart: dict[str, str | int | None] = dict.fromkeys(filters, split)
    return [word for word in text.translate(str.maketrans(apart)).split(split) if word]


def one_hot(
    input_text: str,
    n: int,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Callable[[str], list[str]] | None = None,
) -> list[int]:
    """A number from 1 to ``n - 1`` for each word, by a hash: different words may have the same.

    It is `hashing_trick` with FarmHash64, so that a word has one number on every machine; that of Keras changes from
    session to session.
    """
    return hashing_trick(input_text, n, None, filters, lower, split, analyzer)


def hashing_trick(
    text: str,
    n: int,
    hash_function: Callable[[str], int] | str | None = None,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Callable[[str], list[str]] | None = None,
) -> list[int]:
    """A number from 1 to ``n - 1`` for each word; hash_function: a function of a word, "md5", or None for FarmHash64.

    >>> hashing_trick("a b a", 50, "md5")
    [15, 33, 15]
    """
    integer("hashing_trick", "n", n, 2)
    words = text_to_word_sequence(text, filters, lower, split) if analyzer is None else analyzer(text)
    hashes: Iterable[int]
    if hash_function is None:
        hashes = farm_hash([word.encode() for word in words]).tolist()
    elif callable(hash_function):
        hashes = map(hash_function, words)
    else:
        one_of("hashing_trick", "hash_function", hash_function, ("md5", "a function"))
        hashes = [int(hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(), 16) for word in words]
    return [value % (n - 1) + 1 for value in hashes]


class Tokenizer:
    """Numbers the words of texts by how often they are used: 1 is the most frequent one, 0 none.

    num_words: how many numbers are given, 0 among them. oov_token: stands for other words, number 1; without it they
    are left out. char_level: characters are the words. analyzer: a function that gives the words of a text.
    Source: Keras ``preprocessing.text.Tokenizer``.

    >>> tokenizer = Tokenizer()
    >>> tokenizer.fit_on_texts(["the cat", "the dog"])
    >>> tokenizer.texts_to_sequences(["the cat", "a dog"]), tokenizer.word_index
    ([[1, 2], [3]], {'the': 1, 'cat': 2, 'dog': 3})
    """

    def __init__(
        self,
        num_words: int | None = None,
        filters: str = FILTERS,
        lower: bool = True,
        split: str = " ",
        char_level: bool = False,
        oov_token: str | None = None,
        analyzer: Callable[[str], list[str]] | None = None,
        document_count: int = 0,
    ) -> None:
        self.num_words, self.filters, self.lower, self.split = num_words, filters, lower, split
        self.char_level, self.oov_token, self.analyzer = char_level, oov_token, analyzer
        self.document_count = document_count
        self.word_counts: Counter[str] = Counter()
        self.word_docs: Counter[str] = Counter()
        self.index_docs: Counter[int] = Counter()
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}

    def fit_on_texts(self, texts: Iterable[str | list[str]]) -> None:
        """Count the words of some texts, beside those that were counted before."""
        for text in texts:
            words = self._words(text)
            self.document_count += 1
            self.word_counts.update(words)
            self.word_docs.update(set(words))
        known = sorted(self.word_counts, key=lambda word: self.word_counts[word], reverse=True)
        known = known if self.oov_token is None else [self.oov_token, *known]
        self.word_index = {word: number for number, word in enumerate(known, 1)}
        self.index_word = {number: word for word, number in self.word_index.items()}
        self.index_docs = Counter({self.word_index[word]: count for word, count in self.word_docs.items()})

    def fit_on_sequences(self, sequences: Sequence[Sequence[int]]) -> None:
        """Count in how many sequences each number is."""
        self.document_count += len(sequences)
        for numbers in sequences:
            self.index_docs.update(set(numbers))

    def texts_to_sequences(self, texts: Iterable[str | list[str]]) -> list[list[int]]:
        """The numbers of the words of each text."""
        unknown = None if self.oov_token is None else self.word_index.get(self.oov_token)
        found = ([self._number(word, unknown) for word in self._words(text)] for text in texts)
        return [[number for number in numbers if number is not None] for numbers in found]

    def sequences_to_texts(self, sequences: Iterable[Iterable[int]]) -> list[str]:
        """The words of numbers, with spaces between them."""
        made = []
        for numbers in sequences:
            words = [self._word(number) for number in numbers]
            made.append(" ".join(word for word in words if word is not None))
        return made

    def texts_to_matrix(self, texts: Iterable[str | list[str]], mode: str = "binary") -> np.ndarray:
        """A row of `num_words` numbers for each text, see `sequences_to_matrix`."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences: Sequence[Sequence[int]], mode: str = "binary") -> np.ndarray:
        """A row for each sequence: for each number if it is there ("binary"), how often ("count", "freq"), "tfidf".

        Raises `StructureError` where nothing says how many numbers there are.
        """
        one_of("sequences_to_matrix", "mode", mode, _MODES)
        size = self.num_words or (len(self.word_index) + 1 if self.word_index else None)
        if size is None or (mode == "tfidf" and not self.document_count):
            raise StructureError("Tokenizer: give num_words, or show it texts first: tokenizer.fit_on_texts(texts).")
        made = np.zeros((len(sequences), size))
        for row, numbers in zip(made, sequences, strict=True):
            for number, count in Counter(n for n in numbers if n < size).items():
                row[number] = self._weight(mode, number, count, len(numbers))
        return made

    def get_config(self) -> dict[str, Any]:
        """The arguments, and what was counted as texts of JSON."""
        counted = ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
        plain = ("num_words", "filters", "lower", "split", "char_level", "oov_token", "document_count")
        own = {name: getattr(self, name) for name in plain}
        return own | {name: json.dumps(getattr(self, name)) for name in counted}

    def to_json(self, **options: Any) -> str:
        """The text of JSON that `tokenizer_from_json` reads, here and in Keras."""
        return json.dumps({"class_name": "Tokenizer", "config": self.get_config()}, **options)

    def _words(self, text: str | list[str]) -> Sequence[str]:
        if isinstance(text, list):
            return [word.lower() for word in text] if self.lower else text
        if self.char_level:
            return text.lower() if self.lower else text
        if self.analyzer is not None:
            return self.analyzer(text)
        return text_to_word_sequence(text, self.filters, self.lower, self.split)

    def _number(self, word: str, unknown: int | None) -> int | None:
        number = self.word_index.get(word)
        return unknown if number is None or (self.num_words and number >= self.num_words) else number

    def _word(self, number: int) -> str | None:
        word = self.index_word.get(number)
        return self.oov_token if word is None or (self.num_words and number >= self.num_words) else word

    def _weight(self, mode: str, number: int, count: int, length: int) -> float:
        if mode == "tfidf":
            return (1 + np.log(count)) * np.log(1 + self.document_count / (1 + self.index_docs[number]))
        return {"binary": 1, "count": count, "freq": count / length}[mode]


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """The tokenizer of a text of `Tokenizer.to_json`, of fnet or of Keras."""
    config = json.loads(json_string)["config"]
    counted = {name: json.loads(config.pop(name)) for name in ("word_counts", "word_docs", "word_index")}
    by_number = {name: json.loads(config.pop(name)) for name in ("index_docs", "index_word")}
    made = Tokenizer(**config)
    made.word_counts, made.word_docs = Counter(counted["word_counts"]), Counter(counted["word_docs"])
    made.word_index = counted["word_index"]
    made.index_docs = Counter({int(k): v for k, v in by_number["index_docs"].items()})
    made.index_word = {int(k): v for k, v in by_number["index_word"].items()}
    return made
