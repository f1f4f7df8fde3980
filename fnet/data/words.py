"""Texts in tokens: made alike, split, and joined to groups of neighbours. ASCII alone counts as letters and spaces."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_WORD = re.compile(r"[^ \t\n\v\f\r]+")


def lowered(text: str) -> str:
    """The text with small letters for the capital ones from A to Z.

    >>> lowered("Über ALLES")
    'Über alles'
    """
    return text.translate(_LOWER)


def unpunctuated(text: str) -> str:
    """The text without the punctuation marks of ASCII.

    >>> unpunctuated("don't stop, please!")
    'dont stop please'
    """
    return text.translate(_NO_PUNCTUATION)


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
