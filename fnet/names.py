"""Names of things: a table for each kind, which things enter by a decorator, and one error for unknown names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from fnet.arguments import described
from fnet.errors import DtypeError, ValueRangeError, did_you_mean
from fnet.first_use import listed, load_all, load_listed

S = TypeVar("S")
T = TypeVar("T")


def snake_case(name: str) -> str:
    """The name in small letters, words apart.

    >>> snake_case("HeNormal"), snake_case("he_normal")
    ('he_normal', 'he_normal')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


class Names(Mapping[str, T]):
    """The things of a kind by their names; a thing may have several names.

    The decorator `named` enters a thing where it is defined, under its own name and others. The stub of a package gives
    it more names: ``Adam = adam``.
    expected: what the error for an unknown name says may be given. package: the package whose stub says in which module
    a name is; a look-up loads this module. spelling: gives the name in the table for a name in another spelling.

    >>> roots: Names[Callable[[float], float]] = Names("root")
    >>> @roots.named("sqrt")
    ... def square_root(x: float) -> float:
    ...     return x**0.5
    >>> roots.find("sqrt")(4.0), list(roots)
    (2.0, ['sqrt', 'square_root'])
    """

    def __init__(
        self, kind: str, expected: str = "", package: str | None = None, spelling: Callable[[str], str] = str
    ) -> None:
        self.kind, self._expected, self._package, self._spelling = kind, expected, package, spelling
        self._things: dict[str, Any] = {}

    def named(self, *aliases: str) -> Callable[[S], S]:
        """Enter the decorated thing under its own name and others."""

        def enter(thing: S) -> S:
            self.add(thing, thing.__name__, *aliases)  # type: ignore[attr-defined]
            return thing

        return enter

    def add(self, thing: Any, *names: str) -> None:
        """Enter a thing; it replaces a thing that the same definition made before.

        Raises `ValueRangeError` for a name that another thing has, even if its module is not loaded.
        """
        package = self._package
        places = {} if package is None else listed(package)
        for name in names:
            module = places[name][0] if name in places else thing.__module__
            if module != thing.__module__ or _place(self._things.get(name, thing)) != _place(thing):
                raise ValueRangeError(f"the name {name!r} stands for another {self.kind} already.")
        self._things.update(dict.fromkeys(names, thing))

    def find(self, name: str) -> T:
        """The thing of this name, in any spelling; a `ValueRangeError` says the nearest name."""
        try:
            return self[name if name in self._things else self._spelling(name)]
        except KeyError:
            raise self.unknown(name) from None

    def meant(self, given: Any, form: str) -> Any:
        """The function that is meant by a name, by an entry of the table, or by a function.

        An entry makes functions. Its name and the entry itself stand for the function that it makes by default. Any
        other function stands for itself. Raises `ValueRangeError` for an unknown name, and `DtypeError` for anything
        else; `form` says what it should be.
        """
        if isinstance(given, str):
            made: Any = self.find(given)
            return made()
        if callable(given):
            return given() if self.has(given) else given
        article = "an" if self.kind[0] in "aeiou" else "a"
        raise DtypeError(f"{article} {self.kind} is a name, {form}, received {described(given)}.")

    def has(self, thing: Any) -> bool:
        """Whether a thing is in the table, under any name. It needs no look-up: who has a thing has loaded it."""
        return any(thing is entry for entry in list(self._things.values()))

    def unknown(self, given: Any, *others: Mapping[str, Any]) -> ValueRangeError:
        """The error for a name that neither this table nor the others have; it says the nearest name."""
        expected = f": expected {self._expected}" if self._expected else ""
        known = {*self, *(name for other in others for name in other)}
        nearest = did_you_mean(self._spelling(given) if isinstance(given, str) else given, known)
        return ValueRangeError(f"unknown {self.kind} {given!r}{expected}.{nearest}")

    def __getitem__(self, name: str) -> T:
        package = self._package
        if package is not None and name not in self._things:
            name = load_listed(package, name)
        return self._things[name] if name in self._things else self._loaded()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._loaded()))

    def __len__(self) -> int:
        return len(self._loaded())

    def _loaded(self) -> dict[str, Any]:
        package, things = self._package, self._things
        if package is not None:
            load_all(package)
            places = listed(package).items()
            things.update({name: things[own] for name, (_, own) in places if own in things and name not in things})
            self._package = None
        return things


def _place(thing: Any) -> tuple[str, str]:
    """Where a thing is defined: the same place for a module that is loaded again, or a cell of a notebook."""
    return thing.__module__, getattr(thing, "__qualname__", repr(thing))
