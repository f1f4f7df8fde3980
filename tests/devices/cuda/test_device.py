"""The device of a card: eager calls, plans as graphs, and errors, by kernels of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import device
from fnet.devices.cuda import executor, memory_use, release_memory, set_memory_limit
from fnet.devices.cuda.device import Cuda
from fnet.errors import DeviceError, StructureError, ValueRangeError
from tests.devices.cuda.emulated import Emulated
from tests.devices.cuda.own_kernels import add, weighted_sum

X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture(params=[False, True], ids=["at once", "late"])
def card(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulated]:
    card = Emulated(is_late=request.param, is_checked=True)
    monkeypatch.setitem(device.FOUND, "cuda", Cuda("cuda", card))
    yield card


def there(values: Any) -> Any:
    return fnet.to_device(values, "cuda")


def host(values: Any) -> Any:
    return fnet.to_host(values)


def test_arrays_go_there_and_back(card: Emulated):
    for x in (X, X[:0], np.float64(3), np.array([True, False]), X.T, np.arange(5, dtype=np.uint32)[::-1]):
        y = there({"x": np.asarray(x)})["x"]
        assert (y.device, y.shape, y.dtype) == ("cuda", np.shape(x), x.dtype)
        np.testing.assert_array_equal(host(y), x)
        np.testing.assert_array_equal(host(y.copy()), x)
    assert float(there(np.array(2.5))) == 2.5 and there(X).tolist() == X.tolist()


def test_what_is_put_is_what_it_was_then(card: Emulated):
    x = X.copy()
    y = there(x)
    x[:] = 0
    np.testing.assert_array_equal(host(y), X)


def test_eager_calls_record_once_and_run_again(card: Emulated):
    x, y = there(X), there(X[0])
    np.testing.assert_array_equal(host(add(x, y)), X + X[0])
    assert float(weighted_sum(x, weight=0.5)) == 7.5 and float(weighted_sum(x, weight=2.0)) == 30
    fnet.to_host(add(x, np.float32(2)))
    assert card.kernels == {"add_kernel": 2, "partial_sums": 2, "sum_of_parts": 2}


def test_numbers_are_kept_on_the_card(card: Emulated):
    x = there(X)
    for _ in range(3):
        add(x, np.float32(2))
    assert card.seen["copied in"] == 2
    add(x, np.float64(2)), add(x, np.array(-0.0)), add(x, np.array(0.0))
    assert card.seen["copied in"] == 5


def test_memory_of_results_is_used_again_without_waiting(card: Emulated):
    x = there(X)
    kept = add(x, x)
    for _ in range(20):
        kept = add(kept, x)
    assert card.seen["allocated"] == 1 and card.seen["waited"] == 0
    np.testing.assert_array_equal(host(kept), 22 * X)


def step(state: Any, x: Any) -> Any:
    new = {"w": add(state["w"], x), "n": add(state["n"], np.float32(1))}
    return new, weighted_sum(add(new["w"], x), weight=1.0)


def start() -> Any:
    return {"w": X.copy(), "n": np.zeros((), np.float32)}


def test_a_plan_is_launched_once_and_then_replayed_as_one_graph(card: Emulated):
    jitted = fnet.jit(step, donate="state")
    state, x = there(start()), there(X)
    losses = []
    for _ in range(5):
        state, loss = jitted(state, x)
        losses.append(loss)
    assert card.seen["recorded"] == 1 and card.seen["replayed"] == 4 and card.seen["launched"] == 7  # two copy
    allocated, waited = card.seen["allocated"], card.seen["waited"]
    for _ in range(5):
        state, loss = jitted(state, x)
    assert (card.seen["allocated"], card.seen["waited"]) == (allocated, waited)
    np.testing.assert_array_equal(host(losses), [(i + 3) * X.sum() for i in range(5)])
    np.testing.assert_array_equal(host(state["w"]), 11 * X)
    assert float(state["n"]) == 10 and float(loss) == 12 * X.sum()
    assert sum(card.kernels.values()) == 70


def test_other_arrays_go_through_the_same_graph(card: Emulated):
    jitted = fnet.jit(lambda x, y: add(x, y))
    x, others = there(X), [there(X * k) for k in range(6)]
    for k, y in enumerate(others):
        np.testing.assert_array_equal(host(jitted(x, y)), (k + 1) * X)
    assert card.seen["recorded"] == 1


def test_an_input_that_is_there_is_not_copied_again(card: Emulated):
    jitted, x, y = fnet.jit(lambda x, y: add(x, y)), there(X), there(X)
    for given, copies in ((y, 2), (y, 0), (x, 1), (y, 1), (y, 0)):
        before = card.seen["copied"]
        np.testing.assert_array_equal(host(jitted(x, given)), 2 * X)
        assert card.seen["copied"] - before == copies + 1  # and the result
    state = fnet.jit(lambda s: add(s, np.float32(1)), donate="s")
    changing = state(there(X))
    for k in range(3):  # another function changes it in place
        np.testing.assert_array_equal(host(jitted(x, changing)), 2 * X + 1 + k)
        assert state(changing) is changing
    for k in range(3):  # and somebody writes into an array
        y.home.assign(y, k * X)
        np.testing.assert_array_equal(host(jitted(x, y)), (k + 1) * X)
    y = there(X)
    y.__dlpack__()  # others may write there from now on
    for _ in range(2):
        card.copy_in(y.memory.address, 2 * X, y.home.stream)
        assert (host(jitted(x, y)) == 3 * X).all()
        card.copy_in(y.memory.address, X, y.home.stream)
        assert (host(jitted(x, y)) == 2 * X).all()


def test_large_arrays_are_not_copied_as_long_as_they_come_again(card: Emulated, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(executor, "MOVED", 8)
    jitted = fnet.jit(lambda x, y: weighted_sum(add(x, y), weight=1.0))
    x, others = there(X), [there(X * k) for k in range(6)]
    for _ in range(3):
        for k, y in enumerate(others[:4]):
            assert float(jitted(x, y)) == (k + 1) * X.sum()
    assert card.seen["recorded"] == 4 and card.seen["copied"] == 12  # the results
    for _ in range(3):
        for k, y in enumerate(others):
            assert float(jitted(x, y)) == (k + 1) * X.sum()
    assert card.seen["recorded"] == 5 and card.seen["copied"] == 12 + 4 + 14 * 3


def test_a_steady_call_notices_what_is_not_as_before(card: Emulated, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(device.FOUND, "cuda:1", Cuda("cuda:1", Emulated(number=1)))

    def step(state: Any, x: Any) -> Any:
        return {"n": add(state["n"], np.float32(1)), "w": state["w"]}, add(x, x)

    jitted, x = fnet.jit(step, donate="state"), there(X)
    state = there(start())
    for _ in range(4):
        state, doubled = jitted(state, x)
    assert jitted._latest.fast is not None
    for other in (2 * X, X.astype(np.float64), X[:, :2], X.T, X.T.copy().T, X[:1]):
        on_card = there(np.ascontiguousarray(other.T)).T if other.flags.f_contiguous else there(other)
        state, doubled = jitted(state, on_card)
        np.testing.assert_array_equal(host(doubled), 2 * other)
        for _ in range(2):
            state, doubled = jitted(state, x)
        np.testing.assert_array_equal(host(doubled), 2 * X)
    for wrong, error, text in (
        (state["w"], StructureError, "'x' shares memory with the donated argument 'state', .*\n.* x.copy"),
        (X, DeviceError, "'state/n' is on 'cuda' and 'x' on the host"),
        (fnet.to_device(X, "cuda:1"), DeviceError, "'state/n' is on 'cuda' and 'x' on 'cuda:1'"),
    ):
        with pytest.raises(error, match=text):
            jitted(state, wrong)
    state["w"] = there(2 * X)
    state, _ = jitted(state, x)
    np.testing.assert_array_equal(host(state["w"]), 2 * X)
    assert float(state["n"]) == 23


def test_a_number_is_updated_in_place(card: Emulated):
    jitted = fnet.jit(lambda number: number * 2 + 1, donate="number")
    number = there(np.float32(1))
    for _ in range(3):
        number = jitted(number)
    assert float(number) == 15 and float(jitted.repeat(2, number)) == 63


def test_repeat_replays(card: Emulated):
    jitted = fnet.jit(step, donate="state")
    x = there(X)
    state, loss = jitted.repeat(10, there(start()), x)
    assert float(state["n"]) == 10 and float(loss) == 12 * X.sum()
    assert card.seen["replayed"] == 9
    before = card.seen.copy()
    state, loss = jitted.repeat(50, state, x)
    assert card.seen - before == {"replayed": 50, "copied": 1}  # the loss: no allocation, no wait, no other launch
    assert float(state["n"]) == 60 and float(loss) == 62 * X.sum()


def test_the_walker_records_nothing(card: Emulated):
    jitted = fnet.jit(step, donate="state", executor="walk")
    state, x = there(start()), there(X)
    for _ in range(3):
        state, loss = jitted(state, x)
    assert not card.seen["recorded"] and float(loss) == 5 * X.sum()


def test_an_error_while_a_graph_is_recorded_leaves_all_as_it_was(card: Emulated, monkeypatch: pytest.MonkeyPatch):
    jitted = fnet.jit(step, donate="state")
    state, x = there(start()), there(X)
    state, _ = jitted(state, x)
    launch, left = card.launch, [2]

    def failing(*args: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise RuntimeError("in the middle")
        launch(*args)

    with monkeypatch.context() as patch:
        patch.setattr(card, "launch", failing)
        with pytest.raises(RuntimeError, match="in the middle"):
            jitted(state, x)
    np.testing.assert_array_equal(host(state["w"]), 2 * X)
    state, loss = jitted(state, x)
    assert float(state["n"]) == 2 and float(loss) == 4 * X.sum()
    assert card.seen["recorded"] == 2


def test_ctrl_c_finds_a_run_not_begun_while_it_compiles_and_done_while_it_runs(
    card: Emulated, monkeypatch: pytest.MonkeyPatch
):
    jitted, state, x = fnet.jit(step, donate="state"), there(start()), there(X)
    with monkeypatch.context() as patch:
        patch.setattr(card, "prepare", lambda *_: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            jitted(state, x)
    assert card.seen["launched"] == 0
    state, _ = jitted(state, x)
    prepared, launch = card.seen["prepared"], card.launch

    def pressed(*args: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        monkeypatch.setattr(card, "launch", launch)
        launch(*args)

    monkeypatch.setattr(card, "launch", pressed)
    with pytest.raises(KeyboardInterrupt):
        jitted(state, x)
    monkeypatch.setattr(card, "launch", launch)
    state, loss = jitted(state, x)
    assert float(state["n"]) in (2, 3) and float(loss) == (2 + float(state["n"])) * X.sum()
    assert card.seen["prepared"] == prepared


def test_arrays_of_before_stay_as_they_were(card: Emulated):
    jitted = fnet.jit(step, donate="state")
    first = there(start())
    second, _ = jitted(first, there(X))
    jitted(second, there(X))
    np.testing.assert_array_equal(host(first["w"]), X)


def test_two_cards(card: Emulated, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(device.FOUND, "cuda:1", Cuda("cuda:1", Emulated(number=1)))
    x, y = there(X), fnet.to_device(X, "cuda:1")
    jitted = fnet.jit(lambda x, y: add(x, y))
    for both in ((x, x), (y, y)):
        z = jitted(*both)
        assert z.device == both[0].device
        np.testing.assert_array_equal(host(z), 2 * X)
    np.testing.assert_array_equal(host(fnet.to_device(y, "cuda")), X)
    assert card.seen["copied from a card"] == 1
    with pytest.raises(DeviceError, match=r"a float32\[2, 3\] is on 'cuda' and a float32\[2, 3\] on 'cuda:1'; nothing"):
        add(x, y)
    with pytest.raises(
        DeviceError, match="'x' is on 'cuda' and 'y' on 'cuda:1'; nothing is copied by itself.\nMove one"
    ):
        jitted(x, y)
    with pytest.raises(DeviceError, match="'x' is on 'cuda' and 'y' on the host; nothing is copied by itself"):
        jitted(x, X)


def test_memory_that_is_full(card: Emulated, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(device.FOUND, "cuda:1", Cuda("cuda:1", Emulated(1 << 20)))
    x = fnet.to_device(np.zeros(100_000, np.float32), "cuda:1")
    big = fnet.ArraySpec((100_000, 10), np.dtype(np.float32))
    with pytest.raises(DeviceError, match=r"^'cuda:1' has no room for an array float32\[1000000\], .* used by arrays"):
        fnet.to_device(np.zeros(big.shape, big.dtype).reshape(-1), "cuda:1")
    np.testing.assert_array_equal(host(x), 0)  # nothing is lost


def test_memory_of_a_card_is_asked_for_and_limited(card: Emulated):
    x = there(np.zeros(1 << 18))
    assert memory_use().used == x.nbytes == memory_use("cuda").peak
    set_memory_limit(3 << 20)
    with pytest.raises(DeviceError, match=r"no room for an array float64\[262144\], 2 MiB: .* limit of 3 MiB"):
        add(x, x)
    set_memory_limit(None)
    del x
    release_memory()
    assert memory_use().kept == 0 and card.memory()[0] == card.capacity
    with pytest.raises(DeviceError, match="fnet keeps no memory of 'cpu'. Name a card"):
        memory_use("cpu")
    with pytest.raises(ValueRangeError, match="a number of bytes, 0 or more, or None; received -1"):
        set_memory_limit(-1)


def test_a_primitive_without_a_kernel_for_it(card: Emulated):
    own = fnet.primitive("own", shape=lambda x: x, kernel=lambda x, y: None)
    with pytest.raises(StructureError, match="primitive 'own' has no kernel for cuda, only for cpu"):
        own(there(X))


def test_clear_gives_memory_back(card: Emulated):
    jitted = fnet.jit(step, donate="state")
    state, loss = jitted(there(start()), there(X))
    weighted_sum(there(X), weight=1.0)
    del state, loss, jitted
    device.FOUND["cuda"].clear()
    assert device.FOUND["cuda"].pool.use().kept == 0


def test_who_uses_the_cpu_loads_nothing_of_it():
    code = "import sys, fnet, numpy; fnet.jit(abs)(numpy.ones(3)); print([m for m in sys.modules if 'cuda' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_why_there_are_no_cards(monkeypatch: pytest.MonkeyPatch):
    cards = ({}, "the driver sees no card")
    monkeypatch.setattr("fnet.kernels.cuda.runtime.driver.cards", lambda: cards)
    found = fnet.devices()
    assert found == ["cpu"] and found.missing == {"cuda": "the driver sees no card"}
    assert repr(found) == "['cpu'] (no other 'cuda': the driver sees no card)"
    with pytest.raises(DeviceError, match="there is no device 'cuda:1' here, only cpu: the driver sees no card"):
        fnet.to_device(X, "cuda:1")
    cards = ({0: "one", 2: "three"}, "")
    assert fnet.devices() == ["cpu", "cuda", "cuda:2"] and repr(fnet.devices()) == "['cpu', 'cuda', 'cuda:2']"
    with pytest.raises(DeviceError, match="there is no device 'cuda:1' here, only cpu, cuda, cuda:2"):
        fnet.to_device(X, "cuda:1")
