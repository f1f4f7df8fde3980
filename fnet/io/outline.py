"""What a tree looks like: the kind of everything in it by path, to be kept in a file and compared with another tree's.

A path begins with ``tree``. Keys that HDF5 cannot hold, or that would look like others, are escaped: ``a%2Fb``, ``[3]``
for the integer 3.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from typing import Any

from fnet.errors import FileError, StructureError, plain
from fnet.io import manifest
from fnet.io.arrays import Leaf, names
from fnet.tree.treedef import Node, TreeDef

ROOT = "tree"
NUMBER = "Python "  # begins the kinds of Python's numbers
Outline = dict[str, str]
"""The kind of every container and leaf by its path."""

_ESCAPED = re.compile(r"[%/\0\ud800-\udfff]|\A\[|\A\.\Z")
_PLAIN = (type(None), bool, int, float, str)
_MOST = 50  # differences of a kind that an error lists


def leaf_paths(structure: TreeDef) -> list[str]:
    """The path of every leaf, in order; no two are alike, and none lies within another."""
    return [path for path, node in _nodes(structure.root, ROOT) if node is None]


def outline(structure: TreeDef, leaves: dict[str, Leaf]) -> Outline:
    """The kinds of all that is in a tree of this structure with these leaves."""
    return {path: _kind(node) if node else _of_leaf(leaves[path]) for path, node in _nodes(structure.root, ROOT)}


def encode(own: Outline) -> bytes:
    """The outline as bytes."""
    return json.dumps(own, indent=1).encode()


def decode(data: bytes) -> Outline:
    """The outline that `encode` wrote; anything else is refused with a `FileError`."""
    try:
        content = manifest.parsed(data)
    except (ValueError, RecursionError) as error:
        raise FileError(f"the structure is not valid: {plain(str(error), 400)}.") from None
    if not isinstance(content, dict) or not all(isinstance(kind, str) for kind in content.values()):
        raise FileError("the structure is not valid: expected a kind for every path.")
    return content


def check(found: Outline, expected: Outline) -> None:
    """Raise a `FileError` that lists all differences of the outline found in a file; nothing below a difference."""
    differ = [path for path in expected if found.get(path, expected[path]) != expected[path]]
    missing = [path for path in expected if path not in found]
    unexpected = [path for path in found if path not in expected]
    if not (differ or missing or unexpected):
        return
    apart = {*differ, *missing, *unexpected}
    parts = [
        f"{what} {names([shown(path) for path in paths if path.rpartition('/')[0] not in apart], _MOST)}"
        for what, paths in (("missing", missing), ("unexpected", unexpected))
    ]
    changed = [f"'{shown(p)}' is {plain(found[p])}, expected {plain(expected[p])}" for p in differ[:_MOST]]
    more = [f"{len(differ) - _MOST} more are different"] if len(differ) > _MOST else []
    raise FileError(f"it holds another tree than `like`: {'; '.join([*parts, *changed, *more])}.")


def _nodes(node: Node, path: str) -> list[tuple[str, Node]]:
    """All containers, and None for leaves, depth first, each after its path."""
    found = [(path, node)]
    if node is not None:
        _, _, keys, children = node
        parts = [str(i) for i in range(len(children))] if keys is None else [_part(key, path) for key in keys]
        for part, child in zip(parts, children, strict=True):
            found += _nodes(child, f"{path}/{part}")
    return found


def _part(key: Any, path: str) -> str:
    """A key as a part of a path; different keys give different parts."""
    if isinstance(key, str):
        return _ESCAPED.sub(lambda found: _hexadecimal(found[0]), key) or "%"
    if type(key) not in (int, bool):
        raise StructureError(f"checkpoint: '{shown(path)}' has the key {key!r:.40}; keys must be text or integers.")
    return f"[{key}]"


def _hexadecimal(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def _kind(node: Any) -> str:
    """What a container is; what it keeps beside its children is told where it is plain data."""
    cls, aux, _, _ = node
    name = "dict" if cls is OrderedDict else "None" if cls is type(None) else cls.__name__
    return f"{name} {aux!r}" if aux is not None and _is_plain(aux) else name


def _is_plain(aux: Any) -> bool:
    return type(aux) in _PLAIN or (type(aux) is tuple and all(map(_is_plain, aux)))


def _of_leaf(leaf: Leaf) -> str:
    return leaf.dtype if leaf.dtype.startswith(NUMBER) else f"{leaf.dtype} {leaf.array.shape}"


def shown(path: str) -> str:
    """A path for a message, without its beginning."""
    return plain(path.removeprefix(f"{ROOT}/"), 200)
