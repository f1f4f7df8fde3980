"""Donation: results go back into the arguments that they stand for, by their place, in calls and in `repeat`."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnet
from fnet import ops, tree
from fnet.errors import DtypeError, ShapeError, StructureError

EXECUTORS = ["walk", "native"]
X = np.arange(1.0, 4.0)
KINDS = [((), np.float64), ((2,), np.float64), ((2,), np.int64)]


def calls(f: Callable[..., Any], count: int, args: tuple[Any, ...], fed: int) -> Any:
    """The result of so many calls by hand, the first `fed` results in the place of the arguments."""
    for _ in range(count):
        result = f(*args)
        args = (*result[:fed], *args[fed:])
    return tree.map(np.array, result)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_carry_that_shifts(executor):
    f = fnet.jit(lambda a, b: (b, a + b), donate=("a", "b"), executor=executor)
    assert tree.all_equal(f.repeat(6, np.array(0.0), np.array(1.0)), (np.array(8.0), np.array(13.0)))
    assert tree.all_equal(calls(f, 6, (np.array(0.0), np.array(1.0)), 2), (np.array(8.0), np.array(13.0)))


# One of the leaves, or the sum of two of one kind.
leaf_kinds = st.lists(st.sampled_from(range(len(KINDS))), min_size=1, max_size=6)


@st.composite
def carries(draw: st.DrawFn) -> tuple[list[int], list[tuple[int, int | None]]]:
    """The kinds of the leaves of a carry, and of which leaves each new one is the sum: one or two of its kind."""
    kinds = draw(leaf_kinds)
    terms = []
    for kind in kinds:
        alike = st.sampled_from([i for i, other in enumerate(kinds) if other == kind])
        terms.append((draw(alike), draw(st.none() | alike)))
    return kinds, terms


def packed(leaves: list[Any], shape: int) -> tuple[Any, ...]:
    """The leaves as arguments of their own, as one tree, or as two trees."""
    if shape == 0:
        return tuple(leaves)
    if shape == 1:
        return ({"a": leaves[:1], "b": {"c": tuple(leaves[1:]), "n": None}},)
    return (leaves[:2], {f"k{i}": leaf for i, leaf in enumerate(leaves[2:])})


def check_repeat(carry: Any, shape: int, more: bool, executor: str) -> None:
    kinds, terms = carry
    leaves_given = [np.full(KINDS[k][0], i + 1, KINDS[k][1]) for i, k in enumerate(kinds)]
    args = packed(leaves_given, shape)
    count = len(args)

    def step(*args: Any) -> Any:
        leaves = tree.leaves(args)
        new = [leaves[i] if j is None else leaves[i] + leaves[j] for i, j in terms]
        return (*packed(new, shape), *((ops.sum(leaves[0]),) if more or count == 1 else ()))

    f = fnet.jit(step, donate=range(count), executor=executor)
    expected = calls(step, 4, args, count)
    assert tree.all_equal(calls(f, 4, args, count), expected)
    assert tree.all_equal(f.repeat(4, *args), expected)
    result = f.repeat(2, *args)
    assert tree.all_equal(f.repeat(2, *result[:count]), expected)
    assert all((leaf == i + 1).all() for i, leaf in enumerate(leaves_given))


@given(carries(), st.integers(0, 2), st.booleans())
def test_repeat_equals_calls(carry, shape, more):
    """Permutations, unchanged leaves, copies and sums, as arguments of their own or in trees, with a result beside."""
    check_repeat(carry, shape, more, "walk")


@pytest.mark.parametrize(
    ("kinds", "terms", "shape"),
    [
        ([0, 0, 1, 1, 2, 2], [(1, None), (0, 1), (3, None), (2, None), (4, None), (4, 5)], 0),
        ([1, 1, 1, 1], [(1, None), (2, None), (3, 0), (3, None)], 1),
        pytest.param([1, 0, 1], [(2, 2), (1, None), (0, None)], 2, marks=pytest.mark.slow),
        pytest.param([2, 2, 2, 2, 2], [(4, None), (3, None), (2, 1), (0, 0), (1, None)], 2, marks=pytest.mark.slow),
    ],
)
def test_repeat_of_native_code_equals_calls(kinds, terms, shape):
    check_repeat((kinds, terms), shape, False, "native")


class Named(NamedTuple):
    loss: Any
    w: Any
    s: Any


PLACES: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "in order": (lambda w, s, x: (w, s, x), ("w", "s")),
    "behind the loss": (lambda w, s, x: (x, w, s), ("w", "s")),
    "in a tuple of its own": (lambda w, s, x: (x, (w, s)), ("w", "s")),
    "in another order": (lambda w, s, x: (s, w, x), ("w", "s")),
    "by name": (lambda w, s, x: {"s": s, "loss": x, "w": w}, ("w", "s")),
    "by name in a named tuple": (lambda w, s, x: Named(x, w, s), ("w", "s")),
}


@pytest.mark.parametrize("place", PLACES)
def test_results_are_found_by_place_and_structure(place):
    result, names = PLACES[place]

    def step(w: Any, s: Any, x: Any) -> Any:
        return result({"k": w["k"] + x, "b": w["b"]}, {"m": w["k"], "n": s["n"] + 1}, ops.sum(w["k"]))

    f = fnet.jit(step, donate=names)
    w, s = {"k": X, "b": X * 2}, {"m": X * 0, "n": np.array(0)}
    want = result({"k": X * 3 + X, "b": X * 2}, {"m": X * 3, "n": np.array(3)}, np.sum(X * 3))
    assert tree.all_equal(f.repeat(3, w, s, X), want)


def test_arrays_by_name_may_be_in_any_order():
    f = fnet.jit(lambda a, b: {"b": a + b, "a": b}, donate=("a", "b"))
    assert tree.all_equal(f.repeat(6, np.array(0.0), np.array(1.0)), {"b": np.array(13.0), "a": np.array(8.0)})


def test_numbers_of_python_become_arrays_in_the_first_call():
    f = fnet.jit(lambda s: {"n": s["n"] + 1}, donate="s")
    assert f.repeat(5, {"n": 0})["n"] == 5
    assert f.repeat(1, {"n": 0})["n"] == 1
    g = fnet.jit(lambda lr, x: (lr * 0.5, x * lr), donate=("lr", "x"))
    lr, x = 8.0, np.ones(3, np.float32)
    for _ in range(3):
        lr, x = g(lr, x)
    assert tree.all_equal(g.repeat(3, 8.0, np.ones(3, np.float32)), (lr, x))


@pytest.mark.parametrize(
    ("f", "args", "error", "text"),
    [
        (
            lambda s: {"n": s["n"] * np.float64(2)},
            ({"n": np.zeros(2, np.float32)},),
            DtypeError,
            r"argument 's/n' back: expected float32\[2\], received float64\[2\]\.\n.*astype\('float32'\)",
        ),
        (
            lambda s: ({"n": ops.concatenate([s["n"], s["n"]])}, s["n"]),
            ({"n": X},),
            ShapeError,
            r"'s/n' back: expected float64\[3\], received float64\[6\]",
        ),
        (
            lambda s: {"n": s["n"], "more": s["n"]},
            ({"n": X},),
            StructureError,
            r"'s' back, no result stands for it: .*'more'.*\nReturn it in its structure, the donated arguments first",
        ),
        (
            lambda s, t: (s, s),
            (X, {"t": X}),
            StructureError,
            "'t' back, .*expected dict with keys 't', received a leaf",
        ),
        (lambda s, t: (s,), (X, {"t": X}), StructureError, "'t' back, no result stands for it: it returns too few"),
        (lambda s, t: (s, t), (X, {}), None, ""),
        (
            lambda s, t: (s, {"t": s}),
            (X, {}),
            StructureError,
            "'t' back, no result stands for it: .*unexpected key 't'",
        ),
    ],
)
def test_what_cannot_be_fed_back_is_refused_with_the_path(f, args, error, text):
    jitted = fnet.jit(f, donate=("s", "t") if len(args) == 2 else "s")
    if error is None:
        jitted.repeat(2, *args)
        return
    for count in (1, 2):
        with pytest.raises(error, match=text):
            jitted.repeat(count, *args)
    assert tree.all_equal(jitted(*args), tree.map(np.asarray, f(*args)))  # a call has nothing to feed back


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("shown", [lambda r: r, lambda r: r[2:], lambda r: np.asarray(memoryview(r))])
def test_an_array_that_is_donated_and_read_is_refused(shown, executor):
    f = fnet.jit(lambda a, more: (a * 2, ops.cumsum(more["b"])), donate="a", executor=executor)
    apart = np.ones(6)
    r, _ = f(apart, {"b": shown(apart)})  # copied: an array of the caller's own
    for _ in range(2):
        r, _ = f(r, {"b": shown(apart)})
    text = "argument 'more/b' shares memory with the donated argument 'a', which this call overwrites.\nPass a copy"
    for _ in range(2):
        with pytest.raises(StructureError, match=text):
            f(r, {"b": shown(r)})
    with pytest.raises(StructureError, match=text):
        f.repeat(3, r, {"b": shown(r)})
    assert r.tolist() == [8] * 6
    r, total = f(r, {"b": shown(r.copy())})
    assert r.tolist() == [16] * 6
    np.testing.assert_array_equal(total, np.cumsum(shown(np.full(6, 8.0))))
    r, total = f(r, {"b": r[::2]})  # another layout is copied in any case
    assert (r.tolist(), total.tolist()) == ([32] * 6, [16, 32, 48])


def edits(p: Any) -> dict[str, Callable[[], None]]:
    """Ways to change the tree ``{"w": (2,), "one": (), "deep": [{"v": (2,)}]}``."""
    return {
        "another array": lambda: p.update(w=np.array([5.0, 7.0])),
        "equal numbers": lambda: p.update(one=p["one"].copy()),
        "another dtype": lambda: p.update(one=p["one"].astype(np.int64)),
        "in a list": lambda: p["deep"][0].update(v=np.array([1.0, 1.0])),
        "another container": lambda: p["deep"].__setitem__(0, {"v": np.array([3.0, 1.0])}),
        "written into": lambda: p["w"].__setitem__(0, 50.0),
        "exchanged": lambda: p.update(w=p["deep"][0]["v"], deep=[{"v": p["w"]}]),
        "a number": lambda: p.update(one=2.0),
        "a key more": lambda: p.update(more=np.array([1.0, 1.0])),
        "a key less": lambda: p.pop("deep"),
        "another key": lambda: p.update(other=p.pop("w")),
        "one more in a list": lambda: p["deep"].append({"v": np.ones(2)}),
        "another dtype in place": lambda: set_in_place(p["deep"][0]["v"], "dtype", np.int64),
    }


def set_in_place(array: np.ndarray, name: str, value: Any) -> None:
    with warnings.catch_warnings():  # NumPy advises against it
        warnings.simplefilter("ignore", DeprecationWarning)
        setattr(array, name, value)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("edit", edits({}))
def test_a_returned_tree_that_was_edited_is_computed_from_what_it_holds(edit, executor):
    f = fnet.jit(lambda p: tree.map(lambda w: w * 2, p), donate="p", executor=executor)
    p = {"w": np.ones(2), "one": np.array(1.0), "deep": [{"v": np.ones(2)}]}
    for _ in range(3):
        p = f(p)
    edits(p)[edit]()
    for _ in range(3):
        expected = tree.map(lambda w: np.asarray(w) * 2, p)
        p = f(p)
        assert tree.structure(p) == tree.structure(expected)
        assert tree.all_equal(p, expected)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize(("kind", "is_in_list"), [(dict, False), (dict, True), (OrderedDict, False)])
def test_returned_arrays_that_look_otherwise_now(kind, is_in_list, executor):
    """The same arrays in the same dict, whose version may not say that they were moved or set in place."""

    def step(part: Any) -> Any:
        if isinstance(part, list):
            return [step(part[0])]
        return kind((k, w * (n + 2)) for n, (k, w) in enumerate(part.items()))

    f = fnet.jit(step, donate="part", executor=executor)
    tree_of = kind(a=np.arange(4.0), b=np.ones(1))
    tree_of = [tree_of] if is_in_list else tree_of
    for _ in range(3):
        tree_of = f(tree_of)
    p = tree_of[0] if is_in_list else tree_of
    for name, value in (("shape", (2, 2)), ("dtype", np.int64)):
        set_in_place(p["a"], name, value)
        for _ in range(3):
            expected = [w * (n + 2) for n, w in enumerate(p.values())]
            tree_of = f(tree_of)
            p = tree_of[0] if is_in_list else tree_of
            assert tree.all_equal(list(p.values()), expected)
    p["a"].flags.writeable = False
    expected = p["a"].copy()
    tree_of = f(tree_of)
    assert np.array_equal(p["a"], expected)
    tree_of = f(tree_of)
    p = tree_of[0] if is_in_list else tree_of
    p.update(a=p.pop("a")) if kind is dict else p.move_to_end("a")
    wanted = {"b": p["b"] * 2, "a": p["a"] * 3}
    tree_of = f(tree_of)
    p = tree_of[0] if is_in_list else tree_of
    assert list(p) == ["b", "a"]
    assert tree.all_equal(dict(p), wanted)


def test_an_edited_instance_of_a_class_of_the_users():
    class Box:
        def __init__(self, w: Any, scale: int) -> None:
            self.w, self.scale = w, scale

    tree.register(Box, lambda b: ({"w": b.w}, b.scale), lambda scale, parts: Box(**parts, scale=scale))
    f = fnet.jit(lambda b: Box(b.w * b.scale, b.scale), donate="b", executor="native")
    box = Box(np.ones(2), 2)
    for _ in range(3):
        box = f(box)
    box.w = np.array([1.0, 5.0])
    for _ in range(3):
        box = f(box)
    assert box.w.tolist() == [8, 40]
    box.scale = 10
    assert f(box).w.tolist() == [80, 400]


def test_steps_stay_in_place():
    f = fnet.jit(lambda p, s, x: ({"w": p["w"] + x}, s, {"m": p["w"]}), donate=("p", "s"), executor="native")
    p, s, _ = f({"w": X}, {}, X)
    again, _, m = f(p, s, X)
    last, _, _ = f(again, {}, X)
    assert last is again is p
    np.testing.assert_array_equal(p["w"], X * 4)
    np.testing.assert_array_equal(m["m"], X * 2)


def test_an_optimizer_that_keeps_the_parameters_of_before():
    def init(params: Any) -> Any:
        return {"prev": params}

    def update(gradients: Any, state: Any, params: Any) -> Any:
        """Heavy ball: ``p - 0.001 g + 0.5 (p - prev)``."""
        return tree.map(lambda g, p, q: -0.001 * g + 0.5 * (p - q), gradients, params, state["prev"]), {"prev": params}

    net = fnet.serial(fnet.layers.Dense(1, use_bias=False))
    x, t = np.ones((400, 2), np.float32), np.zeros((400, 1), np.float32)
    trainer = fnet.Trainer(net, loss="mse", optimizer=fnet.optimizers.Optimizer(init, update))
    ts = trainer.init(fnet.random.key(0), (2,))
    w = before = ts.params["dense"]["kernel"].astype(np.float64)
    ts, _ = trainer.fit(ts, x, t, batch_size=4, epochs=1, verbose=False)
    for _ in range(100):
        w, before = w - 0.001 * 2 * w.sum() + 0.5 * (w - before), w
    np.testing.assert_allclose(ts.params["dense"]["kernel"], w, rtol=1e-4)
    np.testing.assert_allclose(ts.opt_state["prev"]["dense"]["kernel"], before, rtol=1e-4)
