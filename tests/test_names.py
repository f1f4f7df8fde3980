"""Names of things: one table for each kind, one look-up, one text for a name that nothing has."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import (
    activations,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    regularizers,
    schedules,
)
from fnet.errors import ValueRangeError
from fnet.first_use import listed
from fnet.layers import Dense
from fnet.names import Names

ROOT = Path(__file__).parents[1]

KINDS: list[tuple[str, Callable[[Any], Any], Names[Any], str, str]] = [
    ("activation", activations.get, activations.ACTIVATIONS, "sofmax", "softmax"),
    ("initializer", initializers.get, initializers.INITIALIZERS, "HeNormall", "he_normal"),
    ("regularizer", regularizers.get, regularizers.REGULARIZERS, "L1L3", "l1_l2"),
    ("constraint", constraints.get, constraints.CONSTRAINTS, "MaxNorn", "max_norm"),
    ("loss", losses.get, losses.LOSSES, "hubr", "huber"),
    ("metric", metrics.get, metrics.METRICS, "acuracy", "accuracy"),
    ("optimizer", optimizers.get, optimizers.OPTIMIZERS, "adm", "adam"),
    ("layer", layers.LAYERS.find, layers.LAYERS, "Convolutoin2D", "Convolution2D"),
    ("schedule", schedules.SCHEDULES.find, schedules.SCHEDULES, "CosineDecy", "CosineDecay"),
]
PACKAGES = [layers, losses, metrics, optimizers, schedules]


@pytest.mark.parametrize(("kind", "get", "names", "wrong", "right"), KINDS, ids=[row[0] for row in KINDS])
def test_every_kind_is_found_by_name_and_answers_a_wrong_one(
    kind: str, get: Callable[[Any], Any], names: Names[Any], wrong: str, right: str
) -> None:
    assert names.kind == kind and all(names.find(name) is names[name] for name in names)
    assert get(right) is not None and wrong not in names
    with pytest.raises(ValueRangeError, match=rf"^unknown {kind} '{wrong}'.* Did you mean '{right}'\?$"):
        get(wrong)


def test_a_name_stands_for_one_thing() -> None:
    roots: Names[Callable[[], None]] = Names("root", "a name")

    @roots.named("one")
    def first() -> None: ...

    roots.add(first, "one")
    assert dict(roots) == {"first": first, "one": first}
    with pytest.raises(ValueRangeError, match="the name 'one' stands for another root already"):
        roots.named("one")(lambda: None)
    with pytest.raises(ValueRangeError, match=r"^unknown root 3: expected a name\. Known: first, one\.$"):
        raise roots.unknown(3)


def test_a_listed_name_loads_its_module_alone() -> None:
    code = (
        "import sys; from fnet import losses, optimizers; losses.get('mse'); optimizers.get('adam');"
        "print([m for m in ('fnet.losses.ctc', 'fnet.optimizers.muon') if m in sys.modules], len(losses.LOSSES) > 60)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[] True"


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_tables_and_stubs_name_the_same_things(package: Any) -> None:
    """What a decorator enters is public under its own name; what the stub calls like it is found by that name."""
    (names,) = (value for value in vars(package).values() if isinstance(value, Names))
    assert list(names) == sorted(names)  # whatever was loaded first
    things = {id(thing): thing for thing in names.values()}
    places = listed(package.__name__)
    for thing in things.values():
        name = thing.__name__
        assert names[name] is thing and getattr(package, name) is thing and places[name] == (thing.__module__, name)
    for name, (module, own) in places.items():
        value = getattr(package, name)
        if id(value) in things:
            assert names[name] is value and names[own] is value and module == value.__module__


def test_every_constructor_of_a_kind_is_in_its_table() -> None:
    capital = {name for name in layers.__all__ if name[0].isupper() and hasattr(getattr(layers, name), "__wrapped__")}
    assert capital == set(layers.LAYERS)
    made = {name for name in losses.__all__ if isinstance(getattr(losses, name), losses.Loss)}
    assert made | {losses.LOSSES[name].constructor for name in made} <= set(losses.LOSSES)
    rates = {name for name in schedules.__all__ if hasattr(getattr(schedules, name), "__wrapped__")}
    assert rates == set(schedules.SCHEDULES)
    measures = {name for name in metrics.__all__ if hasattr(getattr(metrics, name), "__wrapped__")}
    assert measures == {*metrics.METRICS, "mean_of"}  # which takes a function
    rules = {name for name in optimizers.__all__ if "clipnorm" in taken(getattr(optimizers, name))}
    assert rules == set(optimizers.OPTIMIZERS)


@pytest.mark.parametrize("module", [initializers, regularizers, constraints, activations], ids=lambda m: m.__name__)
def test_public_names_of_a_module_are_found(module: Any) -> None:
    (names,) = (value for value in vars(module).values() if isinstance(value, Names))
    ids = set(map(id, names.values()))
    public = {name: value for name, value in vars(module).items() if id(value) in ids}
    assert len(public) >= len(ids) and all(names.find(name) is value for name, value in public.items())


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module of a user, whose things leave the tables again."""
    for _, _, names, _, _ in KINDS:
        monkeypatch.setattr(names, "_things", dict(names._things))
        monkeypatch.setattr(names, "_package", names._package)
    yield importlib.import_module("tests.own_things")
    del sys.modules["tests.own_things"]


def test_what_a_user_adds_is_found_by_name_wherever_names_are_taken(own: Any) -> None:
    hidden = Dense(
        3,
        "own_bend",
        kernel_initializer="own_halves",
        kernel_regularizer="own_penalty",
        kernel_constraint="own_limit",
    )
    net = fnet.serial(layers.LAYERS.find("OwnScale")(2.0), hidden, Dense(1))
    trainer = fnet.Trainer(net, loss="own_cubic", optimizer="own_descent", metrics=["OwnBias"])
    ts = trainer.init(fnet.random.key(0), (2,))
    np.testing.assert_array_equal(ts.params["dense"]["kernel"], 0.5)
    x, y = np.ones((4, 2), np.float32), np.full((4, 1), 0.25, np.float32)
    ts, history = trainer.fit(ts, x, y, batch_size=2, epochs=2, verbose=0)
    assert set(history) == {"loss", "OwnBias"} and history["loss"][1] < history["loss"][0]
    assert np.max(ts.params["dense"]["kernel"]) <= 0.5
    rate = schedules.SCHEDULES.find("own_steps")(0.5)
    assert optimizers.OPTIMIZERS.find("OwnDescent")(rate).config == {"learning_rate": rate}
    assert losses.get("own_cubic") is own.own_cubic_error and rate(3) == 0.125


def test_a_name_of_a_module_that_is_not_loaded_is_taken() -> None:
    code = (
        "from fnet import losses\n"
        "@losses.LOSSES.named()\n@losses.define_loss('Ctc', per='row')\n"
        "def ctc(y_true, y_pred, *, sample_weight=None, reduction='mean'): ..."
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert "ValueRangeError: the name 'ctc' stands for another loss already." in done.stderr


def test_a_thing_that_is_defined_again_takes_the_place_of_the_first() -> None:
    roots: Names[Callable[[], None]] = Names("root")

    def define() -> Callable[[], None]:
        @roots.named("alias")
        def root() -> None: ...

        return root

    define()
    assert roots["root"] is (again := roots["alias"]) and define() is roots["alias"] is not again


def taken(function: Any) -> Any:
    return inspect.signature(function).parameters if inspect.isfunction(function) else ()


def test_things_that_are_no_names_are_never_compared() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise TypeError("a comparison")

        def __call__(self, *args: Any) -> Any: ...

    odd = Odd()
    assert initializers.get(odd) is odd and regularizers.get(odd) is odd
