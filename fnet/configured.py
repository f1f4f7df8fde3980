"""Things that know how they were made: layers, losses, optimizers, initializers, schedules with their arguments."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, NoReturn, ParamSpec, TypeVar

import numpy as np

from fnet.arguments import flag
from fnet.errors import did_you_mean

_HINTS = {"seed": " Random numbers come from the key given to init: net.init(fnet.random.key(seed), shape)."}

P = ParamSpec("P")
Q = ParamSpec("Q")
M = TypeVar("M")
R = TypeVar("R")
T = TypeVar("T")


class Recipe(NamedTuple):
    """How a thing was made, so that it can be made again: a function that can be imported, and its arguments."""

    make: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.make.__name__


def bound_arguments(
    name: str, signature: inspect.Signature, args: tuple, kwargs: Mapping[str, Any], hints: Mapping[str, str] = {}
) -> dict[str, Any]:
    """The arguments by name, defaults included; a `TypeError` names the one that is unknown or missing.

    NumPy scalars become Python numbers, which are weak: they leave float32 arrays float32.
    hints: what the error says of some names that are no arguments, in place of the nearest one that is.
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


def constructor(
    finish: Callable[[M, Recipe], T],
    bind: Callable[[str, inspect.Signature, tuple, Mapping[str, Any]], dict[str, Any]] = bound_arguments,
    shared: Mapping[str, Any] = {},
) -> Callable[[Callable[P, M]], Callable[P, T]]:
    """Make a function a constructor: what it makes knows this constructor and all arguments, defaults included.

    Type checkers, editors and `inspect` see the signature of the function. So the function lists all its arguments. One
    that is annotated as a bool is True or False.
    finish: ``finish(made, recipe)`` gives what the constructor returns. bind: the function that gives the arguments by
    name. shared: keywords with defaults that all constructors of a kind take, whether or not a function lists them.

    >>> @constructor(lambda made, recipe: (recipe.name, recipe.kwargs, made))
    ... def half(of: float = 1.0) -> float:
    ...     return of / 2
    >>> half(3.0)
    ('half', {'of': 3.0}, 1.5)
    """

    def decorate(make: Callable[P, M]) -> Callable[P, T]:
        own = inspect.signature(make)
        if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.POSITIONAL_ONLY) for p in own.parameters.values()):
            raise TypeError(f"{make.__name__}{own}: a constructor takes arguments by name. List each of them.")
        truths = [key for key, default in shared.items() if isinstance(default, bool)]
        more = [inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=shared[key]) for key in shared]
        takes = own.replace(parameters=[*own.parameters.values(), *(p for p in more if p.name not in own.parameters)])
        flags = [p.name for p in takes.parameters.values() if p.annotation in ("bool", bool) or p.name in truths]

        @functools.wraps(make)
        def construct(*args: P.args, **kwargs: P.kwargs) -> T:
            arguments = bind(make.__name__, takes, args, kwargs)
            for key in flags:
                if type(arguments[key]) is not bool:
                    flag(make.__name__, key, arguments[key])
            made = make(**{key: arguments[key] for key in own.parameters})  # type: ignore[call-arg]
            return finish(made, Recipe(construct, (), arguments))

        return construct

    return decorate


def combinator(finish: Callable[[M, Recipe], T]) -> Callable[[Callable[P, M]], Callable[P, T]]:
    """As `constructor`, for a function of other things: the recipe keeps the arguments as they are given."""

    def decorate(make: Callable[P, M]) -> Callable[P, T]:
        @functools.wraps(make)
        def combine(*args: P.args, **kwargs: P.kwargs) -> T:
            return finish(make(*args, **kwargs), Recipe(combine, args, kwargs))

        return combine

    return decorate


def is_default(value: Any, default: Any) -> bool:
    """Whether an argument is the default of its parameter, or equal to it; an array is equal to itself only."""
    return value is default or (type(value) is type(default) and not isinstance(value, np.ndarray) and value == default)


def make_again(make: Callable[..., R], args: tuple, kwargs: Mapping[str, Any]) -> R:
    """``make(*args, **kwargs)``: unpickling calls it for a thing that is pickled by its recipe."""
    return make(*args, **kwargs)


class Configured(Generic[Q, R]):
    """A function that knows the `name` and the arguments (`config`) of what made it; equal to others by these two.

    make: the function that made it. Unpickling calls `make` again; without it, the function itself is pickled.

    >>> half = Configured(lambda x: x / 2, "scale", {"factor": 0.5})
    >>> half(3.0), half, half == Configured(lambda x: x / 2, "scale", {"factor": 0.5})
    (1.5, scale(factor=0.5), True)
    """

    name: str
    config: Mapping[str, Any]

    def __init__(
        self,
        function: Callable[Q, R],
        name: str,
        config: Mapping[str, Any],
        make: Callable[..., Configured[Q, R]] | None = None,
    ) -> None:
        self.__dict__.update(_function=function, name=name, config=MappingProxyType(dict(config)), _make=make)

    @property
    def function(self) -> Callable[Q, R]:
        """The function alone."""
        return self.__dict__["_function"]

    @property
    def make(self) -> Callable[..., Configured[Q, R]] | None:
        """The function that made it, None where it is not known."""
        return self.__dict__["_make"]

    def __call__(self, *args: Q.args, **kwargs: Q.kwargs) -> R:
        return self.__dict__["_function"](*args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """The arguments by name: Keras' word for `config`."""
        return dict(self.config)

    def __getattr__(self, name: str) -> Any:
        """The arguments as attributes."""
        config = self.__dict__.get("config", {})
        if name not in config:
            own = self.__dict__.get("name", "it")
            raise AttributeError(f"{own} has no attribute '{name}'.{did_you_mean(name, config)}")
        return config[name]

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"{self!r} is immutable: make another one instead of setting '{name}'.")

    def __reduce__(self) -> tuple[Any, ...]:
        make, config = self.__dict__["_make"], dict(self.config)
        return (
            (Configured, (self.__dict__["_function"], self.name, config))
            if make is None
            else (make_again, (make, (), config))
        )

    def __copy__(self) -> Configured[Q, R]:
        return self

    def __deepcopy__(self, memo: Any) -> Configured[Q, R]:
        """The function itself, which never changes."""
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Configured) and (self.name, self.config) == (other.name, other.config)

    def __hash__(self) -> int:
        return hash((self.name, repr(self.config)))

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in self.config.items())})"


def configurable(make: Callable[P, Callable[Q, R]]) -> Callable[P, Configured[Q, R]]:
    """Give the functions that `make` returns its name and arguments."""

    def finish(function: Callable[Q, R], recipe: Recipe) -> Configured[Q, R]:
        return Configured(function, recipe.name, recipe.kwargs, recipe.make)

    return constructor(finish, functools.partial(bound_arguments, hints=_HINTS))(make)
