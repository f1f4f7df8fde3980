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
@pytest.mark.parametrize(
    ("measurements", "grains"),
    [
        ([6000, 6100, 6000, 5900, 6050], [18000, 18300, 18300, 18300, 18300]),
        ([4900, 6000, 6400, 4800, None, 4850], [14700, 18000, 19200, 19200, 19200, 19200]),
        ([6000, 31000, 6100, 6000, 30], [18000, 93000, 18300, 18300, 18300]),
        ([None, 0, 0, 2000, 4000, 8000], [handover.USUAL, 2000, 2000, 2000, 2000, 2000]),
    ],
)
def test_the_highest_price_is_taken_that_another_process_confirms(folder, monkeypatch, measurements, grains):
    for measurement, grain in zip(measurements, grains, strict=True):
        monkeypatch.setattr(handover, "measured", lambda price=measurement: price)
        assert handover.grain.__wrapped__() == grain
    monkeypatch.setattr(handover, "measured", lambda: pytest.fail("measured again"))
    assert handover.grain.__wrapped__() == grains[-1]


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


@compiled
@pytest.mark.parametrize(("present", "is_kept"), [(1, False), (handover.ENOUGH, True), (handover.ENOUGH - 1, False)])
def test_a_price_is_not_believed_if_the_other_thread_often_has_no_core(monkeypatch, present, is_kept):
    rounds = iter([True] * (present + 1))

    def exchange(values, meeting, address, threads):
        meeting[1] = threads == 2 and not next(rounds, False)

    monkeypatch.setattr(handover, "exchange", exchange)
    assert (handover.measured() is not None) == is_kept


@compiled
def test_nothing_is_measured_without_another_thread(monkeypatch):
    monkeypatch.setattr(handover, "exchange", lambda values, meeting, address, threads: meeting.fill(1))
    monkeypatch.setattr(handover, "ARRIVAL", 0.001)
    assert handover.measured() is None


def test_threads_know_how_much_work_is_worth_one():
    before = threads.thread_count()
    threads.set_thread_count(2)
    try:
        assert pool.get(pool.GRAIN) == handover.grain()
    finally:
        threads.set_thread_count(before)
