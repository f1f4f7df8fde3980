"""Jitted methods: what attribute access on an instance gives."""

from __future__ import annotations

import inspect
import types
import weakref
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

from fnet.errors import StructureError, ValueRangeError
from fnet.transforms.signature import Names

P = ParamSpec("P")
R = TypeVar("R")


class Method(Generic[P, R]):
    """A jitted function with the instance given as its first argument; it has what a jitted function has."""

    __slots__ = ("_leading", "_receiver", "jitted")

    def __init__(self, jitted: Any, receiver: Any, leading: tuple[Any, ...]) -> None:
        self.jitted, self._receiver, self._leading = jitted, receiver, leading

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.jitted(*self._leading, *args, **kwargs)

    def repeat(self, count: int, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.jitted.repeat(count, *self._leading, *args, **kwargs)

    def plan(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        return self.jitted.plan(*self._leading, *args, **kwargs)

    def compiled(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        return self.jitted.compiled(*self._leading, *args, **kwargs)

    def memory(self) -> Any:
        return self.jitted.memory()

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self._receiver, self.jitted.__name__)


def of_instance(f: Callable[..., Any], receiver: Any, forget: Callable[[], None]) -> Callable[..., Any]:
    """`f` with `receiver` as its first argument, which it does not keep alive; `forget` is called when that is gone."""
    try:
        reference = weakref.ref(receiver, lambda _: forget())
    except TypeError:
        raise StructureError(
            f"a jitted method needs instances that can be referenced weakly, those of '{type(receiver).__name__}' "
            f"cannot. Add '__weakref__' to its __slots__, or register the class with fnet.tree.register."
        ) from None

    def bound(*args: Any, **kwargs: Any) -> Any:
        return f(reference(), *args, **kwargs)

    bound.__name__, bound.__qualname__ = f.__name__, f.__qualname__
    bound.__signature__ = inspect.signature(types.MethodType(f, receiver))  # type: ignore[attr-defined]
    return bound


def behind_first(names: Names, first: str, option: str) -> Names:
    """The arguments of the option `option` as those of a function without its first argument, which has a name."""
    chosen = (names,) if isinstance(names, str | int) else tuple(names)
    if option == "donate" and (0 in chosen or first in chosen):
        raise ValueRangeError(f"donate={names!r}: the instance that a method is called on cannot be donated.")
    others = [name for name in chosen if name not in (0, first)]
    return tuple(name - 1 if isinstance(name, int) and name > 0 else name for name in others)
