"""Checks of arguments, each one function: it gives the value, or an error with argument, expectation and value.

who: the function whose argument it is, as the error names it. says: what the error says in place of its usual words; a
text with ``{argument}``, and where there is a range of numbers, ``{range}``.
"""

from __future__ import annotations

import functools
import math
import re
import warnings
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

import numpy as np

from fnet.errors import ArgumentError, ShapeError, ValueRangeError, did_you_mean

_INTEGERS = int | np.integer
_NUMBERS = int | float | np.integer | np.floating
_INTERVAL = re.compile(r"([\[(])(-?[\d.]+|-inf), (-?[\d.]+|inf)([\])])")


def is_integer(value: Any) -> bool:
    """Whether it is an integer, and no boolean."""
    return isinstance(value, _INTEGERS) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether it is a real number, also as an array without axes, and no boolean."""
    if isinstance(value, np.ndarray):
        return value.ndim == 0 and value.dtype.kind in "fiu"
    return isinstance(value, _NUMBERS) and not isinstance(value, bool)


def described(value: Any) -> str:
    """What an argument is that has the wrong type.

    >>> described("3")
    "str '3'"
    """
    return f"{type(value).__name__} {value!r:.40}"


def integer(
    who: str, argument: str, value: Any, least: int = 1, says: str = "expected {argument} to be an integer >= {least}"
) -> int:
    """`value` as an int of at least `least`.

    >>> integer("muon", "ns_steps", 5)
    5
    """
    whole = type(value) is int or is_integer(value)
    if whole and value >= least:
        return int(value)
    error = ValueRangeError if whole else ArgumentError
    raise error(f"{who}: {says.format(argument=argument, least=least)}, received {value!r:.40}.")


def positive_integer(who: str, argument: str, value: Any) -> int:
    """`value` as an int of at least 1."""
    if not is_integer(value):
        raise _wrong_type(who, argument, "a positive integer", value)
    return integer(who, argument, value, says="{argument} is a positive integer")


def positive_integers(who: str, argument: str, value: Any, count: int) -> tuple[int, ...]:
    """As many positive integers, from one for all of them or a sequence."""
    values = value if isinstance(value, tuple | list) else (value,) * count
    if len(values) != count:
        raise ShapeError(f"{who}: {argument} is an integer or {count} of them, received {value!r}.")
    return tuple(positive_integer(who, argument, n) for n in values)


def sequence(who: str, argument: str, value: Any) -> list[Any]:
    """The items of `value`, a list, a tuple, a range or an array."""
    if not isinstance(value, list | tuple | range) and np.ndim(value) == 0:
        raise _wrong_type(who, argument, "a sequence", value)
    return list(value)


def integer_or_none(who: str, argument: str, value: Any) -> int | None:
    """`value` as an int, or None."""
    if value is not None and not is_integer(value):
        raise _wrong_type(who, argument, "an integer or None", value)
    return None if value is None else int(value)


def number(who: str, argument: str, value: Any, interval: str | None = None, says: str = "expected {range}") -> float:
    """`value` as a float, which is in the interval, in the notation of mathematics.

    >>> number("adam", "beta_1", 0.9, "[0, 1)")
    0.9
    """
    if type(value) is not float and not is_number(value):
        raise _wrong_type(who, argument, "a number", value)
    if interval is not None:
        low, high, open_below, open_above = bounds = _bounds(interval)
        if not ((low < value if open_below else low <= value) and (value < high if open_above else value <= high)):
            words = says.format(argument=argument, range=bounds.around(argument))
            raise ValueRangeError(f"{who}: {words}, received {value}.")
    return float(value)


def not_negative(who: str, argument: str, value: Any) -> float:
    """`value` as a float of at least 0."""
    return number(who, argument, value, "[0, inf]", "{argument} must not be negative")


def positive(who: str, argument: str, value: Any) -> float:
    """`value` as a float above 0."""
    return number(who, argument, value, "(0, inf]", "{argument} is positive")


def fraction(who: str, argument: str, value: Any) -> float:
    """`value` as a float between 0 and 1."""
    return number(who, argument, value, "[0, 1]", "{argument} is a fraction, expected {range}")


def flag(who: str, argument: str, value: Any) -> bool:
    """`value` as a bool; what is true in other ways is not taken for True."""
    if not isinstance(value, bool | np.bool_):
        raise ArgumentError(f"{who}: {argument} is True or False, received {value!r:.40}.")
    return bool(value)


def known_word(who: str, argument: str, value: Any, known: Collection[Any]) -> Any:
    """`value`, which is one of the known words or None if that is among them; an error says the nearest one."""
    if not (value is None or isinstance(value, str)) or value not in known:
        nearest = did_you_mean(value, (word for word in known if word is not None))
        raise ValueRangeError(f"{who}: unknown {argument} {value!r:.40}.{nearest}")
    return value


def one_of(who: str, argument: str, value: Any, words: Iterable[str], says: str = "{argument} is {words}") -> Any:
    """`value`, which is one of a few words; an error lists them."""
    words = list(words)
    if not isinstance(value, str) or value not in words:
        listed = f"{', '.join(map(repr, words[:-1]))} or {words[-1]!r}"
        raise ValueRangeError(f"{who}: {says.format(argument=argument, words=listed)}, received {value!r:.40}.")
    return value


def warn_without_effect(who: str, argument: str, needed: str, depth: int = 4) -> None:
    """Tell of an argument that does nothing without another one.

    depth: frames from here to the call of the user, by default of a constructor whose function calls this one.
    """
    warnings.warn(f"{who}: {argument} has no effect without {needed}.", stacklevel=depth)


def _wrong_type(who: str, argument: str, wanted: str, value: Any) -> ArgumentError:
    """The error for a value of another type; a traced value raises its own, which says what to do."""
    if hasattr(value, "spec"):
        bool(value)
    return ArgumentError(f"{who}: {argument} is {wanted}, received {described(value)}.")


class _Bounds(NamedTuple):
    """The numbers of an interval."""

    low: float
    high: float
    open_below: bool
    open_above: bool

    def around(self, argument: str) -> str:
        """What the bounds say of an argument: ``0 <= x < 1``, ``x > 0``, ``x >= 0 and finite``."""
        below, above = "<" if self.open_below else "<=", "<" if self.open_above else "<="
        if self.low == -math.inf:
            return f"{argument} {above} {self.high:g}"
        if self.high == math.inf:
            return f"{argument} {below.replace('<', '>')} {self.low:g}{' and finite' if self.open_above else ''}"
        return f"{self.low:g} {below} {argument} {above} {self.high:g}"


@functools.cache
def _bounds(interval: str) -> _Bounds:
    parts = _INTERVAL.fullmatch(interval)
    assert parts is not None, interval
    return _Bounds(float(parts[2]), float(parts[3]), parts[1] == "(", parts[4] == ")")
