"""Configs of Keras: plain data of a file, of which every value is checked when it is read.

A `ValueKind` reads what a file says, or raises a `FileError` that says where in the file it is, and writes what goes
into a file. Keys that nobody asks for are ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fnet.arguments import is_integer, is_number
from fnet.errors import FileError, StructureError, plain

LARGEST = 2**31 - 1  # integer of a config: sizes of more make no array that fits into memory

_LONGEST_PATH, _KEPT = 400, 150  # characters of a path, and of its ends where it is longer


def unchanged(value: Any) -> Any:
    """The value, which is plain data already."""
    return value


@dataclass(frozen=True)
class ValueKind:
    """A kind of values: ``read(value, path)`` checks what a file says at a path, ``write(value)`` is the inverse."""

    read: Callable[[Any, str], Any]
    write: Callable[[Any], Any] = unchanged


class Config:
    """The fields of one object in a file; `path` says where it is, `depth` in how many layers.

    >>> config = Config({"units": 3, "use_bias": "no"}, "layers/dense")
    >>> config.read("units", INTEGER)
    3
    >>> config.read("use_bias", FLAG)
    Traceback (most recent call last):
        ...
    fnet.errors.FileError: layers/dense/use_bias: expected True or False, received 'no'.
    """

    def __init__(self, fields: Any, path: str, depth: int = 0) -> None:
        if not isinstance(fields, Mapping):
            raise wrong(path, "an object with fields", fields)
        short = path if len(path) < _LONGEST_PATH else f"{path[:_KEPT]}...{path[-_KEPT:]}"
        self.fields, self.path, self.depth = fields, short, depth

    def __contains__(self, key: str) -> bool:
        return key in self.fields

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)

    def raw(self, key: str) -> Any:
        """The value of a field as it is in the file, None where it is missing."""
        return self.fields.get(key)

    def read(self, key: str, kind: ValueKind) -> Any:
        """The checked value of a field, which must be there."""
        if key not in self.fields:
            raise FileError(f"{self.path}: there is no '{key}'.")
        return kind.read(self.fields[key], f"{self.path}/{key}")

    def object(self, key: str) -> Config:
        """The object in a field, which must be there."""
        return Config(self.read(key, ValueKind(lambda value, path: value)), f"{self.path}/{key}", self.depth)


def wrong(path: str, expected: str, received: Any) -> FileError:
    """The error for a value that is not what it should be."""
    return FileError(f"{path}: expected {expected}, received {plain(repr(received))}.")


def integers(least: int = 1, optional: bool = False, most: int = LARGEST) -> ValueKind:
    """One integer from `least` to `most`, or None if `optional`."""
    words = f"an integer >= {least}{' or null' if optional else ''}"

    def read(value: Any, path: str) -> int | None:
        if value is None and optional:
            return None
        if not is_integer(value) or not least <= value <= most:
            raise wrong(path, words, value)
        return int(value)

    return ValueKind(read)


def _number(value: Any, path: str) -> float:
    if not is_number(value) or abs(value) > 1e308:
        raise wrong(path, "a number", value)
    return value


def _flag(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise wrong(path, "True or False", value)
    return value


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise wrong(path, "text", value)
    return value


def word(*words: str | None) -> ValueKind:
    """One of a few words; None may be among them."""
    *rest, last = (repr(word) for word in words)
    listed = f"{', '.join(rest)} or {last}" if rest else last

    def read(value: Any, path: str) -> str | None:
        if not (value is None or isinstance(value, str)) or value not in words:
            raise wrong(path, listed, value)
        return value

    return ValueKind(read)


def optional(kind: ValueKind) -> ValueKind:
    """None, or a value of this kind."""
    return ValueKind(
        lambda value, path: None if value is None else kind.read(value, path),
        lambda value: None if value is None else kind.write(value),
    )


def several(kind: ValueKind, least: int = 0, most: int = 10_000) -> ValueKind:
    """A list of values of a kind; a tuple for fnet."""

    def read(value: Any, path: str) -> tuple[Any, ...]:
        items = sequence(value)
        if items is None or not least <= len(items) <= most:
            raise wrong(path, f"a list of {least} to {most} values", value)
        return tuple(kind.read(item, f"{path}/{i}") for i, item in enumerate(items))

    return ValueKind(read, lambda value: [kind.write(item) for item in value])


def either(one: ValueKind, more: ValueKind) -> ValueKind:
    """A list or tuple of the second kind, anything else is of the first."""
    return ValueKind(
        lambda value, path: (one if sequence(value) is None else more).read(value, path),
        lambda value: (more if isinstance(value, tuple | list) else one).write(value),
    )


def sequence(value: Any) -> Sequence[Any] | None:
    """The items of a list, also of one that Keras marks as a tuple; None for anything else."""
    if isinstance(value, Mapping) and value.get("class_name") == "__tuple__":
        value = value.get("items", value.get("config"))
    return value if isinstance(value, list | tuple) else None


def _plain(value: Any) -> Any:
    """A number, text, truth or None of an argument; anything else is no plain data."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise StructureError(f"a file cannot hold {plain(repr(value))}.")


INTEGER = integers()
NUMBER = ValueKind(_number, _plain)
FLAG = ValueKind(_flag)
TEXT = ValueKind(_text)
SIZES = either(INTEGER, several(INTEGER, 1, 3))
"""A size for all axes of an image, or one for each."""
