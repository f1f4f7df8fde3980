"""Products by a library, as the driver of a card begins them: in its context, and chosen before they are recorded."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import numpy as np
import pytest

import fnet
from fnet.kernels.cuda.runtime import cublaslt, driver
from fnet.kernels.cuda.runtime.product import Operand
from tests.devices.cuda.unloaded import aligned
from tests.kernels.cuda.runtime.fake_bindings import FakeBindings
from tests.kernels.cuda.runtime.stand_in import (
    CREATE,
    HEURISTIC,
    MATMUL,
    StandIn,
    arguments,
    needs_compiler,
    product,
)

OF = product((2, 3, 4), Operand(False, 3, 0), Operand(False, 4, 0))


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBindings]:
    fake = FakeBindings((9, 0))
    monkeypatch.setattr(driver, "_api", lambda: fake)
    yield fake


def test_without_a_library(api: FakeBindings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cublaslt, "library", lambda: (None, "not found"))
    assert not driver.Driver(0).multiplies(OF)


@needs_compiler
def test_a_product_is_begun_in_the_context_of_the_card(api: FakeBindings, monkeypatch: pytest.MonkeyPatch):
    stand_in, x, y, z = StandIn(), aligned((6,), "f4"), aligned((12,), "f4"), aligned((8,), "f4")
    x[:], y[:] = np.arange(6), np.arange(12)
    arrays = x, y, z, z, aligned((OF.workspace,), np.uint8)
    given = arguments(arrays)
    monkeypatch.setattr(cublaslt, "library", lambda: (stand_in.library, "a stand-in"))
    card = driver.Driver(0)
    assert stand_in.called[CREATE] == 0  # before somebody asks for a product
    assert card.multiplies(OF) and card.multiplies(OF) and stand_in.called[CREATE] == 1
    card.prepare(OF, given)
    chosen, begun = stand_in.called[HEURISTIC], stand_in.called[MATMUL]
    api.calls.clear()
    with card.capture(3) as graph:
        card.launch(OF, given, 3)
    card.launch(OF, given, 5)
    assert graph.executable
    assert [name for name, *_ in api.calls] == [
        "cuCtxSetCurrent", "cuStreamBeginCapture", "cuCtxSetCurrent", "cuCtxSetCurrent", "cuStreamEndCapture",
        "cuCtxSetCurrent", "cuGraphInstantiate", "cuCtxSetCurrent", "cuGraphDestroy", "cuCtxSetCurrent",
    ]  # fmt: skip
    assert (stand_in.called[HEURISTIC], stand_in.called[MATMUL]) == (chosen, begun + 2)
    assert stand_in.number("last_stream", ctypes.c_int64) == 5
    np.testing.assert_array_equal(z.reshape(2, 4), x.reshape(2, 3) @ y.reshape(3, 4))


@needs_compiler
def test_a_library_that_does_not_start_is_not_used(api: FakeBindings, monkeypatch: pytest.MonkeyPatch):
    stand_in = StandIn()
    stand_in.failing[CREATE] = 1
    monkeypatch.setattr(cublaslt, "_loaded", lambda but: (None if but else stand_in.library, ""))
    card = driver.Driver(0)
    assert not card.multiplies(OF) and not card.multiplies(OF) and stand_in.called[CREATE] == 1


@needs_compiler
@pytest.mark.parametrize(
    ("function", "status", "why"),
    [
        (MATMUL, 7, "float32[32, 32] @ [32, 32] + [32]: cuBLASLt says invalid value."),
        (MATMUL, 0, "a first product came out wrong"),
        (HEURISTIC, 15, "no algorithm for a first product"),
        (None, 0, "no room for a first product"),
    ],
)
def test_a_library_is_used_after_a_first_product(
    function: int | None, status: int, why: str, api: FakeBindings, monkeypatch: pytest.MonkeyPatch
):
    stand_in = StandIn()
    monkeypatch.setattr(cublaslt, "_loaded", lambda but: (None if but else stand_in.library, ""))
    card = driver.Driver(0)
    if function is None:
        monkeypatch.setattr(card, "allocate", lambda nbytes: 0)
    elif status:
        stand_in.failing[function] = status
    else:
        monkeypatch.setattr(card, "copy_in", lambda *arguments: None)  # it computes with other numbers
    assert not card.multiplies(OF)
    assert cublaslt.said() == f"not in use: 13.1.0 of {stand_in.library.path}: {why}"
    assert function is None or "cuMemFree" in api.names()


def test_what_is_in_use_can_be_asked_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cublaslt, "library", lambda: (None, "off"))
    monkeypatch.setattr(driver, "cards", lambda: ({}, "no driver"))
    assert fnet.devices().libraries == {}
    monkeypatch.setattr(driver, "cards", lambda: ({0: "a card"}, ""))
    assert fnet.devices().libraries == {"cublaslt": "not in use: off"}
