"""Vocabularies that Keras keeps beside the config of an archive: a file of lines for each layer that learnt one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fnet.errors import FileError, plain
from fnet.io.keras.members import Member, element_names
from fnet.io.keras.variables import Variables
from fnet.networks.layer import DEEPEST

_CLASSES = ("StringLookup", "IntegerLookup", "TextVectorization")
_FILE = "vocabulary.txt"


def with_vocabularies(described: Any, asset: Callable[[str], str | None], place: str = "assets", depth: int = 0) -> Any:
    """The object that says a model, in which each layer has the vocabulary that is beside it in the archive.

    asset: gives the text of a file in the archive, None where there is none. place: of the files of this model. What is
    no such object comes back as it is. Raises `FileError` for a file that does not have the tokens that the layer had.
    """
    own = described.get("config") if isinstance(described, Mapping) else None
    layers = own.get("layers") if isinstance(own, Mapping) else None
    if not isinstance(own, Mapping) or not isinstance(layers, list) or depth > DEEPEST:
        return described
    classes = [str(part.get("class_name")) if isinstance(part, Mapping) else "" for part in layers]
    names = element_names(Member("", kind, Variables()) for kind in classes)
    made = [
        _with_vocabulary(part, asset, f"{place}/layers/{name}") if kind in _CLASSES
        else with_vocabularies(part, asset, f"{place}/layers/{name}", depth + 1)
        for part, kind, name in zip(layers, classes, names, strict=True)
    ]  # fmt: skip
    return {**described, "config": {**own, "layers": made}}


def _with_vocabulary(described: Mapping[str, Any], asset: Callable[[str], str | None], place: str) -> Mapping[str, Any]:
    config = described.get("config")
    if not isinstance(config, Mapping) or config.get("vocabulary") is not None:
        return described
    text = asset(f"{place}/{_FILE}")
    if text is None:
        return described
    lines: list[Any] = text.replace("\r\n", "\n").split("\n")
    while lines and not lines[-1]:
        lines.pop()
    size = config.get("vocabulary_size")
    if isinstance(size, int) and size != len(lines):
        raise FileError(f"'{plain(place)}/{_FILE}' has {len(lines)} tokens, expected {size}: it is damaged.")
    if described.get("class_name") == "IntegerLookup":
        try:
            lines = [int(line) for line in lines]
        except ValueError:
            raise FileError(f"'{plain(place)}/{_FILE}' has lines that are no integers: it is damaged.") from None
    return {**described, "config": {**config, "vocabulary": lines}}
