"""Tests of this room run on a card without a card; with ``-m gpu``, those that can run on the machine's card.

The code of a test is the same in both places, so that what a card shows is about kernels and the driver.
``FNET_TEST_CARD=emulated`` puts the card without a card in the place of the machine's, to try that code as well.
"""

from __future__ import annotations

import functools
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from fnet import device
from fnet.devices.cuda.device import Cuda
from tests.devices.cuda.emulated import Emulated
from tests.devices.cuda.unloaded import Unloaded

EMULATED, CARD = "emulated", "card"
FEW = 1  # cases of a test that are not slow: thread by thread, the others would take a third of the plain run


def is_for_cards(config: pytest.Config) -> bool:
    """Whether tests with the mark `gpu` are asked for."""
    return re.search(r"(?<!not )\bgpu\b", config.option.markexpr) is not None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Where cards are asked for, tests of kernels and of `cuda` run on one, and have the mark."""
    if is_for_cards(metafunc.config) and ("cuda" in metafunc.fixturenames or hasattr(metafunc.module, "Unloaded")):
        metafunc.parametrize("place", [pytest.param(CARD, marks=pytest.mark.gpu)], indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a card, one test that says so stands for all that ask for one; none asks for it by accident.

    Of the cases of a test, the first is part of the plain run, the others are slow.
    """
    cases: Counter[Any] = Counter()
    for item in items:
        function = getattr(item, "function", None)
        if Path(__file__).parent in item.path.parents and not is_for_cards(config):
            cases[function] += 1
            if cases[function] > FEW:
                item.add_marker(pytest.mark.slow)
    asked = [item for item in items if item.get_closest_marker("gpu")]
    left_out = set(asked if not is_for_cards(config) else asked[1:] if why_not() else ())
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True)
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where kernels run: "emulated", or "card"."""
    where: str = getattr(request, "param", EMULATED)
    if where == CARD:
        monkeypatch.setattr(Unloaded, "driver", _card().driver)
    return where


@pytest.fixture
def cuda(place: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cuda]:
    """The device "cuda" there. An emulated card is late: it does its work when somebody asks for results."""
    home = _card() if place == CARD else Cuda("cuda", Emulated(is_late=True))
    monkeypatch.setitem(device.FOUND, "cuda", home)
    yield home
    home.wait()  # what went wrong on the card belongs to this test


def is_real(home: Any) -> bool:
    """Whether a device is a card of the machine, which is fast enough for larger sizes."""
    return not isinstance(home.driver, Emulated)


def why_not() -> str:
    """Why there is no card to run tests on; empty where there is one."""
    if os.environ.get("FNET_TEST_CARD") == EMULATED or "cuda" in device.device_names():
        return ""
    return device.missing_devices().get("cuda", "no card has the number 0")


@functools.cache
def _card() -> Cuda:
    """The machine's card, opened once in a process."""
    if why_not():
        pytest.skip(f"no card: {why_not()}")
    if os.environ.get("FNET_TEST_CARD") == EMULATED:
        return Cuda("cuda", Emulated(1 << 30))
    return cast(Cuda, device.device_named("cuda"))
