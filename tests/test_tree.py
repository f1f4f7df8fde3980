"""Laws of trees on recursively drawn trees, and every error by its text."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fnet import tree
from fnet.errors import DtypeError, ShapeError, StructureError

Pair = namedtuple("Pair", "left right")


class LayerLike(tuple):
    """A tuple subclass without fields, as fnet's Layer is."""


class Box:
    """Registered with named children."""

    def __init__(self, size: int, **parts: Any) -> None:
        self.size, self.parts = size, parts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Box) and (self.size, self.parts) == (other.size, other.parts)


class Bag:
    """Registered with a tuple of children."""

    def __init__(self, *items: Any) -> None:
        self.items = items

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bag) and self.items == other.items


tree.register(Box, lambda b: (b.parts, b.size), lambda size, parts: Box(size, **parts))
tree.register(Bag, lambda b: (b.items, None), lambda aux, items: Bag(*items))

NAMES = st.text("abcxyz_", min_size=1, max_size=4)
SCALARS = st.integers(-99, 99) | st.floats(allow_nan=False)
ARRAYS = st.tuples(st.sampled_from([(), (0,), (3,), (2, 3)]), st.integers(0, 9)).map(
    lambda a: np.full(a[0], a[1], float)
)


def containers(children: st.SearchStrategy) -> st.SearchStrategy:
    named = st.dictionaries(NAMES, children, max_size=4)
    rows = st.lists(children, max_size=4)
    return (
        named
        | rows
        | named.map(OrderedDict)
        | rows.map(tuple)
        | st.builds(Pair, children, children)
        | named.map(lambda d: Box(7, **d))
        | rows.map(lambda items: Bag(*items))
    )


def trees(leaf: st.SearchStrategy = SCALARS) -> st.SearchStrategy:
    return st.recursive(leaf | st.none(), containers, max_leaves=12)


def shuffled(x: Any, random: Any) -> Any:
    """The same tree with every dict in another order."""
    if type(x) in (dict, OrderedDict):
        items = [(key, shuffled(value, random)) for key, value in x.items()]
        random.shuffle(items)
        return type(x)(items)
    if type(x) in (list, tuple):
        return type(x)(shuffled(value, random) for value in x)
    if isinstance(x, Pair):
        return Pair(*(shuffled(value, random) for value in x))
    if isinstance(x, Box):
        return Box(x.size, **shuffled(x.parts, random))
    if isinstance(x, Bag):
        return Bag(*(shuffled(value, random) for value in x.items))
    return x


def same(a: Any, b: Any) -> bool:
    """Equality that also tells dict orders and container types apart."""
    return repr(tree.structure(a)) == repr(tree.structure(b)) and tree.leaves(a) == tree.leaves(b)


def message(error: type[Exception], f: Any, *args: Any) -> str:
    with pytest.raises(error) as caught:
        f(*args)
    return str(caught.value)


def add(*xs: Any) -> Any:
    return sum(xs)


@settings(deadline=None)
@given(trees())
def test_unflatten_inverts_flatten(x: Any) -> None:
    leaves, structure = tree.flatten(x)
    again = tree.unflatten(structure, leaves)
    assert again == x
    assert type(again) is type(x)
    assert same(again, x)
    assert structure.num_leaves == len(leaves)
    assert not any(leaf is None or isinstance(leaf, dict | list | Pair | Box | Bag) for leaf in leaves)


@settings(deadline=None)
@given(trees())
def test_map_is_a_functor(x: Any) -> None:
    assert same(tree.map(lambda v: v, x), x)
    twice = tree.map(lambda v: -v, tree.map(lambda v: v + 1, x))
    assert same(tree.map(lambda v: -(v + 1), x), twice)


@settings(deadline=None)
@given(trees(st.integers(-99, 99)), st.randoms())
def test_the_order_of_dicts_does_not_matter_and_the_first_tree_wins(x: Any, random: Any) -> None:
    y = shuffled(x, random)
    assert same(tree.map(add, x, y), tree.map(lambda v: 2 * v, x))
    assert tree.flatten_like(tree.structure(x), y) == tree.leaves(x)


@settings(deadline=None)
@given(trees())
def test_structures_are_values(x: Any) -> None:
    one, two = tree.structure(x), tree.structure(tree.map(lambda v: v * 2, x))
    assert one == two
    assert hash(one) == hash(two)
    again = pickle.loads(pickle.dumps(one))
    assert again == one == copy.deepcopy(one)
    assert same(tree.unflatten(again, tree.leaves(x)), x)
    assert hash(again) == hash(one)
    assert one != tree.structure((x,))


def test_a_pickled_structure_carries_no_hash() -> None:
    structure = tree.structure({"a": 1})
    before = pickle.dumps(structure)
    hash(structure)
    assert pickle.dumps(structure) == before


@settings(deadline=None)
@given(trees())
def test_paths(x: Any) -> None:
    pairs = tree.leaves_with_path(x)
    assert [leaf for _, leaf in pairs] == tree.leaves(x)
    assert tree.structure(x).paths() == [path for path, _ in pairs]
    both = tree.map_with_path(lambda path, v, w: (path, v, w), x, x)
    assert tree.leaves(both, is_leaf=lambda v: type(v) is tuple and len(v) == 3 and type(v[0]) is str) == [
        (path, v, v) for path, v in pairs
    ]


def test_path_text() -> None:
    x = {"layers": [{"bias": 1}, Pair(2, (3,))], "box": Box(1, low=4), "bag": Bag(5), 6: 6}
    names = ["layers/0/bias", "layers/1/left", "layers/1/right/0", "box/low", "bag/0", "6"]
    assert tree.leaves_with_path(x) == list(zip(names, range(1, 7), strict=True))
    assert tree.leaves_with_path(0) == [("", 0)]


@settings(deadline=None)
@given(trees(ARRAYS))
def test_ravel_round_trip(x: Any) -> None:
    vector, unravel = tree.ravel(x)
    assert vector.ndim == 1
    assert vector.size == sum(leaf.size for leaf in tree.leaves(x))
    assert tree.all_equal(unravel(vector), x)
    assert tree.all_equal(unravel(2 * vector), tree.map(lambda v: 2 * v, x))


def test_ravel_restores_the_dtype_and_reads_python_floats() -> None:
    vector, unravel = tree.ravel({"w": np.ones((2, 1), np.float32), "b": np.float32(3)})
    assert vector.dtype == np.float32
    restored = unravel(vector.astype(np.float64))
    assert restored["w"].dtype == restored["b"].dtype == np.float32
    assert restored["w"].shape == (2, 1)
    assert restored["b"].shape == ()
    assert tree.ravel([1.0, 2.0])[0].tolist() == [1.0, 2.0]
    assert tree.ravel({})[0].shape == (0,)


@settings(deadline=None)
@given(trees(), st.data())
def test_partition_and_combine(x: Any, data: Any) -> None:
    mask = tree.map(lambda _: data.draw(st.booleans()), x)
    chosen, rest = tree.partition(x, mask)
    assert same(tree.combine(chosen, rest), x)
    assert same(tree.combine(rest, chosen), x)
    flags = dict(tree.leaves_with_path(mask))
    by_path, others = tree.partition(x, lambda path, _: flags[path])
    assert same(by_path, chosen)
    assert same(others, rest)
    pairs = zip(tree.leaves(x), tree.leaves(mask), strict=True)
    assert tree.leaves(chosen) == [v for v, m in pairs if m]
    assert len(tree.leaves(chosen)) + len(tree.leaves(rest)) == len(tree.leaves(x))


def test_partition_takes_a_prefix() -> None:
    x = {"dense": {"kernel": 1.0, "bias": 2.0}, "scale": [3.0, 4.0]}
    chosen, rest = tree.partition(x, {"scale": [np.True_, False], "dense": True})
    assert chosen == {"dense": {"kernel": 1.0, "bias": 2.0}, "scale": [3.0, None]}
    assert rest == {"dense": {"kernel": None, "bias": None}, "scale": [None, 4.0]}
    assert tree.partition(x, True) == (x, tree.map(lambda _: None, x))


def test_combine_takes_the_first_that_is_there() -> None:
    assert tree.combine([None, 2, None], [1, 20, None], [10, 200, None]) == [1, 2, None]


def test_broadcast_prefix() -> None:
    structure = tree.structure({"a": [0, 0], "b": (0, None)})
    assert tree.broadcast_prefix(structure, 5) == [5, 5, 5]
    assert tree.broadcast_prefix(structure, {"b": (7, None), "a": 3}) == [3, 3, 7]


def test_what_is_a_leaf() -> None:
    layer = LayerLike((1, 2))
    assert tree.leaves([layer, "text", b"b", {1}, range(2)]) == [layer, "text", b"b", {1}, range(2)]
    assert tree.leaves((None, [], {}, ())) == []
    assert tree.leaves([Pair(1, 2), Bag(3), Box(0, a=4)]) == [1, 2, 3, 4]
    assert tree.leaves({"b": 1, "a": 2}) == [1, 2]


def test_is_leaf_stops_the_descent() -> None:
    x = {"a": [1, 2], "b": {"c": [3]}}

    def stop(v: Any) -> bool:
        return isinstance(v, list)

    assert tree.leaves(x, is_leaf=stop) == [[1, 2], [3]]
    assert tree.map(len, x, is_leaf=stop) == {"a": 2, "b": {"c": 1}}
    assert tree.map(lambda v, w: v + w, x, x, is_leaf=stop) == {"a": [1, 2, 1, 2], "b": {"c": [3, 3]}}


def test_dict_and_ordered_dict_match_and_keep_their_type() -> None:
    ordered = OrderedDict(b=1, a=2)
    assert type(tree.map(add, ordered, {"a": 1, "b": 1})) is OrderedDict
    assert type(tree.map(add, {"a": 1, "b": 1}, ordered)) is dict
    assert tree.structure(ordered) != tree.structure(dict(ordered))


def test_the_structure_is_readable() -> None:
    x = {"a": [1, (2,)], "b": Pair(None, OrderedDict(c=3)), "d": Box(7, e=4), "f": (5, 6), "g": ()}
    shown = "{'a': [*, (*,)], 'b': Pair(left=None, right=OrderedDict(c=*)), 'd': Box(e=*)<7>, 'f': (*, *), 'g': ()}"
    assert repr(tree.structure(x)) == f"TreeDef({shown})"


NET = {"dense": {"kernel": 1, "bias": 2}, "layers": [3, 4], "none": None, "box": Box(7, a=5), "pair": Pair(6, 7)}
MISMATCHES = [
    ({"dense": {"kernal": 1, "bias": 2}}, "at 'dense/kernal': unexpected key 'kernal'", "Did you mean 'kernel'?"),
    (
        {"dense": {"bias": 2}},
        "at 'dense/kernel': missing key 'kernel'",
        "expected keys 'kernel', 'bias', received 'bias'.",
    ),
    (
        {"dense": {"kernel": 1, "bias": 2, "x": 0}},
        "at 'dense/x': unexpected key 'x'",
        "received 'kernel', 'bias', 'x'.",
    ),
    ({"dense": {}}, "at 'dense/kernel': missing key 'kernel'", "received none."),
    (
        {"dense": np.ones(3)},
        "at 'dense': expected dict with keys 'kernel', 'bias'",
        "a leaf of type ndarray and shape (3,).",
    ),
    ({"layers": [3]}, "at 'layers': expected list of length 2", "received list of length 1."),
    ({"layers": (3, 4)}, "at 'layers': expected list of length 2", "received tuple of length 2."),
    ({"layers": [3, {"a": 1}]}, "at 'layers/1': expected a leaf", "received dict with keys 'a'."),
    ({"layers": [3, None]}, "at 'layers/1': expected a leaf", "received None."),
    ({"none": 1}, "at 'none': expected None", "received a leaf of type int."),
    ({"box": Box(8, a=5)}, "at 'box': expected Box of 7", "received 8."),
    ({"box": Box(7, b=5)}, "at 'box/b': unexpected key 'b'", "Known: a."),
    ({"pair": (6, 7)}, "at 'pair': expected Pair with keys 'left', 'right'", "received tuple of length 2."),
]


@pytest.mark.parametrize(("change", "start", "end"), MISMATCHES)
def test_a_mismatch_names_path_expected_and_received(change: dict, start: str, end: str) -> None:
    text = message(StructureError, tree.map, add, NET, NET | change)
    assert text == message(StructureError, tree.flatten_like, tree.structure(NET), NET | change)
    assert text.startswith(f"trees differ {start}")
    assert text.endswith(end)
    assert text.count("\n") <= 2


@pytest.mark.parametrize("change", [{"dense": {"kernal": 1, "bias": 2}}, {"layers": [3]}, {"layers": [3, [4]]}])
def test_a_prefix_is_matched_by_the_same_check(change: dict) -> None:
    text = message(StructureError, tree.broadcast_prefix, tree.structure(NET), NET | change)
    assert text == message(StructureError, tree.map, add, NET, NET | change)


def test_a_mismatch_at_the_root() -> None:
    text = message(StructureError, tree.map, add, {"a": 1}, 2)
    assert text == "trees differ at the root: expected dict with keys 'a', received a leaf of type int."


def test_long_key_lists_are_cut() -> None:
    many = {f"k{i}": i for i in range(30)}
    assert "'k7', ..., received 'k0'" in message(StructureError, tree.map, add, many, {"k0": 0})


def test_other_errors() -> None:
    structure = tree.structure({"a": 1, "b": 2})
    text = message(StructureError, tree.unflatten, structure, [1, 2, 3])
    assert text == "expected 2 leaves for TreeDef({'a': *, 'b': *}), received 3."
    assert "'Box' is a container already" in message(StructureError, tree.register, Box, None, None)
    assert "'dict' is a container already" in message(StructureError, tree.register, dict, None, None)
    text = message(StructureError, tree.partition, {"a": [1.0]}, {"a": 1})
    assert text == "mask at 'a/0': expected a bool, received 1. Use True or False."
    text = message(StructureError, tree.partition, {"a": 1.0}, {"a": [True]})
    assert text == "trees differ at 'a': expected a leaf, received list of length 1."
    text = message(DtypeError, tree.ravel, {"a": np.ones(1), "b": {"step": np.int64(3)}})
    assert "expected float64, as the first leaf, received int64 at 'b/step'. Cast it" in text
    text = message(DtypeError, tree.ravel, {"step": 3})
    assert "expected a float dtype, received int64 at 'step'." in text
    text = message(ShapeError, tree.ravel([np.ones((2, 2))])[1], np.ones(3))
    assert text == "unravel: expected a vector of shape (4,), received (3,)."


def test_all_equal() -> None:
    x = {"a": np.array([1.0, np.nan]), "b": [np.float32(2), 3]}
    assert tree.all_equal(x, {"b": [np.float32(2), 3], "a": np.array([1.0, np.nan])})
    assert not tree.all_equal(x, x | {"a": np.array([2.0, np.nan])})
    assert not tree.all_equal(x, x | {"b": [np.float64(2), 3]})
    assert not tree.all_equal(x, {"a": x["a"]})
    assert not tree.all_equal(np.ones(2), np.ones(3))
