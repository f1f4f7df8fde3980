"""Networks side by side: streams and memory of their own, on one card."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import device, tree
from fnet.devices.cuda import memory_use
from fnet.devices.cuda.device import Cuda
from fnet.errors import DeviceError
from tests.devices.cuda.conftest import is_real
from tests.devices.cuda.emulated import Emulated
from tests.devices.cuda.networks import Case, begun, mlp, shared_out, step_of

X = np.arange(6, dtype=np.float32).reshape(2, 3)
PLACES = ("cuda", "cuda#1")
STEPS = 2


class Turns:
    """A card without a card, whose threads take turns."""

    def __init__(self, card: Any) -> None:
        self._card, self._lock = card, threading.RLock()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._card, name)

        def in_turn(*args: Any) -> Any:
            with self._lock:
                return found(*args)

        return in_turn if callable(found) else found


@pytest.fixture
def streams(cuda: Cuda, monkeypatch: pytest.MonkeyPatch) -> Cuda:
    """The card; what tests open beside it is forgotten."""
    for name in PLACES[1:]:
        monkeypatch.setitem(device.FOUND, name, cuda.beside(name))
    return cuda


def test_each_name_is_a_stream_with_memory_of_its_own(cuda: Cuda, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(device, "FOUND", dict(device.FOUND))
    x, y = (fnet.to_device(X, name) for name in ("cuda", "cuda:0#01"))
    assert (x.device, y.device) == ("cuda", "cuda#1") and device.device_named("cuda#1") is y.home
    assert device.device_named("cuda#0") is cuda
    assert y.home.driver is cuda.driver and y.home.stream != cuda.stream and memory_use("cuda#1").used >= 256
    with pytest.raises(DeviceError, match=r"float32\[2, 3\] is on 'cuda' and a float32\[2, 3\] on 'cuda#1'; nothing"):
        x + y
    np.testing.assert_array_equal(fnet.to_host(x + fnet.to_device(y, "cuda")), 2 * X)
    np.testing.assert_array_equal(fnet.to_host(fnet.from_dlpack(y) + x), 2 * X)  # the same memory, in order


@pytest.mark.parametrize("name", ["cuda#", "cuda#x", "cuda#-1", "cuda#1#2", "cuda#²"])
def test_what_is_no_stream(name: str, cuda: Cuda):
    with pytest.raises(DeviceError, match=f"behind the # of '{name}' stands the number of a stream: 'cuda#1'."):
        fnet.to_device(X, name)


def test_the_cpu_has_no_streams():
    with pytest.raises(DeviceError, match="no device 'cpu#1': work on the CPU is done by the threads that call"):
        fnet.to_device(X, "cpu#1")


def trained(names: tuple[str, ...], is_real: bool, network: Callable[[bool], Case] = mlp) -> list[Any]:
    """One network for each device, whose steps are begun in turns."""
    case = network(is_real)
    step, held = step_of(case), []
    for number, name in enumerate(names):
        params, state, opt_state, key, x, y = begun(case)
        carry = fnet.to_device((params, state, opt_state, fnet.random.fold_in(key, number)), name)
        held.append((fnet.jit(step, donate=(0, 1, 2, 3)), carry, fnet.to_device((x, y), name)))
    for _ in range(STEPS):
        held = [(jitted, jitted(*carry, *data)[:4], data) for jitted, carry, data in held]
    return [carry for _, carry, _ in held]


@pytest.mark.parametrize("network", [mlp, pytest.param(shared_out, marks=pytest.mark.slow)])
def test_networks_in_turns_are_what_each_is_alone(network: Callable[[bool], Case], streams: Cuda):
    """A card without a card refuses work of two streams on one piece of memory that nothing orders.

    On a card, kernels whose blocks wait for each other are begun in two streams at once.
    """
    together = fnet.to_host(trained(PLACES, is_real(streams), network))
    assert not tree.all_equal(together[0], together[1])
    for number, carry in enumerate(fnet.to_host(trained(("cuda",) * 2, is_real(streams), network))):
        assert tree.all_equal(carry, together[number])


def test_a_thread_for_each_network(streams: Cuda, monkeypatch: pytest.MonkeyPatch):
    large = is_real(streams)
    if not large:
        driver = Turns(Emulated())
        for name in PLACES:
            monkeypatch.setitem(device.FOUND, name, Cuda(name, driver))  # type: ignore[arg-type]
    results: dict[str, Any] = {}

    def work(name: str) -> None:
        (results[name],) = fnet.to_host(trained((name,), large))

    threads = [threading.Thread(target=work, args=(name,)) for name in PLACES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (alone,) = fnet.to_host(trained(("cuda",), large))
    assert all(tree.all_equal(results[name], alone) for name in PLACES)


def test_what_one_stream_keeps_is_room_for_another():
    card = Emulated(24 << 20)
    first = Cuda("cuda", card)
    second = first.beside("cuda#1")
    shape, kind = (2 << 20,), np.dtype(np.float32)
    first.empty(shape, kind), first.empty(shape, kind)  # 8 MiB twice, of nobody any more
    held = first.empty((10,), kind)
    assert first.pool.use().kept >= 8 << 20
    assert second.empty((3 << 20,), kind).nbytes == 12 << 20
    with pytest.raises(DeviceError, match="'cuda#1' has no room for an array float32"):
        second.empty((6 << 20,), kind)
    assert held.memory.address
