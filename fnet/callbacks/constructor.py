"""The table of callbacks, and what their constructors have in common."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from fnet.arguments import flag
from fnet.configured import bound_arguments
from fnet.names import Names
from fnet.train.callback import Callback

C = TypeVar("C", bound=Callback)
P = ParamSpec("P")

CALLBACKS: Names[Callable[..., Callback]] = Names("callback", package="fnet.callbacks")


def known_arguments(init: Callable[Concatenate[C, P], None]) -> Callable[Concatenate[C, P], None]:
    """Make ``__init__`` check the names of arguments and its flags, and keep all arguments as the `config`.

    Raises `TypeError` for an argument that is unknown or missing.
    """
    signature = inspect.signature(init)
    own = signature.replace(parameters=[*signature.parameters.values()][1:])
    flags = [p.name for p in own.parameters.values() if p.annotation == "bool"]
    name = init.__qualname__.partition(".")[0]

    def construct(self: C, /, *args: P.args, **kwargs: P.kwargs) -> None:
        arguments = bound_arguments(name, own, args, kwargs)
        for key in flags:
            flag(name, key, arguments[key])
        self.config = arguments
        init(self, **arguments)  # type: ignore[call-arg]

    functools.update_wrapper(construct, init)
    return construct
