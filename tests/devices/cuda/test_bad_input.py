"""Mistakes on a card: an error that says what to do, and all that was there before still is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import device, layers, serial
from fnet.devices.cuda import memory_use
from fnet.devices.cuda.device import Cuda
from fnet.errors import DeviceError, FnetError, IndexRangeError, NonFiniteError, ValueRangeError
from tests.devices.cuda.emulated import Emulated

X = np.arange(12, dtype=np.float32).reshape(3, 4)


def there(values: Any) -> Any:
    return fnet.to_device(values, "cuda")


@pytest.fixture(autouse=True)
def still_works(cuda: Cuda) -> Any:
    """After every mistake the card computes as before, with the arrays that were there."""
    x = there(X)
    yield
    np.testing.assert_array_equal(fnet.to_host(x + x), 2 * X)


def test_a_host_array_beside_one_of_a_card(cuda: Cuda):
    x = there(X)
    for wrong in (lambda: x + X, lambda: x @ X.T, lambda: np.concatenate([x, X]), lambda: fnet.jit(np.add)(x, X)):
        with pytest.raises(DeviceError, match="on the host; nothing is copied by itself.\nMove one of them: "):
            wrong()
    with pytest.raises(DeviceError, match="was to become a NumPy array, .* Copy it: fnet.to_host"):
        np.asarray(x)
    np.testing.assert_array_equal(fnet.to_host(x * 2.0 + np.float32(1) - np.array(1.0, "f4")), 2 * X)


def test_lists_are_positions_and_arrays_of_the_host_are_not(cuda: Cuda):
    x = there(X)
    for index in ([0, 2], [], [-1], ([0, 1], [1, 2]), (slice(None), [3, 0]), [True, False, True]):
        np.testing.assert_array_equal(fnet.to_host(x[index]), X[index])
    np.testing.assert_array_equal(fnet.to_host(np.take(x, [2, 0], axis=1)), X[:, [2, 0]])
    gradient = fnet.grad(lambda x: np.sum(x[[0, 2]] * 3))(x)
    np.testing.assert_array_equal(fnet.to_host(gradient), [[3] * 4, [0] * 4, [3] * 4])
    for index, what in ((np.array([0, 2]), r"int64\[2\]"), (np.array([True, False, True]), r"bool\[3\]")):
        with pytest.raises(DeviceError, match=rf"float32\[3, 4\] is on 'cuda' and a {what} on the host"):
            x[index]
        with pytest.raises(DeviceError, match=f"{what} on the host"):
            fnet.grad(lambda x, index=index: np.sum(x[index]))(x)
    with pytest.raises(IndexRangeError, match="index 3 is outside an axis of size 3"):
        x[[0, 3]]
    with pytest.raises(DeviceError, match="a boolean mask on 'cuda' selects a number of elements that only the dev"):
        x[x > 3]


def test_two_cards_mixed(cuda: Cuda, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(device.FOUND, "cuda:1", Cuda("cuda:1", Emulated(number=1)))
    x, y = there(X), fnet.to_device(X, "cuda:1")
    with pytest.raises(DeviceError, match=r"a float32\[3, 4\] is on 'cuda' and a float32\[3, 4\] on 'cuda:1'; nothing"):
        x + y
    with pytest.raises(DeviceError, match="'a' is on 'cuda' and 'b' on 'cuda:1'; nothing .*\nMove one of them: "):
        fnet.jit(lambda a, b: a + b)(x, y)
    np.testing.assert_array_equal(fnet.to_host(x + fnet.to_device(y, "cuda")), 2 * X)


def test_a_position_out_of_range_gives_nan_and_reads_nothing(cuda: Cuda):
    x, index = there(X), there(np.array([2, 3, -4]))
    for take in (fnet.ops.take, fnet.jit(fnet.ops.take)):
        np.testing.assert_array_equal(fnet.to_host(take(x, index)), [X[2], [np.nan] * 4, [np.nan] * 4])


def fitted(net: fnet.Layer, loss: Any, x: Any, y: Any) -> Any:
    trainer = fnet.Trainer(net, loss)
    ts = there(trainer.init(fnet.random.key(0), x.shape[1:]))
    return trainer, ts, there(x), there(y)


def test_a_label_out_of_range_is_found_after_the_step(cuda: Cuda):
    loss, labels = fnet.losses.SparseCategoricalCrossentropy(from_logits=True), np.array([0, 1, 2, 9])
    trainer, ts, x, y = fitted(serial(layers.Dense(4)), loss, np.ones((4, 3), np.float32), labels)
    before = fnet.to_host(ts)
    text = "label 9 of sample 3 is out of range: expected 0 to 3 for 4 classes. Check the labels, or give"
    with pytest.raises(NonFiniteError, match=f"the state given to fit is unchanged. In the batch of the .*: {text}"):
        trainer.fit(ts, x, y, batch_size=4, shuffle=False, verbose=False)
    with pytest.raises(ValueRangeError, match=text):
        trainer.evaluate(ts, x, y)
    assert fnet.tree.all_equal(fnet.to_host(ts), before)


def test_a_word_out_of_range_is_found_after_the_step(cuda: Cuda):
    net = serial(layers.Embedding(5, 3), layers.Flatten(), layers.Dense(1))
    trainer, ts, x, y = fitted(net, "mse", np.array([[1], [7]]), np.ones((2, 1), np.float32))
    with pytest.raises(NonFiniteError, match=r"Embedding: 7 at position \(1, 0\) is outside of the table of 5 rows"):
        trainer.fit(ts, x, y, shuffle=False, verbose=False)
    with pytest.raises(FnetError, match=r"Embedding: 7 at position \(1, 0\) of x is outside of the table of 5 rows"):
        trainer.evaluate(ts, x, y)


def test_no_room(cuda: Cuda):
    """4 TiB are more than any card has: who asked is said, and what is used, kept and free."""
    x = there(np.ones(1 << 20, np.float32))
    used = memory_use().used
    with pytest.raises(
        DeviceError, match=r"^'cuda' has no room for an array float32\[1048576, 1048576\], 4 TiB: .* used by arrays"
    ):
        x[:, None] * x
    assert memory_use().used <= used
    with pytest.raises(DeviceError, match="^'cuda' has no room for"):
        fnet.jit(lambda x: np.sum(x[:, None] @ x[None, :]))(x)
    assert memory_use().used <= used


def test_an_exception_while_a_step_is_recorded(cuda: Cuda, monkeypatch: pytest.MonkeyPatch):
    step = fnet.jit(lambda state, x: (state + x, np.sum(x)), donate="state")
    state, x = there(X), there(X)
    state, _ = step(state, x)
    launch = cuda.driver.launch

    def failing(kernel: Any, arguments: Any, stream: int) -> None:
        if stream == cuda.capturing:
            raise RuntimeError("in the middle")
        launch(kernel, arguments, stream)

    with monkeypatch.context() as patch:
        patch.setattr(cuda.driver, "launch", failing)
        with pytest.raises(RuntimeError, match="in the middle"):
            step(state, x)
    for times in (3, 4):
        state, _ = step(state, x)
        np.testing.assert_array_equal(fnet.to_host(state), times * X)


def test_what_was_donated_is_updated_and_copies_stay(cuda: Cuda):
    step = fnet.jit(lambda state, x: (state + x, np.sum(state)), donate="state")
    given, x = there(X), there(X)
    first, _ = step(given, x)
    kept = first.copy()
    second, _ = step(first, x)
    assert second is first  # what a call returns is the next call's to write to
    for array, times in ((given, 1), (kept, 2), (second, 3)):
        np.testing.assert_array_equal(fnet.to_host(array), times * X)
    with pytest.raises(FnetError, match="'x' shares memory with the donated argument 'state'"):
        step(second, second)
