"""Objects that are known as long as others use them."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Living(Generic[T]):
    """A set of weak references that other threads may add to while one looks through it, unlike `weakref.WeakSet`."""

    def __init__(self) -> None:
        self._references: dict[int, weakref.ref[T]] = {}

    def add(self, member: T) -> None:
        key, references = id(member), self._references
        references[key] = weakref.ref(
            member, lambda gone: references.pop(key, None) if references.get(key) is gone else None
        )

    def __iter__(self) -> Iterator[T]:
        for reference in list(self._references.values()):
            member = reference()
            if member is not None:
                yield member
