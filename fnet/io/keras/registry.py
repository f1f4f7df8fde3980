"""Things of users' own by the names under which files know them; `fnet.register` enters them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_made: dict[str, Callable[..., Any]] = {}


def enter(name: str, make: Callable[..., Any]) -> None:
    """Give a thing this name."""
    _made[name] = make


def found(name: str) -> Callable[..., Any] | None:
    """The thing of this name, None for none."""
    return _made.get(name)


def name_of(make: Any) -> str | None:
    """The name of a thing, None for none."""
    return next((name for name, own in _made.items() if is_same(own, make)), None)


def class_name(name: str) -> str:
    """The name without its package.

    >>> class_name("lab>Scale"), class_name("Scale")
    ('Scale', 'Scale')
    """
    return name.rpartition(">")[2]


def is_same(one: Any, other: Any) -> bool:
    """Whether two functions are one, or of one definition that has run again."""
    places = [(getattr(made, "__module__", None), getattr(made, "__qualname__", "<")) for made in (one, other)]
    return one is other or (places[0] == places[1] and "<" not in places[0][1] and type(one) is type(other))
