"""What launches may ask of a card."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """together: how many blocks of a launch may wait for each other, one on each multiprocessor; 1 where none may.

    shared_bytes: the shared memory of a block, at most.
    """

    together: int
    shared_bytes: int
