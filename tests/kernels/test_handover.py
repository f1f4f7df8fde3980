"""The price of handing work to another thread is measured once, and never the reason for other results."""

from __future__ import annotations

import pytest
from numba.core import config

from fnet.kernels.cpu.runtime import handover, threads
from fnet.kernels.cpu.runtime import thread_pool as pool

compiled = pytest.mark.skipif(config.DISABLE_JIT, reason="plain Python has one thread")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(handover, "cache_directory", lambda: tmp_path)
    return tmp_path


@compiled
def test_the_price_is_measured_once_and_read_from_then_on(folder, monkeypatch):
    monkeypatch.setattr(handover, "measured", lambda: 6000)
    assert handover.grain.__wrapped__() == 18000
    monkeypatch.setattr(handover, "measured", lambda: pytest.fail("measured again"))
    assert handover.grain.__wrapped__() == 18000


@compiled
def test_a_price_that_could_not_be_measured_is_not_kept(folder, monkeypatch):
    monkeypatch.setattr(handover, "measured", lambda: None)
    assert handover.grain.__wrapped__() == handover.USUAL
    assert not list(folder.iterdir())


@compiled
@pytest.mark.parametrize(("price", "grain"), [(0, handover.LEAST), (10**9, handover.MOST)])
def test_no_price_is_taken_for_more_or_less_than_it_can_be(folder, monkeypatch, price, grain):
    monkeypatch.setattr(handover, "measured", lambda: price)
    assert handover.grain.__wrapped__() == grain


@compiled
def test_it_can_be_measured_with_and_without_a_core_for_the_other_thread():
    before = threads.thread_count()
    threads.set_thread_count(2)
    try:
        price = handover.measured()
    finally:
        threads.set_thread_count(before)
    assert price is None or 0 <= price < 10**8


def test_threads_know_how_much_work_is_worth_one():
    before = threads.thread_count()
    threads.set_thread_count(2)
    try:
        assert pool.get(pool.GRAIN) == handover.grain()
    finally:
        threads.set_thread_count(before)
