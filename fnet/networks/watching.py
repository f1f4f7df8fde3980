"""Looking on while a network is applied: what each layer in a container gets and returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from fnet.networks.layer import Layer


class Watcher(Protocol):
    """Told of every call of a layer in a container: `enter` before, `leave` after it; calls within come between."""

    def enter(self, name: str, layer: Layer, x: Any) -> None: ...

    def leave(self, y: Any) -> Any:
        """Return the output that goes on, `y` itself or one that is equal."""


_WATCHER: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Layers that containers apply inside are shown to `watcher`."""
    token = _WATCHER.set(watcher)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def watched(name: str, layer: Layer, x: Any, call: Callable[[], tuple[Any, Any]]) -> tuple[Any, Any]:
    """``call()``, the application of `layer` to `x`, before the eyes of the watcher if there is one."""
    watcher = _WATCHER.get()
    if watcher is None:
        return call()
    watcher.enter(name, layer, x)
    y, state = call()
    return watcher.leave(y), state
