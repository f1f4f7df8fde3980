"""How a tree comes apart into leaves and structure, and how two structures are matched."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from fnet.errors import StructureError, did_you_mean

# (class, aux, keys or None, child nodes), and None for a leaf: plain tuples compare and hash in C.
Container: TypeAlias = "tuple[type, Hashable, tuple | None, tuple[Node, ...]]"
Node: TypeAlias = "Container | None"
IsLeaf: TypeAlias = Callable[[Any], bool]


class _Kind(NamedTuple):
    """How a container class comes apart into (aux, keys or None, children) and is built again from these.

    children: gives the children alone.
    """

    split: Callable[[Any], tuple[Hashable, tuple | None, Iterable]]
    build: Callable[[Any, Any, list], Any]
    children: Callable[[Any], Iterable] = iter


class _Kinds(dict[type, "_Kind | None"]):
    """The kind of every class met so far, None for leaf classes."""

    def __missing__(self, cls: type) -> _Kind | None:
        fields: Any = getattr(cls, "_fields", None) if issubclass(cls, tuple) else None
        make: Any = getattr(cls, "_make", None)
        self[cls] = None if fields is None else _Kind(lambda x: (None, fields, x), lambda _, keys, parts: make(parts))
        return self[cls]


def _mapping(cls: type[dict]) -> _Kind:
    def build(_: Any, keys: Any, parts: list) -> Any:
        return cls(zip(keys, parts, strict=True))

    return _Kind(lambda x: (None, tuple(x), x.values()), build, cls.values)


_KINDS = _Kinds(
    {
        dict: _mapping(dict),
        OrderedDict: _mapping(OrderedDict),
        list: _Kind(lambda x: (None, None, x), lambda _, keys, parts: parts),
        tuple: _Kind(lambda x: (None, None, x), lambda _, keys, parts: tuple(parts)),
        type(None): _Kind(lambda x: (None, None, ()), lambda _, keys, parts: None, lambda x: ()),
    }
)


class TreeDef:
    """The structure of a tree without its leaves: immutable, hashable, comparable (the order of keys counts).

    >>> flatten({"dense": {"kernel": 1.0, "bias": 2.0}, "steps": (3, None)})[1]
    TreeDef({'dense': {'kernel': *, 'bias': *}, 'steps': (*, None)})
    """

    __slots__ = ("_hash", "_node", "num_leaves")

    def __init__(self, node: Node, num_leaves: int) -> None:
        self._node = node
        self.num_leaves = num_leaves
        self._hash: int | None = None

    def paths(self) -> list[str]:
        """The path of every leaf, in order."""
        return ["/".join(path) for path in _paths(self._node, ())]

    @property
    def root(self) -> Node:
        """The outermost container as (class, aux, keys or None, child nodes); None for a tree that is one leaf."""
        return self._node

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TreeDef) and self._node == other._node

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(self._node)
        return self._hash

    def __repr__(self) -> str:
        return f"TreeDef({_show(self._node)})"

    def __reduce__(self) -> tuple:
        return TreeDef, (self._node, self.num_leaves)  # without the hash, which differs between processes


def register(
    cls: type,
    flatten: Callable[[Any], tuple[dict | tuple, Hashable]],
    unflatten: Callable[[Any, Any], Any],
) -> None:
    """Make `cls` a container: ``flatten(obj) -> (children, aux)`` and ``unflatten(aux, children) -> obj``.

    `children` is a dict (matched by key) or a tuple, `aux` anything hashable. A subclass needs its own registration.
    Raises StructureError if `cls` is a container already.

    >>> class Span:
    ...     def __init__(self, low, high):
    ...         self.low, self.high = low, high
    >>> register(Span, lambda s: ({"low": s.low, "high": s.high}, None), lambda aux, c: Span(**c))
    >>> flatten([Span(1.0, 2.0), 3.0])
    ([1.0, 2.0, 3.0], TreeDef([Span(low=*, high=*), *]))
    """

    def split(obj: Any) -> tuple[Hashable, tuple | None, Iterable]:
        children, aux = flatten(obj)
        return (aux, tuple(children), children.values()) if isinstance(children, dict) else (aux, None, children)

    def build(aux: Any, keys: tuple | None, children: list) -> Any:
        return unflatten(aux, tuple(children) if keys is None else dict(zip(keys, children, strict=True)))

    if _KINDS[cls] is not None:
        raise StructureError(f"'{cls.__name__}' is a container already; register each class once.")
    _KINDS[cls] = _Kind(split, build, lambda obj: split(obj)[2])


def flatten(tree: Any, is_leaf: IsLeaf | None = None) -> tuple[list, TreeDef]:
    """The leaves of `tree`, depth first, and its structure; ``is_leaf(x)`` true stops at x.

    >>> flatten({"b": 1, "a": [2, 3]})
    ([1, 2, 3], TreeDef({'b': *, 'a': [*, *]}))
    """
    out: list = []
    node = _flatten(tree, out, is_leaf)
    return out, TreeDef(node, len(out))


def unflatten(structure: TreeDef, leaves: Iterable) -> Any:
    """The tree of this structure with these leaves; StructureError if their number is wrong.

    >>> unflatten(structure((0, {"a": 0})), [1, 2])
    (1, {'a': 2})
    """
    values = leaves if isinstance(leaves, list) else list(leaves)
    if len(values) != structure.num_leaves:
        raise StructureError(f"expected {structure.num_leaves} leaves for {structure}, received {len(values)}.")
    return _build(structure._node, iter(values))


def flatten_like(structure: TreeDef, tree: Any, is_leaf: IsLeaf | None = None) -> list:
    """The leaves of `tree` in the order of `structure`, dicts matched by key (dict and OrderedDict match each other).

    Raises StructureError with the path of the first difference, also where a container stands in place of a leaf and
    `is_leaf` does not say it is one.

    >>> flatten_like(structure({"a": 0, "b": 0}), {"b": 2, "a": 1})
    [1, 2]
    """
    out, own = flatten(tree, is_leaf)
    if own._node == structure._node:
        return out
    out = []
    _flatten_like(structure._node, tree, is_leaf, (), out)
    return out


def structure(tree: Any, is_leaf: IsLeaf | None = None) -> TreeDef:
    """The structure of `tree`.

    >>> structure([1, {"a": 2}]) == structure([3, {"a": 4}])
    True
    """
    return flatten(tree, is_leaf)[1]


def leaves(tree: Any, is_leaf: IsLeaf | None = None) -> list:
    """The leaves of `tree`, depth first.

    >>> leaves({"a": 1, "b": (2, None)})
    [1, 2]
    """
    if is_leaf is not None:
        return flatten(tree, is_leaf)[0]
    out: list = []
    _collect(tree, out)
    return out


def mapped(f: Callable[[Any], Any], tree: Any) -> Any:
    """The tree with ``f(leaf)`` in the place of each leaf.

    >>> mapped(float, {"a": 1, "b": (2, None)})
    {'a': 1.0, 'b': (2.0, None)}
    """
    kind = _KINDS[type(tree)]
    if kind is None:
        return f(tree)
    aux, keys, children = kind.split(tree)
    return kind.build(aux, keys, [f(x) if _KINDS[type(x)] is None else mapped(f, x) for x in children])


def broadcast_prefix(structure: TreeDef, prefix: Any) -> list:
    """The leaves of `prefix`, each repeated for every leaf of `structure` at or below its place.

    Raises StructureError with the path of the first difference.

    >>> broadcast_prefix(structure({"dense": {"kernel": 0, "bias": 0}, "scale": 0}), {"scale": 2.0, "dense": 1.0})
    [1.0, 1.0, 2.0]
    """
    out: list = []
    _broadcast(structure._node, prefix, (), out)
    return out


def _flatten(tree: Any, out: list, is_leaf: IsLeaf | None) -> Node:
    cls = type(tree)
    kind = _KINDS[cls]
    if kind is None or (is_leaf is not None and is_leaf(tree)):
        out.append(tree)
        return None
    aux, keys, children = kind.split(tree)
    nodes: list[Node] = []
    for child in children:
        if is_leaf is None and _KINDS[type(child)] is None:  # saves a call per leaf
            out.append(child)
            nodes.append(None)
        else:
            nodes.append(_flatten(child, out, is_leaf))
    return cls, aux, keys, tuple(nodes)


def _collect(tree: Any, out: list) -> None:
    kind = _KINDS[type(tree)]
    if kind is None:
        out.append(tree)
        return
    for child in kind.children(tree):
        if _KINDS[type(child)] is None:  # saves a call per leaf
            out.append(child)
        else:
            _collect(child, out)


def _build(node: Node, values: Iterator) -> Any:
    if node is None:
        return next(values)
    cls, aux, keys, nodes = node
    return _KINDS[cls].build(aux, keys, [next(values) if n is None else _build(n, values) for n in nodes])  # type: ignore[union-attr]


def _flatten_like(node: Node, tree: Any, is_leaf: IsLeaf | None, path: tuple, out: list) -> None:
    stop = _KINDS[type(tree)] is None or (is_leaf is not None and is_leaf(tree))
    if node is not None:
        for entry, child, part in zip(_entries(node), node[3], _parts(node, tree, stop, path), strict=True):
            _flatten_like(child, part, is_leaf, (*path, entry), out)
    elif stop:
        out.append(tree)
    else:
        raise _difference(path, "a leaf", _describe(tree))


def _broadcast(node: Node, prefix: Any, path: tuple, out: list) -> None:
    if _KINDS[type(prefix)] is None:
        out.extend(prefix for _ in _paths(node, ()))
    elif node is not None:
        for entry, child, part in zip(_entries(node), node[3], _parts(node, prefix, False, path), strict=True):
            _broadcast(child, part, (*path, entry), out)
    else:
        raise _difference(path, "a leaf", _describe(prefix))


def _parts(node: Container, tree: Any, stop: bool, path: tuple) -> Sequence:
    """The children of `tree` in the order of `node`, or the error that tells how the two differ."""
    cls, aux, keys, nodes = node
    kind = None if stop else _KINDS[type(tree)]
    own_aux, own_keys, children = kind.split(tree) if kind else (None, None, ())
    parts = list(children)
    same = type(tree) is cls or {type(tree), cls} == {dict, OrderedDict}
    fits = own_keys is None and len(parts) == len(nodes) if keys is None else own_keys is not None
    if kind is None or not same or not fits:
        raise _difference(path, _describe_node(node), _describe(tree))
    if aux != own_aux:
        raise _difference(path, f"{cls.__name__} of {aux!r}", f"{own_aux!r}")
    if keys is None or own_keys is None:
        return parts
    received = dict(zip(own_keys, parts, strict=True))
    missing = [key for key in keys if key not in received]
    unexpected = [key for key in own_keys if key not in keys]
    if unexpected or missing:
        key = (unexpected or missing)[0]
        hint = did_you_mean(key, [str(k) for k in missing]) if unexpected and missing else ""
        what = f"{'unexpected' if unexpected else 'missing'} key {key!r}"
        raise _difference((*path, str(key)), f"keys {_listed(keys)}", _listed(own_keys), what + ", ", hint)
    return [received[key] for key in keys]


def _difference(path: tuple, expected: str, received: str, what: str = "", hint: str = "") -> StructureError:
    where = f"at '{'/'.join(path)}'" if path else "at the root"
    return StructureError(f"trees differ {where}: {what}expected {expected}, received {received}.{hint}")


def _entries(node: Container) -> list[str]:
    """The path entries of a container's children."""
    return [str(key) for key in (range(len(node[3])) if node[2] is None else node[2])]


def _paths(node: Node, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if node is None:
        yield path
        return
    for entry, child in zip(_entries(node), node[3], strict=True):
        yield from _paths(child, (*path, entry))


def _describe(tree: Any) -> str:
    kind = _KINDS[type(tree)]
    if kind is None:
        shape = getattr(tree, "shape", None)
        return f"a leaf of type {type(tree).__name__}" + (f" and shape {tuple(shape)}" if shape is not None else "")
    aux, keys, children = kind.split(tree)
    return _describe_node((type(tree), aux, keys, (None,) * len(list(children))))


def _describe_node(node: Container) -> str:
    cls, _, keys, nodes = node
    if cls is type(None):
        return "None"
    return f"{cls.__name__} of length {len(nodes)}" if keys is None else f"{cls.__name__} with keys {_listed(keys)}"


def _listed(keys: tuple) -> str:
    return (", ".join(repr(key) for key in keys[:8]) + (", ..." if len(keys) > 8 else "")) or "none"


def _show(node: Node) -> str:
    if node is None:
        return "*"
    cls, aux, keys, nodes = node
    if cls is type(None):
        return "None"
    parts = [_show(child) for child in nodes]
    if keys is not None:
        join = "{!r}: {}" if cls is dict else "{}={}"
        parts = [join.format(key, part) for key, part in zip(keys, parts, strict=True)]
    text = ", ".join(parts)
    if cls in (dict, list):
        return f"{{{text}}}" if cls is dict else f"[{text}]"
    if cls is tuple:
        return f"({text},)" if len(parts) == 1 else f"({text})"
    return f"{cls.__name__}({text})" if aux is None else f"{cls.__name__}({text})<{aux!r}>"
