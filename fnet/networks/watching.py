"""Watchers: they see what each layer in a container gets and returns while a network is applied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from fnet.context import in_force, within
from fnet.networks.layer import Layer


class Watcher(Protocol):
    """Is told of every call of a layer in a container: `enter` before the call, `leave` after it."""

    def enter(self, name: str, layer: Layer, x: Any) -> None: ...

    def leave(self, y: Any) -> Any:
        """Return the output that goes on, `y` itself or one that is equal."""


def watching(watcher: Watcher) -> within:
    """Layers that containers apply inside are shown to `watcher`."""
    return within(in_force().replaced(watcher=watcher))


def watched(name: str, layer: Layer, x: Any, call: Callable[[], tuple[Any, Any]]) -> tuple[Any, Any]:
    """``call()``, which applies `layer` to `x`. A watcher is told before and after it."""
    watcher = in_force().watcher
    if watcher is None:
        return call()
    watcher.enter(name, layer, x)
    y, state = call()
    return watcher.leave(y), state
