"""Splits, labels, scales, sequences and batches, beside scikit-learn and plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import train_test_split as peer_split
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from fnet import data, random
from fnet.errors import ArgumentError, DtypeError, ShapeError, ValueRangeError

KEY = random.key(3)


@pytest.mark.parametrize("test_size", [0.25, 0.3, 0.01, 7])
def test_a_split_has_the_sizes_of_scikit_learn(test_size):
    x = np.arange(23)
    parts = data.train_test_split(KEY, x, {"a": x * 2, "b": x[:, None]}, test_size=test_size)
    peer = peer_split(x, test_size=test_size)
    assert [len(parts[0]), len(parts[1])] == list(map(len, peer))
    assert sorted([*parts[0], *parts[1]]) == x.tolist() and parts[0].tolist() != sorted(parts[0])
    for mine, other in zip(parts[:2], parts[2:], strict=True):
        assert other["a"].tolist() == (2 * mine).tolist() and other["b"][:, 0].tolist() == mine.tolist()
    again = data.train_test_split(KEY, x, test_size=test_size)
    assert again[0].tolist() == parts[0].tolist()
    assert data.train_test_split(random.key(4), x, test_size=test_size)[0].tolist() != parts[0].tolist()


def test_a_stratified_split_has_the_numbers_of_scikit_learn():
    classes = np.repeat([5, 2, 9], [40, 25, 12])
    train, test = data.train_test_split(KEY, classes, test_size=20, stratify=classes)
    peer = peer_split(classes, test_size=20, stratify=classes, random_state=0)
    assert [np.unique(part, return_counts=True)[1].tolist() for part in (train, test)] == [
        np.unique(part, return_counts=True)[1].tolist() for part in peer
    ]
    assert np.any(np.diff(test) > 0) and np.any(np.diff(test) < 0)
    for rows in (np.eye(10)[classes], classes[:, None]):
        parts = data.train_test_split(KEY, classes, test_size=20, stratify=rows)
        assert [part.tolist() for part in parts] == [train.tolist(), test.tolist()]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: data.train_test_split(KEY, np.zeros(4), np.zeros(3)), ShapeError, r"same number .* \(4,\), \(3,\)"),
        (lambda: data.train_test_split(KEY), ShapeError, "received none"),
        (lambda: data.train_test_split([[1], [2]]), ShapeError, "behind the key, received none. The key comes first"),
        (
            lambda: data.train_test_split(KEY, [1]),
            ValueRangeError,
            "for tests; .* one of each. Choose another test_size",
        ),
        (lambda: data.train_test_split(KEY, np.zeros(4), test_size=4), ValueRangeError, "leaves 0 for training and 4"),
        (lambda: data.train_test_split(KEY, np.zeros(4), test_size=1.5), ValueRangeError, "expected 0 < test_size < 1"),
        (
            lambda: data.train_test_split(KEY, np.zeros(3), stratify=[0, 0, 1]),
            ValueRangeError,
            "a class of stratify has",
        ),
        (
            lambda: data.train_test_split(KEY, np.zeros(4), stratify=np.zeros((4, 2, 2))),
            ShapeError,
            r"train_test_split: stratify has one label for each of 4 samples, received the shape \(4, 2, 2\)",
        ),
        (lambda: data.train_test_split(np.zeros(4), np.zeros(4)), DtypeError, "a key is a uint32 array"),
        (lambda: data.one_hot([0.5]), DtypeError, "one_hot: labels are integers, received dtype float64"),
        (lambda: data.one_hot([0, -1]), ValueRangeError, "expected labels from 0 to 0, received -1"),
        (lambda: data.one_hot([0, 3], 3), ValueRangeError, "expected labels from 0 to 2, received 3"),
        (lambda: data.one_hot([]), ValueRangeError, "no labels, from which the number of classes is not known"),
        (lambda: data.standardise([[np.nan]]), ValueRangeError, "standardise: x holds NaN or infinities"),
        (lambda: data.standardise(np.zeros((0, 2))), ShapeError, r"at least one sample, received the shape \(0, 2\)"),
        (
            lambda: data.standardise([[1.0, 2.0]])([[1.0]]),
            ShapeError,
            r"Scaler: expected an array .*, received \(1, 1\)",
        ),
        (lambda: data.min_max([[1.0]], 1, 0), ValueRangeError, "expected low < high, received low=1 and high=0"),
        (
            lambda: data.pad_sequences([[1]], padding="left"),
            ValueRangeError,
            "padding is 'pre' or 'post', received 'left'",
        ),
        (lambda: data.pad_sequences([1]), ShapeError, "sequence 0 is a scalar"),
        (
            lambda: data.pad_sequences([[1], [2**31]]),
            ValueRangeError,
            "pad_sequences: sequence 1 holds 2147483648, which int32 has not. Pass a larger dtype",
        ),
        (lambda: data.pad_sequences([[-1]], dtype="uint8"), ValueRangeError, "sequence 0 holds -1, which uint8 has"),
        (lambda: data.pad_sequences([[0.5, np.nan]]), ValueRangeError, "sequence 0 holds nan, which int32 has not"),
        (lambda: data.pad_sequences([[1]], dtype="int8", value=128.0), ValueRangeError, "value holds 128.0, which"),
        (lambda: data.pad_sequences([[[1, 2]], [3]]), ShapeError, r"elements of sequence 1 have the shape \(\)"),
        (lambda: data.windows([1, 2], 3), ShapeError, "a window spans 3 steps, but series has 2. Take a smaller"),
        (lambda: data.windows([1, 2], 1, targets=[]), ShapeError, "series has 2 and targets 0"),
        (lambda: data.windows([1, 2], 0), ValueRangeError, "length is a positive integer, received 0"),
        (lambda: data.windows(1, 1), ShapeError, "series has the steps on its first axis, received a scalar"),
        (lambda: data.batches((np.zeros(2), np.zeros(3))), ShapeError, "same number of samples first"),
        (lambda: data.batches(np.zeros(2), "2"), ArgumentError, "batch_size is a positive integer, received str '2'"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize(
    ("scaler", "peer"),
    [
        (data.standardise, StandardScaler()),
        (data.min_max, MinMaxScaler()),
        (lambda x: data.min_max(x, -1, 3), MinMaxScaler((-1, 3))),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scales(scaler, peer, dtype):
    rng = np.random.default_rng(0)
    train, test = (rng.normal(3, 2, size=(n, 3)).astype(dtype) for n in (20, 7))
    train[:, 1] = 0.1  # a constant column
    mine, peer = scaler(train), peer.fit(train.astype("float64"))
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(mine(test), peer.transform(test.astype("float64")), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(mine.inverse(mine(test)), test, rtol=tolerance, atol=tolerance)
    assert mine(test).dtype == dtype and mine(np.ones((1, 3), int)).dtype == np.float32
    with pytest.raises(AttributeError):
        mine.shift = 0


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("rate", [1, 2])
@pytest.mark.parametrize("series", [np.arange(20), np.arange(40.0).reshape(20, 2)])
def test_windows(series, stride, rate):
    begins = [i for i in range(0, 20, stride) if i + 3 * rate < 20]
    expected = np.array([[series[i + k * rate] for k in range(4)] for i in begins])
    np.testing.assert_array_equal(data.windows(series, 4, stride, rate), expected)
    x, y = data.windows(series, 4, stride, rate, targets=series[12:])
    several = [i for i in begins if i < 8]
    np.testing.assert_array_equal(x, expected[: len(several)])
    np.testing.assert_array_equal(y, series[12:][several])


def test_batches():
    x, y = np.arange(10), np.arange(10) * 2
    shuffled = data.batches({"x": x, "y": y}, 4, KEY)
    first, second = list(shuffled), list(shuffled)
    assert [len(batch["x"]) for batch in first] == [4, 4, 2] and len(shuffled) == 3
    for batch, again in zip(first, second, strict=True):
        assert batch["x"].tolist() == again["x"].tolist() and batch["y"].tolist() == (2 * batch["x"]).tolist()
    order = np.concatenate([batch["x"] for batch in first])
    assert sorted(order) == x.tolist() and order.tolist() != x.tolist()
    whole = data.batches(x, 4, drop_last=True)
    assert len(whole) == 2 and [batch.tolist() for batch in whole] == [[0, 1, 2, 3], [4, 5, 6, 7]]
