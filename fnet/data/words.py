"""Texts in tokens: made alike, split, and joined to groups of neighbours. ASCII alone counts as letters and spaces."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Sequence

_WORD = re.compile(r"[^ \t\n\v\f\r]+")


def alike(lower: bool, strip_punctuation: bool) -> Callable[[str], str]:
    """The function that gives a text small letters for the capital ones from A to Z, and no punctuation of ASCII.

    >>> alike(True, True)("Don't stop, ÜBER alles!")
    'dont stop Über alles'
    """
    table: dict[int, int | None] = {}
    if lower:
        table.update(str.maketrans(string.ascii_uppercase, string.ascii_lowercase))
    if strip_punctuation:
        table.update(str.maketrans("", "", string.punctuation))
    return lambda text: text.translate(table)


def words(text: str) -> list[str]:
    """What stands between spaces, tabs and ends of lines.

    >>> words("  the   end ")
    ['the', 'end']
    """
    return _WORD.findall(text)


def ngrams(tokens: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Neighbouring tokens joined by spaces: all groups of the first width, then those of the next one.

    >>> ngrams(["a", "b", "c"], (1, 2))
    ['a', 'b', 'c', 'a b', 'b c']
    """
    return [" ".join(tokens[i : i + n]) for n in widths for i in range(len(tokens) - n + 1)]
