"""Every primitive that needs a lowering rule has one on every device, and every rule has a primitive."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from collections.abc import Iterable, Iterator
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import ops
from fnet.compile.emit import Ref
from fnet.devices.lowering import Lowering, Rules
from fnet.errors import StructureError
from fnet.spec import ArraySpec
from fnet.transforms.primitive import Primitive

PACKAGE = importlib.import_module("fnet.devices")
DEVICES = sorted(module.name for module in pkgutil.iter_modules(PACKAGE.__path__) if module.ispkg)
X = np.array([1.0, 2.0], np.float32)


def modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not found.name.startswith("fnet.kernels."):  # which are below primitives
            yield importlib.import_module(found.name)


def primitives_within(value: Any, seen: dict[int, Any]) -> Iterator[Primitive]:
    """Those that a value of a module is, contains, or holds as a function."""
    if id(value) in seen:
        return
    seen[id(value)] = value
    inner: Iterable[Any] = ()
    if isinstance(value, Primitive):
        yield value
        inner = (value.taped, value.abstract, value.vjp, value.jvp)
    elif isinstance(value, FunctionType):
        inner = [cell.cell_contents for cell in value.__closure__ or ()]
    elif isinstance(value, dict):
        inner = value.values()
    elif isinstance(value, list | tuple):
        inner = value
    for part in inner:
        yield from primitives_within(part, seen)


@pytest.fixture(scope="module")
def primitives() -> list[Primitive]:
    """All primitives of fnet."""
    seen: dict[int, Any] = {}
    found = [p for module in modules(fnet) for value in vars(module).values() for p in primitives_within(value, seen)]
    assert len(found) > 120
    return found


def test_names_of_primitives_are_unique(primitives):
    assert [name for name, count in Counter(p.name for p in primitives).items() if count > 1] == []


def test_a_primitive_is_computed_in_one_way(primitives):
    for p in primitives:
        ways = [p.lowered, p.kernels, p.template, p.view, p.reduction]
        assert sum(way is not None for way in ways) == 1, p


@pytest.mark.parametrize("device", DEVICES)
def test_primitives_and_lowering_rules_belong_together(device, primitives):
    families = importlib.import_module(f"fnet.devices.{device}.lower")
    rules = {
        (family.__name__.rpartition(".")[2], name): value
        for family in modules(families)
        for name, value in vars(family).items()
        if isinstance(value, Lowering)
    }
    assert set(rules) == {(p.lowered, p.name) for p in primitives if p.lowered is not None}
    names = {p.name for p in primitives}
    for rule in rules.values():
        assert set(rule.absorbs) <= names and rule.masks_behind in names | {""}


def unknown(family: str) -> Primitive:
    return Primitive("conjure", lambda x: ArraySpec(x.shape, x.dtype), lowered=family)


@pytest.mark.parametrize("family", ["nn", "magic"])
@pytest.mark.parametrize("way", [lambda f: f, fnet.jit], ids=["eager", "jit"])
def test_a_primitive_without_a_rule_names_the_device(family, way):
    text = (
        "primitive 'conjure' has no lowering rule on cpu: expected a function of that name, marked @lowering\\(\\), "
        f"in fnet.devices.cpu.lower.{family}."
    )
    with pytest.raises(StructureError, match=text):
        way(unknown(family))(X)


def double(x: np.ndarray, y: np.ndarray) -> None:
    y[:] = 2 * x


def test_a_primitive_of_the_users_own_has_its_kernel_on_the_device_that_it_is_for():
    doubled = fnet.primitive("doubled", shape=lambda x: x, kernel=double)
    rule = Rules("cpu", "fnet.devices.cpu.lower").of(doubled)
    assert rule is Rules("cpu", "nowhere").of(doubled)
    with pytest.raises(StructureError, match=r"primitive 'doubled' has no kernel for cuda, only for cpu\. Call it on "):
        Rules("cuda", "fnet.devices.cpu.lower").of(doubled)
    calls = []

    class Recorder:
        def call(self, kernel, *args):
            calls.append((kernel, args))

    source, target = (Ref.whole(None, X.dtype, X.shape) for _ in range(2))
    rule(Recorder(), [source], [target])
    assert calls == [(double, (source, target))]
    np.testing.assert_array_equal(doubled(X), ops.multiply(X, 2))
