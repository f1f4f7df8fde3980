"""The calls of a layer in the config of a functional model: arguments and keywords, in the forms of all versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from fnet import tree
from fnet.errors import FileError, plain
from fnet.io.keras import inference, masks, values
from fnet.io.keras.config import TEXT, Config, ValueKind, integers, several, wrong
from fnet.io.keras.translation import Translation
from fnet.layers.reversible_embedding import REVERSE
from fnet.networks.layer import DEEPEST
from fnet.networks.node import SymbolicNode

_TENSORS = ("initial_state", "query", "value", "key", *masks.KEYWORDS)  # keywords that are inputs
_CONSTANT = "_CONSTANT_VALUE"
_ANY = ValueKind(lambda value, path: value)


class Place(NamedTuple):
    """An output of a call: the name of the layer, the number of the call, the number of the output."""

    name: str
    call: int
    output: int


def place_of(items: Any, path: str) -> Place:
    """The place that the name of a layer and two numbers say."""
    name, call, output = items
    integer = integers(0)
    return Place(TEXT.read(name, path), integer.read(call, path), integer.read(output, path))


def call_of(node: Any, class_name: str, path: str) -> Any:
    """The arguments and keywords of a call, with a `Place` for every tensor.

    The keyword ``training`` is there where the call is as in training, or as in inference, and nowhere else.
    """
    arguments, keywords = _said(node, path)
    own = {key: value for key, value in keywords.items() if key != inference.KEYWORD}
    train = inference.trains(keywords, class_name, isinstance(node, list), path)
    return arguments, own if train is None else {**own, inference.KEYWORD: train}


def _said(node: Any, path: str) -> Any:
    if isinstance(node, Mapping) and "args" in node:
        arguments, keywords = (values.read(part, _tensor, path) for part in (node["args"], node.get("kwargs") or {}))
        if not isinstance(keywords, dict):
            raise wrong(path, "keywords of a call", keywords)
        return arguments, keywords
    if isinstance(node, Mapping):
        return [{name: _older(part, path)[0] for name, part in node.items()}], {}
    if not isinstance(node, list) or not node:
        raise wrong(path, "the inputs of a call", node)
    parts = [_older(part, path) for part in ([node] if isinstance(node[0], str) else node)]
    keywords = parts[0][1]
    return [parts[0][0] if len(parts) == 1 else [part[0] for part in parts]], keywords


def _older(part: Any, path: str) -> tuple[Any, Any]:
    """A tensor in the older form, or a constant: the name of the layer, two numbers, and the keywords of the call."""
    if not isinstance(part, list) or len(part) not in (3, 4):
        raise wrong(path, "the name of a layer with two numbers", part)
    is_constant = part[:2] == [_CONSTANT, -1]
    keywords = part[3] if len(part) == 4 else {}
    if not isinstance(keywords, Mapping):
        raise wrong(path, "keywords of a call", keywords)
    given = _older_keyword(part[2], path) if is_constant else place_of(part[:3], path)
    return given, {key: _older_keyword(value, path) for key, value in keywords.items()}


def _older_keyword(value: Any, path: str, depth: int = 0) -> Any:
    if depth > DEEPEST:
        raise FileError(f"{path}: keywords of a call are nested deeper than {DEEPEST} levels.")
    if isinstance(value, list):
        if len(value) == 3 and isinstance(value[0], str):
            return place_of(value, path)
        return [_older_keyword(part, path, depth + 1) for part in value]
    if isinstance(value, Mapping):
        return {key: _older_keyword(part, path, depth + 1) for key, part in value.items()}
    return value


def _tensor(value: Mapping[str, Any], path: str) -> Place:
    return place_of(Config(value, path).object("config").read("keras_history", several(_ANY, 3, 3)), path)


def call_fields(row: Translation | None, calls: list[Any], path: str) -> dict[str, Any]:
    """What the keywords of the calls say of the layer, the same in all of them."""
    found: list[dict[str, Any]] = []
    for _, keywords in calls:
        own: dict[str, Any] = {}
        for key, value in keywords.items():
            if _says_nothing(value) or key in (*_TENSORS, inference.KEYWORD):  # training is of the node
                continue
            if row is not None and row.inputs == "reversible" and key == REVERSE:  # which is of its input
                continue
            if _is_of_ones_own(row) and isinstance(value, Place):
                continue
            argument = next((a for a, k in (row.in_call if row else {}).items() if k == key), None)
            if argument is None:
                raise FileError(
                    f"{path}: fnet's layers are called without the keyword {plain(key)}={plain(repr(value))}."
                )
            own[argument] = True
        found.append(own)
    if any(own != found[0] for own in found):
        raise FileError(f"{path}: its calls have different keywords, which fnet's layers take when they are made.")
    return found[0] if found else {}


def _says_nothing(value: Any) -> bool:
    """Whether a keyword is left out: a call of several inputs without masks has a list of them."""
    return value is None or value is False or (isinstance(value, list) and all(map(_says_nothing, value)))


def _is_of_ones_own(row: Translation | None) -> bool:
    return row is not None and row.registered is not None


def _is_input(key: str, value: Any) -> bool:
    """Whether a keyword of a call of a layer of one's own is one more input: ``layer(x, other=y)``."""
    return isinstance(value, SymbolicNode) and key not in masks.KEYWORDS


def inputs_of(row: Translation | None, call: Any, path: str) -> Any:
    """What fnet's layer is called on, without masks."""
    arguments, keywords = call
    if row is not None and row.inputs == "states":
        parts = list(tree.leaves((arguments, keywords.get("initial_state"))))
        return parts[0] if len(parts) == 1 else tuple(parts)
    if row is not None and row.inputs == "each":
        parts = [*arguments, *(keywords[key] for key in ("query", "value", "key") if keywords.get(key) is not None)]
        parts = parts[:1] if all(part is parts[0] for part in parts) else parts
        mask = row.in_call.get("masked")
        parts += [keywords[mask]] if mask and keywords.get(mask) is not None else []
        return parts[0] if len(parts) == 1 else tuple(parts)
    if _is_of_ones_own(row):
        arguments = [*arguments, *(value for key, value in keywords.items() if _is_input(key, value))]
        if len(arguments) > 1:
            return tuple(arguments)
    if len(arguments) != 1:
        raise FileError(f"{path}: a layer is called with {len(arguments)} arguments, expected one.")
    given = arguments[0]
    if row is not None and row.inputs == "reversible" and keywords.get(REVERSE):
        return {REVERSE: given}
    if isinstance(given, list):
        if not given:
            raise FileError(f"{path}: a layer is called without an input.")
        one = row is None or row.inputs == "list"
        return tuple(given) if len(given) > 1 or (one and row is not None) else given[0]
    return given
