"""Leaves chosen by regular expressions of their paths."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import Any

from fnet import tree
from fnet.errors import did_you_mean


def as_patterns(which: Any) -> tuple[str, ...] | None:
    """One regular expression or several as a tuple; None for what is none, such as a predicate or a mask."""
    patterns = (which,) if isinstance(which, str) else which
    several = isinstance(patterns, Sequence) and all(isinstance(pattern, str) for pattern in patterns)
    return tuple(patterns) if several else None


def matches(patterns: Sequence[str], path: str) -> bool:
    """Whether one of the regular expressions is found in the path."""
    return any(re.search(pattern, path) for pattern in patterns)


def as_predicate(exclude: Any) -> Any:
    """Regular expressions as a predicate of the path; a predicate or a mask as it is."""
    patterns = as_patterns(exclude)
    return exclude if patterns is None else lambda path, leaf: matches(patterns, path)


def tell_unused(name: str, which: Any, params: Any) -> None:
    """Warn of regular expressions that are found in no path of the parameters."""
    paths = [path for path, _ in tree.leaves_with_path(params)]
    known = {part for path in paths for part in path.split("/")}
    for pattern in as_patterns(which) or ():
        if not any(re.search(pattern, path) for path in paths):
            warnings.warn(
                f"{name}: {pattern!r} matches no parameter.{did_you_mean(pattern, known) if known else ''}",
                stacklevel=2,
            )
