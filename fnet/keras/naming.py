"""Names that nobody chose: ``dense``, ``dense_1``, ... counted for the whole session, as Keras counts them."""

from __future__ import annotations

import threading

_COUNTS: dict[str, int] = {}
_LOCK = threading.Lock()


def unique_name(stem: str) -> str:
    """The next name of this stem.

    >>> clear_session()
    >>> unique_name("dense"), unique_name("dense"), unique_name("flatten")
    ('dense', 'dense_1', 'flatten')
    """
    with _LOCK:
        number = _COUNTS.get(stem, 0)
        _COUNTS[stem] = number + 1
    return f"{stem}_{number}" if number else stem


def clear_session() -> None:
    """Count the names of layers and models from the beginning again. Source: Keras ``backend.clear_session``."""
    with _LOCK:
        _COUNTS.clear()
