"""``serialize``, ``deserialize`` and ``get`` of the modules of Keras: things as plain data, as files have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fnet.io.keras import registry

Write = Callable[[Any], Any]
Read = Callable[[Any, str], Any]
Words = tuple[Write, Callable[..., Any], Callable[[Any], Any]]


def words(what: str, write: Write, read: Read, get: Callable[[Any], Any]) -> Words:
    """The three functions of the module `what`, of those that write and read plain data, and of that of its names."""

    def serialize(thing: Any) -> Any:
        """The plain data that say it. Raises `StructureError` for what Keras does not have."""
        return write(thing)

    def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """What plain data say, or a name; `custom_objects` are functions of your own by names."""
        with registry.known(custom_objects or {}):
            return get(read(config, what))

    def get_any(identifier: Any) -> Any:
        """What a name, plain data, or the thing itself mean."""
        return deserialize(identifier) if isinstance(identifier, Mapping) else get(identifier)

    get_any.__name__ = get_any.__qualname__ = "get"
    return serialize, deserialize, get_any
