"""Arrays of the host on their way to a card: copies beside the work, and no place written before its work is done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import device
from fnet.devices.cuda.device import Cuda
from tests.devices.cuda.emulated import CardError, Emulated
from tests.devices.cuda.own_kernels import add, weighted_sum


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    made = Cuda("cuda", Emulated(is_late=True))
    monkeypatch.setitem(device.FOUND, "cuda", made)
    yield made


def batch(k: int, rows: int = 4) -> list[np.ndarray]:
    return [np.full((rows, 3), k, np.float32), np.full(rows, k, np.int64), np.zeros((0, 2), np.float32)]


@pytest.mark.parametrize("is_ahead", [False, True])
def test_each_step_works_with_its_batch(home: Any, is_ahead: bool):
    """Whether the next batch is sent before the present one is received, or afterwards."""
    feed, results = home.feed(), []
    one = fnet.to_device(np.float32(1), "cuda")
    sent = feed.send(batch(0))
    for k in range(1, 9):
        if is_ahead:
            sent, present = feed.send(batch(k, 3 + k % 3)), sent
            x, y, nothing = feed.receive(present)
        else:
            x, y, nothing = feed.receive(sent)
            host = batch(k, 3 + k % 3)
            sent = feed.send(host)
            host[0][:] = np.nan  # it was copied
        results.append((weighted_sum(add(x, one), weight=1.0), add(y, y), nothing.shape, len(x)))
    for k, (total, doubled, shape, rows) in enumerate(results):
        assert float(total) == 3 * rows * (k + 1) and fnet.to_host(doubled).tolist() == [2 * k] * rows
        assert shape == (0, 2)


def test_a_place_is_free_when_its_work_was_begun_and_the_next_batch_received(home: Any):
    feed = home.feed()
    for k in range(3):  # all places have their memory
        x, *_ = feed.receive(feed.send(batch(k)))
    add(x, x)
    feed.send(batch(3)), feed.send(batch(4))
    with pytest.raises(CardError, match="copied in in stream .*, where stream 1 may be at work"):
        feed.send(batch(5))  # nobody said that the work with the first one was begun


def test_the_same_memory_serves_the_next_pass(home: Any):
    for _ in range(3):
        feed = home.feed()
        for k in range(5):
            feed.receive(feed.send(batch(k)))
        feed.close()
        asked = home.driver.seen["pinned"]
    assert asked == home.driver.seen["pinned"] == 3
    home.clear()
    del feed
    home.release()
    assert home.pool.use().kept == 0 and home.driver.seen["finished"] == 3


def test_arrays_of_the_card_stay(home: Any):
    feed, x = home.feed(), fnet.to_device(np.ones(3), "cuda")
    assert feed.receive(feed.send([x]))[0] is x
    there, y = feed.receive(feed.send([x, np.zeros(2)]))
    assert there is x and fnet.to_host(y).tolist() == [0, 0]


def test_memory_that_was_given_back_is_not_written_before_its_last_work_is_done(home: Any):
    rows = np.zeros((64, 4), np.float32)
    x = fnet.to_device(rows, "cuda")
    add(x, x)
    address = x.memory.address
    del x
    (y,) = home.feed().send([rows]).arrays
    assert y.memory.address == address
    home.driver.finish()
