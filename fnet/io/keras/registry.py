"""Things of users' own by the names under which files know them; `fnet.register` enters them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FunctionType, MappingProxyType
from typing import Any

from fnet.errors import StructureError, plain

_made: dict[str, Callable[..., Any]] = {}
_meanwhile: list[Mapping[str, Callable[..., Any]]] = []


def enter(name: str, make: Callable[..., Any]) -> None:
    """Give a thing this name."""
    _made[name] = make


def found(name: str) -> Callable[..., Any] | None:
    """The thing of this name, None for none."""
    for things in reversed(_meanwhile):
        for key in (name, class_name(name)):
            if key in things:
                return things[key]
    return _made.get(name)


@contextmanager
def known(things: Mapping[str, Callable[..., Any]]) -> Iterator[None]:
    """Know things by these names, or by them behind a package, as long as the context lasts, in all threads."""
    own = MappingProxyType(dict(things))
    _meanwhile.append(own)
    try:
        yield
    finally:
        del _meanwhile[next(i for i, other in enumerate(_meanwhile) if other is own)]


def name_of(make: Any) -> str | None:
    """The name of a thing, None for none."""
    return name_where(lambda own: is_same(own, make))


def name_of_class(make: Any) -> str:
    """The name of a class of the user's own, by what makes its objects. Raises `StructureError` where it has none."""
    name = name_of(make)
    if name is None:
        kind = plain(make.__name__)
        raise StructureError(
            f"{kind}: files know classes of your own by names. Decorate it: "
            f"@keras.saving.register_keras_serializable('lab'), or save with include_optimizer=False."
        )
    return name


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
