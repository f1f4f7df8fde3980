"""Errors that teach: where it happened (the path of layers), what was expected, what came, how to fix it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from types import TracebackType
from typing import Any


class FnetError(Exception):
    """Base of fnet's own errors; containers add their name to `path` while the error passes through them."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.path: tuple[str, ...] = ()
        self.layer: str | None = None

    def __str__(self) -> str:
        where = f"in '{'/'.join(self.path)}': " if self.path else ""
        which = f"\nThe layer is {self.layer}." if self.layer else ""
        return f"{where}{self.message}{which}"

    def __reduce__(self) -> tuple[Any, ...]:
        """With its attributes, whatever the constructor takes: a pool of processes hands errors over like this."""
        return _restored, (type(self), self.args, self.__dict__)


class ShapeError(FnetError, ValueError):
    """Sizes or ranks do not fit."""


class BatchSizeError(ShapeError):
    """A layer that keeps something of every sample of a batch got a batch of another size than `expected`."""

    def __init__(self, message: str, expected: int) -> None:
        super().__init__(message)
        self.expected = expected


class AxisSizeError(ShapeError):
    """An axis of size `received` does not suit: it should be at least, at most or a multiple of another number."""

    def __init__(
        self, message: str, received: int, *, least: int | None = None, most: int | None = None, multiple: int = 1
    ) -> None:
        super().__init__(message)
        self.received, self.least, self.most, self.multiple = received, least, most, multiple


class DtypeError(FnetError, TypeError):
    """An element type is not supported, or differs from the one expected."""


class StructureError(FnetError, ValueError):
    """Two trees, or a tree and a network, do not match; the message names the path."""


class ValueRangeError(FnetError, ValueError):
    """A value (a label, an index, a rate, a name ...) is outside what is allowed."""


class ArgumentError(DtypeError, ValueRangeError):
    """An argument is of another type than all values that it may have."""


class IndexRangeError(ValueRangeError, IndexError):
    """An index does not fit the array, as NumPy's IndexError."""


class DerivativeError(FnetError, TypeError):
    """A derivative was asked of a function that has none."""


class DeviceError(FnetError, TypeError):
    """Arrays are on another device than where they are needed, or a device is not there."""


class TracingError(FnetError, TypeError):
    """A traced value was used where only a concrete one works, or the reverse."""


class FileError(FnetError, ValueError):
    """A file is damaged, hostile, of another kind or of another network."""


class NonFiniteError(FnetError, ArithmeticError):
    """Training met a NaN or an infinite loss.

    ts: the `fnet.TrainState` after the last step whose loss and parameters were finite; history: the record of the
    epochs before. Both are None where the error is not of a training run.
    """

    def __init__(self, message: str, ts: Any = None, history: Any = None) -> None:
        super().__init__(message)
        self.ts = ts
        self.history = history


def _restored(cls: type[FnetError], args: tuple[Any, ...], attributes: dict[str, Any]) -> FnetError:
    error = cls.__new__(cls, *args)
    error.__dict__.update(attributes)
    return error


class scope:  # noqa: N801  (used as a function; a generator would cost more than all else around a call)
    """Prefix the path of any `FnetError` raised inside with `name`; the innermost `layer` is shown with it."""

    __slots__ = ("layer", "name")

    def __init__(self, name: str, layer: object = None) -> None:
        self.name, self.layer = name, layer

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, FnetError):
            error.path = (self.name, *error.path)
            if self.layer is not None and error.layer is None:
                error.layer = f"{self.layer!r:.200}"


def plain(text: str, most: int = 80) -> str:
    r"""`text` of unknown origin for a message: what does not print as an escape, and no more than `most` characters.

    >>> plain("\x1b[31mred" + "!" * 99, 12)
    '\\x1b[31mred!!!!...'
    """
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:most])
    return shown if len(text) <= most else f"{shown}..."


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """``" Did you mean 'relu'?"`` or, with no close match, the list of what is known."""
    names = sorted(known)
    close = difflib.get_close_matches(str(name).lower(), [n.lower() for n in names], n=1)
    if close:
        alike = [n for n in names if n.lower() == close[0]]
        return f" Did you mean '{close[0] if close[0] in alike else alike[0]}'?"
    return f" Known: {', '.join(names)}."
