"""Public names that are loaded on first use (PEP 562), so that importing a package is cheap.

The stub beside a package, ``__init__.pyi``, lists them in lines ``from fnet.optimizers.adam import adam as adam``, and
other names for them in lines ``Adam = adam``: for type checkers, for editors, and for `on_first_use`. A package imports
none of its own modules when it is imported. So modules wait for one another in one direction only, and threads that
import at the same time never wait for each other in a circle.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import PurePath
from types import ModuleType
from typing import Any


class _Package(ModuleType):
    """A package in which a public name means what the stub says, also where a module of that name is imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        module, _ = self.__places__.get(name, (self.__name__, name))
        if module == self.__name__ or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


def on_first_use(
    package: str, kind: str | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """The ``__getattr__``, ``__dir__`` and ``__all__`` of a package whose names its stub lists.

    kind: what the error for an unknown name calls such a name.
    """
    module = sys.modules[package]
    places = listed(package)
    if any(source.rpartition(".")[2] in places for source, _ in places.values()):
        module.__dict__["__places__"] = places
        module.__class__ = _Package

    def load(name: str) -> Any:
        if name in places:
            source, original = places[name]
            if source == package:
                value: Any = importlib.import_module(f"{package}.{original}")
            else:
                value = getattr(importlib.import_module(source), original)
        elif not name.isidentifier() or name[0] == "_":
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        elif importlib.util.find_spec(f"{package}.{name}") is not None:
            value = importlib.import_module(f"{package}.{name}")
        else:
            raise _not_there(package, kind, name, set(places))
        module.__dict__[name] = value
        return value

    def names() -> list[str]:
        return sorted({*module.__dict__, *places})

    return load, names, sorted(places)


@functools.cache
def listed(package: str) -> Mapping[str, tuple[str, str]]:
    """Where each name in the stub of a package comes from: a module, and the name in this module."""
    module = sys.modules.get(package) or importlib.import_module(package)
    assert module.__file__ is not None and module.__spec__ is not None
    loader: Any = module.__spec__.loader  # also of packages in archives
    stub = ast.parse(loader.get_data(str(PurePath(module.__file__).with_name("__init__.pyi"))))
    places: dict[str, tuple[str, str]] = {}
    for line in stub.body:
        if isinstance(line, ast.ImportFrom) and line.module:
            places |= {name.asname: (line.module, name.name) for name in line.names if name.asname}
        elif isinstance(line, ast.Assign) and isinstance(line.value, ast.Name):
            places |= {name.id: places[line.value.id] for name in line.targets if isinstance(name, ast.Name)}
    return places


def load_listed(package: str, name: str) -> str:
    """Load the module from which a name in the stub of a package comes, and return the name in this module."""
    source, original = listed(package).get(name, (package, name))
    importlib.import_module(source)
    return original


def load_all(package: str) -> None:
    """Load all modules of a package that its stub names."""
    for source in dict.fromkeys(source for source, _ in listed(package).values()):
        if source.startswith(f"{package}."):
            importlib.import_module(source)


def _not_there(package: str, kind: str | None, name: str, known: set[str]) -> AttributeError:
    from fnet.errors import did_you_mean

    where = f"{package} has no {kind}" if kind else f"module {package!r} has no attribute"
    alike = [other for other in known if other[0].isupper() == name[0].isupper()]
    return AttributeError(f"{where} {name!r}.{did_you_mean(name, alike)}")
