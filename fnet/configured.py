"""Functions that remember how they were made: an initializer, a regularizer, a schedule with its arguments."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Generic, NoReturn, ParamSpec, TypeVar

import numpy as np

from fnet.errors import DtypeError, ValueRangeError, did_you_mean

_HINTS = {"seed": " Random numbers come from the key given to init: net.init(fnet.random.key(seed), shape)."}

P = ParamSpec("P")
R = TypeVar("R")


class Configured(Generic[R]):
    """A function with the `name` and the arguments (`config`) of what made it; equal if both are, so it can be saved.

    make: what made it, which makes it again where it is unpickled; without it, the function itself is pickled.

    >>> half = Configured(lambda x: x / 2, "scale", {"factor": 0.5})
    >>> half(3.0), half, half == Configured(lambda x: x / 2, "scale", {"factor": 0.5})
    (1.5, scale(factor=0.5), True)
    """

    name: str
    config: Mapping[str, Any]

    def __init__(
        self,
        function: Callable[..., R],
        name: str,
        config: Mapping[str, Any],
        make: Callable[..., Configured[R]] | None = None,
    ) -> None:
        self.__dict__.update(_function=function, name=name, config=MappingProxyType(dict(config)), _make=make)

    def __call__(self, *args: Any, **kwargs: Any) -> R:
        return self.__dict__["_function"](*args, **kwargs)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"{self!r} is immutable: make another one instead of setting '{name}'.")

    def __reduce__(self) -> tuple[Any, ...]:
        make, config = self.__dict__["_make"], dict(self.config)
        return (
            (Configured, (self.__dict__["_function"], self.name, config))
            if make is None
            else (make_again, (make, (), config))
        )

    def __copy__(self) -> Configured[R]:
        return self

    def __deepcopy__(self, memo: Any) -> Configured[R]:
        """The function itself, which never changes."""
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Configured) and (self.name, self.config) == (other.name, other.config)

    def __hash__(self) -> int:
        return hash((self.name, repr(self.config)))

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in self.config.items())})"


def configurable(make: Callable[P, Callable[..., R]]) -> Callable[P, Configured[R]]:
    """Give what `make` returns its name and arguments, defaults included; NumPy scalars become Python numbers."""
    signature = inspect.signature(make)

    @functools.wraps(make)
    def construct(*args: P.args, **kwargs: P.kwargs) -> Configured[R]:
        config = bound_arguments(make.__name__, signature, args, kwargs, _HINTS)
        return Configured(make(**config), make.__name__, config, construct)  # type: ignore[call-arg]

    return construct


def make_again(make: Callable[..., R], args: tuple, kwargs: Mapping[str, Any]) -> R:
    """``make(*args, **kwargs)``: how a thing that is pickled by its configuration comes back."""
    return make(*args, **kwargs)


def resolve(kind: str, form: str, table: Mapping[str, Callable[..., Any]], given: Any) -> Any:
    """What is meant by the name of an entry of `table`, in snake or camel case, by the entry itself, or by a function.

    An entry makes functions, and stands for what it makes by default; any other function stands for itself.
    Raises `ValueRangeError` for an unknown name, `DtypeError` for anything else, which should have the given `form`.
    """
    if isinstance(given, str):
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", given).lower()
        if name not in table:
            raise ValueRangeError(f"unknown {kind} '{given}'.{did_you_mean(name, table)}")
        return table[name]()
    if callable(given):
        return given() if given in table.values() else given
    article = "an" if kind[0] in "aeiou" else "a"
    raise DtypeError(f"{article} {kind} is a name, {form}, received {type(given).__name__} {given!r:.40}.")


def check_number(name: str, **values: Any) -> None:
    """Raise a `DtypeError` that names the argument for a value that is no number."""
    for argument, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float | np.number):
            raise DtypeError(f"{name}: {argument} is a number, received {type(value).__name__} {value!r:.40}.")


def check_not_negative(name: str, **values: Any) -> None:
    """Raise an error that names the argument for a value that is no number, or is negative or NaN."""
    check_number(name, **values)
    for argument, value in values.items():
        if not value >= 0:
            raise ValueRangeError(f"{name}: {argument} must not be negative, received {value}.")


def bound_arguments(
    name: str, signature: inspect.Signature, args: tuple, kwargs: Mapping[str, Any], hints: Mapping[str, str] = {}
) -> dict[str, Any]:
    """The arguments by name, defaults included; a `TypeError` names the one that is unknown or missing.

    hints: what to say of names that are no arguments, beside the closest one that is.
    """
    for given in kwargs:
        if given not in signature.parameters:
            hint = hints.get(given) or did_you_mean(given, signature.parameters)
            raise TypeError(f"{name}() got an unexpected argument '{given}'.{hint}")
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{name}(): {error}.") from None
    bound.apply_defaults()
    return {key: value.item() if isinstance(value, np.generic) else value for key, value in bound.arguments.items()}
