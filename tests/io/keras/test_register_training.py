"""Optimizers and schedules of users' own in files: a training goes on with the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import optimizers, random, schedules, tree
from fnet.callbacks import LearningRateScheduler
from fnet.configured import configurable
from fnet.errors import FileError, StructureError, ValueRangeError
from fnet.io.keras import registry
from fnet.layers import Dense
from fnet.optimizers import optimizer_constructor
from fnet.optimizers.optimizer import by_leaf

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
NET = fnet.serial(Dense(2), Dense(2))


@optimizer_constructor
def Shrink(learning_rate: Any = 0.1, momentum: float = 0.5, sizes: Any = None) -> Any:  # noqa: N802
    """As a rule of fnet's: a schedule, or a rate that callbacks change."""

    def rule(rate: Any, t: Any) -> Any:
        return lambda g, dtype, m: (-rate * (g + momentum * m), g + momentum * m)

    return by_leaf(learning_rate, {"momentum": 0.0}, rule)


@optimizer_constructor
def Plain(scale: float = 0.1) -> Any:  # noqa: N802
    """Neither a state nor a learning rate."""
    return (lambda params: {}), lambda g, state, params=None: (tree.map(lambda leaf: -scale * leaf, g), state)


@optimizer_constructor
def Odd(learning_rate: float = 0.1) -> Any:  # noqa: N802
    """A state of all kinds: like the parameters, within other parts, numbers, an array, a tuple."""

    def init(params: Any) -> Any:
        zeros = tree.map(np.zeros_like, params)
        inner = {"sums": zeros, "count": np.zeros((), np.int64)}
        return {"step": np.zeros((), np.int64), "inner": inner, "last": (np.ones(2), np.array(-0.5)), "m": zeros}

    def update(g: Any, state: Any, params: Any = None) -> Any:
        inner, (array, number) = state["inner"], state["last"]
        sums = tree.map(lambda s, leaf: s + leaf, inner["sums"], g)
        new = {
            "step": state["step"] + 1,
            "inner": {"sums": sums, "count": inner["count"] + 2},
            "last": (array * 0.9, number - 0.1),
            "m": tree.map(lambda m, leaf: 0.5 * m + leaf, state["m"], g),
        }
        return tree.map(lambda s, m: -learning_rate * (s + m) * number.astype(s.dtype), sums, new["m"]), new

    return init, update


@optimizer_constructor
def Chained(learning_rate: float = 0.1) -> Any:  # noqa: N802
    """Made of those of fnet: the state is a tuple, with a rate in one of its parts."""
    return optimizers.chain(optimizers.clip_by_global_norm(0.5), optimizers.adam(learning_rate))


@configurable
def waves(rate: float, lengths: Any = 3) -> schedules.Schedule:
    return lambda step: rate / (1 + step % np.sum(lengths))


def halving(step: Any) -> Any:
    return 0.1 / (step + 1)


MAKES = (Shrink, Plain, Odd, Chained, waves, halving)
OPTIMIZERS = {
    "momentum": Shrink(0.05, sizes=[3, 5]),
    "own schedule": Shrink(waves(0.1, [1, 2])),
    "function": Shrink(halving),
    "schedule of fnet": Shrink(schedules.exponential_decay(0.1, 3, 0.5)),
    "no state": Plain(0.2),
    "odd": Odd(0.01),
    "chained": Chained(0.05),
    "adam": optimizers.adam(waves(0.1)),
    "sgd": optimizers.sgd(halving),
    "constructor": Odd,
}


@pytest.fixture
def table(monkeypatch):
    made: dict[str, Any] = {}
    monkeypatch.setattr(registry, "_made", made)
    for make in MAKES:
        fnet.register(f"lab>{make.__name__}", make)
    return made


def saved(path, optimizer, callbacks=()):
    trainer = fnet.Trainer(NET, "mse", optimizer)
    ts, _ = trainer.fit(trainer.init(random.key(0), (3,)), X, X[:, :2], 4, 2, verbose=0, callbacks=callbacks)
    fnet.save_model(path, NET, ts.params, ts.state, trainer, ts)
    return trainer, ts


@pytest.mark.parametrize(
    ("name", "suffix"),
    [*((name, "keras") for name in OPTIMIZERS), ("own schedule", "h5"), ("odd", "h5"), ("sgd", "h5")],
)
def test_a_training_goes_on(tmp_path, table, name, suffix):
    trainer, ts = saved(tmp_path / f"m.{suffix}", OPTIMIZERS[name])
    found, loaded = fnet.load_training(tmp_path / f"m.{suffix}")
    assert tree.all_equal(loaded, ts)
    assert found.arguments[2].config == optimizers.get(trainer.arguments[2]).config
    after, _ = found.fit(loaded, X, X[:, :2], 4, verbose=0)
    expected, _ = trainer.fit(ts, X, X[:, :2], 4, verbose=0)
    assert tree.all_equal(after, expected)


@pytest.mark.parametrize("make", [Shrink, Chained])
def test_a_rate_that_was_changed_goes_on(tmp_path, table, make):
    """Also one in a part of the state."""
    _, ts = saved(tmp_path / "m.keras", make(0.5), LearningRateScheduler(lambda epoch: 0.3))
    found, loaded = fnet.load_training(tmp_path / "m.keras")
    assert tree.all_equal(loaded, ts) and found.learning_rate(loaded) == 0.3


def test_who_has_not_registered_it_is_told_how(tmp_path, table):
    saved(tmp_path / "m.keras", Shrink(0.1))
    saved(tmp_path / "s.keras", optimizers.adam(waves(0.1)))
    del table["lab>Shrink"], table["lab>waves"]
    for name, text in (
        ("m", r"fnet has no optimizer 'lab>Shrink'.*fnet.register\(\"lab>Shrink\", make\)"),
        ("s", r"fnet has no schedule 'lab>waves'.*fnet.register\(\"lab>waves\", make\)"),
    ):
        with pytest.raises(FileError, match=text):
            fnet.load_training(tmp_path / f"{name}.keras")
    with pytest.raises(StructureError, match="Keras has no optimizer Shrink. Take one of"):
        saved(tmp_path / "n.keras", Shrink(0.1))
    with pytest.raises(StructureError, match="Keras has no schedule waves. Take one of"):
        saved(tmp_path / "n.keras", optimizers.adam(waves(0.1)))


def test_what_a_file_says_of_other_things(tmp_path, table):
    saved(tmp_path / "m.keras", Shrink(0.1))
    table["lab>Shrink"] = waves
    with pytest.raises(FileError, match="unexpected argument 'learning_rate'|missing"):
        fnet.load_training(tmp_path / "m.keras")
    table["lab>Shrink"] = lambda **config: 3
    with pytest.raises(FileError, match="'lab>Shrink' is registered for what makes int 3, expected an optimizer"):
        fnet.load_training(tmp_path / "m.keras")
    table["lab>Shrink"] = Plain
    with pytest.raises(FileError, match="unexpected argument 'learning_rate'"):
        fnet.load_training(tmp_path / "m.keras")


@pytest.mark.parametrize("name", ["Adam", "adam", "CosineDecay", "AdamW", "exponential_decay"])
def test_names_of_keras(table, name):
    with pytest.raises(ValueRangeError, match=f"register: Keras has '{name}' itself"):
        fnet.register(name, saved)
