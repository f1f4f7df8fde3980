"""Functions of whole trees: map over the leaves, one flat vector, halves by predicate or mask."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fnet.errors import DtypeError, ShapeError, StructureError
from fnet.tree.treedef import IsLeaf, broadcast_prefix, flatten, flatten_like, mapped, structure, unflatten


def map(f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: IsLeaf | None = None) -> Any:
    """The tree of ``f(leaf, *leaves of the rest)``; the rest must match the first tree (StructureError).

    >>> map(lambda x, y: x + y, {"a": 1, "b": 2}, {"b": 20, "a": 10})
    {'a': 11, 'b': 22}
    """
    if not rest and is_leaf is None:
        return mapped(f, tree)
    first, own = flatten(tree, is_leaf)
    others = [flatten_like(own, other, is_leaf) for other in rest]
    return unflatten(own, [f(*values) for values in zip(first, *others, strict=True)])


def leaves_with_path(tree: Any, is_leaf: IsLeaf | None = None) -> list[tuple[str, Any]]:
    """Every leaf after its path.

    >>> leaves_with_path({"layers": [{"bias": 1.0}, {"bias": 2.0}]})
    [('layers/0/bias', 1.0), ('layers/1/bias', 2.0)]
    """
    values, own = flatten(tree, is_leaf)
    return list(zip(own.paths(), values, strict=True))


def map_with_path(f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: IsLeaf | None = None) -> Any:
    """Like `map`, of ``f(path, leaf, ...)``.

    >>> map_with_path(lambda path, x: f"{path}={x}", {"a": [1, 2]})
    {'a': ['a/0=1', 'a/1=2']}
    """
    names = iter(structure(tree, is_leaf).paths())
    return map(lambda *values: f(next(names), *values), tree, *rest, is_leaf=is_leaf)


def ravel(tree: Any) -> tuple[Any, Callable[[Any], Any]]:
    """All leaves, floats of one dtype, as one vector, and the function that takes such a vector apart again.

    ``unravel(vector: (n,))`` gives views of the vector, cast first if its dtype differs. Works on traced values.
    Raises DtypeError for other leaves (`partition` them away first), ShapeError for a vector of another shape.

    >>> vector, unravel = ravel({"w": np.ones((2, 2)), "b": np.zeros(1)})
    >>> vector, unravel(2 * vector)["b"]
    (array([1., 1., 1., 1., 0.]), array([0.]))
    """
    values, own = flatten(tree)
    values = [x if hasattr(x, "dtype") else np.asarray(x) for x in values]
    dtype = np.dtype(values[0].dtype if values else np.float32)
    for path, x in zip(own.paths(), values, strict=True):
        if x.dtype != dtype or dtype.kind != "f":
            kind = f"{dtype}, as the first leaf" if dtype.kind == "f" else "a float dtype"
            raise DtypeError(f"ravel: expected {kind}, received {x.dtype} at '{path}'. Cast it, or use tree.partition.")
    shapes = [tuple(x.shape) for x in values]
    ends = np.cumsum([math.prod(shape) for shape in shapes], dtype=np.int64).tolist()
    size = ends[-1] if ends else 0

    def unravel(vector: Any) -> Any:
        if tuple(vector.shape) != (size,):
            raise ShapeError(f"unravel: expected a vector of shape ({size},), received {tuple(vector.shape)}.")
        flat = vector if vector.dtype == dtype else vector.astype(dtype)
        spans = zip([0, *ends], ends, shapes, strict=False)
        return unflatten(own, [np.reshape(flat[start:end], shape) for start, end, shape in spans])

    vector = np.concatenate([np.reshape(x, (-1,)) for x in values]) if values else np.zeros(0, dtype)
    return vector, unravel


def partition(tree: Any, which: Callable[[str, Any], bool] | Any) -> tuple[Any, Any]:
    """Two trees like `tree`: the selected leaves and the others, with None in the places of the leaves left out.

    `which` is ``predicate(path, leaf)`` or a bool tree; one bool may stand for a whole subtree. `combine` undoes it.

    >>> partition({"kernel": 1.0, "bias": 2.0}, lambda path, x: path.endswith("bias"))
    ({'kernel': None, 'bias': 2.0}, {'kernel': 1.0, 'bias': None})
    """
    values, own = flatten(tree)
    if callable(which):
        mask = [bool(which(path, x)) for path, x in zip(own.paths(), values, strict=True)]
    else:
        mask = broadcast_prefix(own, which)
        for path, m in zip(own.paths(), mask, strict=True):
            if not isinstance(m, bool | np.bool_):
                raise StructureError(f"mask at '{path}': expected a bool, received {m!r}. Use True or False.")
    halves = [[x if bool(m) is side else None for m, x in zip(mask, values, strict=True)] for side in (True, False)]
    return unflatten(own, halves[0]), unflatten(own, halves[1])


def combine(*trees: Any) -> Any:
    """The first leaf that is not None at each place of trees of one structure.

    >>> combine({"kernel": None, "bias": 2.0}, {"kernel": 1.0, "bias": None})
    {'kernel': 1.0, 'bias': 2.0}
    """
    return map(lambda *xs: next((x for x in xs if x is not None), None), *trees, is_leaf=lambda x: x is None)


def all_equal(a: Any, b: Any) -> bool:
    """True if two trees match and their leaves agree in dtype, shape and every value, NaN equal to NaN.

    >>> all_equal({"w": np.ones(2), "b": 0.0}, {"b": 0.0, "w": np.ones(2)})
    True
    """
    first, own = flatten(a)
    try:
        second = flatten_like(own, b)
    except StructureError:
        return False
    pairs = [(np.asarray(x), np.asarray(y)) for x, y in zip(first, second, strict=True)]
    return all(x.dtype == y.dtype and np.array_equal(x, y, equal_nan=x.dtype.kind in "fc") for x, y in pairs)
