"""Things of users' own by the names under which files know them; `fnet.register` enters them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import FunctionType, MappingProxyType
from typing import Any

from fnet.errors import plain

_made: dict[str, Callable[..., Any]] = {}
_meanwhile: ContextVar[Mapping[str, Callable[..., Any]]] = ContextVar("meanwhile", default=MappingProxyType({}))


def enter(name: str, make: Callable[..., Any]) -> None:
    """Give a thing this name."""
    _made[name] = make


def found(name: str) -> Callable[..., Any] | None:
    """The thing of this name, None for none."""
    meanwhile = _meanwhile.get()
    return meanwhile.get(name) or meanwhile.get(class_name(name)) or _made.get(name)


@contextmanager
def known(things: Mapping[str, Callable[..., Any]]) -> Iterator[None]:
    """Know things by these names, or by them behind a package, in the context."""
    token = _meanwhile.set({**_meanwhile.get(), **things})
    try:
        yield
    finally:
        _meanwhile.reset(token)


def name_of(make: Any) -> str | None:
    """The name of a thing, None for none."""
    return name_where(lambda own: is_same(own, make))


def name_where(holds: Callable[[Any], bool]) -> str | None:
    """The name of the first thing of which this holds, None for none."""
    return next((name for name, own in _made.items() if holds(own)), None)


def hint(name: str) -> str:
    """How errors say that a thing may be the user's."""
    return f'If it is yours: fnet.register("{plain(name)}", make).'


def class_name(name: str) -> str:
    """The name without its package.

    >>> class_name("lab>Scale"), class_name("Scale")
    ('Scale', 'Scale')
    """
    return name.rpartition(">")[2]


def is_same(one: Any, other: Any) -> bool:
    """Whether two things are one, or functions or classes of one definition that has run again.

    What makes objects of a class, which it names as `serializes`, is that class.
    """
    one, other = (getattr(own, "serializes", own) for own in (one, other))
    kinds = FunctionType | type
    if not (isinstance(one, kinds) and isinstance(other, kinds)) or "<" in one.__qualname__:
        return one is other
    return (one.__module__, one.__qualname__) == (other.__module__, other.__qualname__)
