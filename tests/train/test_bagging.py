"""Networks that were trained on samples drawn again."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import losses, random, tree
from fnet.errors import ArgumentError, ValueRangeError
from fnet.layers import Dense

KEY = random.key(2)
X = np.random.default_rng(0).normal(size=(20, 2)).astype("float32")
LABELS = (X.sum(1) > 0).astype(int) + (X[:, 0] > 1)


@pytest.fixture(scope="module")
def trainer() -> fnet.Trainer:
    return fnet.Trainer(Dense(3), losses.SparseCategoricalCrossentropy(from_logits=True), fnet.optimizers.adam(0.1))


@pytest.fixture(scope="module")
def bag(trainer):
    return fnet.bagging(trainer, KEY, X, LABELS, members=4, epochs=3, batch_size=8)


def test_members_run_the_same_programs_on_samples_of_their_own(trainer, bag):
    assert len(bag.states) == len(bag.rows) == len(bag.histories) == 4
    assert all(len(rows) == 20 and 8 < len(set(rows)) < 20 for rows in bag.rows)
    assert len({rows.tobytes() for rows in bag.rows}) == len({tuple(ts.key) for ts in bag.states}) == 4
    assert (
        sum(function.memory().programs for function in trainer._programs.compiled.values()) <= 4
    )  # two sizes; two of predict
    start = trainer.init(random.fold_in(random.fold_in(KEY, 1), 2), (2,))
    ts, _ = trainer.fit(start, X[bag.rows[2]], LABELS[bag.rows[2]], epochs=3, batch_size=8, verbose=False)
    assert tree.all_equal(ts, bag.states[2])


def test_they_predict_together(trainer, bag):
    each = np.stack([trainer.predict(ts, X) for ts in bag.states])
    assert np.array_equal(bag.predictions(X), each)
    assert np.array_equal(bag.predict(X), each.mean(0)) and np.array_equal(bag.std(X), each.std(0))
    votes = each.argmax(-1)
    wanted = [np.bincount(votes[:, i], minlength=3).argmax() for i in range(20)]
    assert bag.predict(X, "vote").tolist() == wanted


def test_a_single_output_votes_by_one_half():
    trainer = fnet.Trainer(Dense(1, "sigmoid"), "binary_crossentropy", fnet.optimizers.adam(0.1))
    bag = fnet.bagging(trainer, KEY, X, (LABELS > 0)[:, None], members=3, epochs=2)
    assert bag.predict(X, "vote").tolist() == ((bag.predictions(X)[..., 0] > 0.5).sum(0) >= 2).astype(int).tolist()


def test_fractions_without_replacement(trainer):
    half = fnet.bagging(trainer, KEY, X, LABELS, members=2, fraction=0.5, replace=False)
    assert all(len(set(rows)) == 10 for rows in half.rows) and len({rows.tobytes() for rows in half.rows}) == 2
    whole = fnet.bagging(trainer, KEY, X, LABELS, members=2, replace=False)
    assert all(rows.tolist() == list(range(20)) for rows in whole.rows)
    assert not np.array_equal(*whole.predictions(X))


def test_mistakes_are_told(trainer, bag):
    with pytest.raises(ValueRangeError, match="expected members to be an integer >= 1, received 0"):
        fnet.bagging(trainer, KEY, X, LABELS, members=0)
    with pytest.raises(ValueRangeError, match="fraction is a fraction, expected 0 < fraction <= 1, received 2"):
        fnet.bagging(trainer, KEY, X, LABELS, fraction=2)
    with pytest.raises(ValueRangeError, match=r"fraction=0\.01 of 20 samples is none"):
        fnet.bagging(trainer, KEY, X, LABELS, fraction=0.01)
    with pytest.raises(ArgumentError, match="replace is True or False"):
        fnet.bagging(trainer, KEY, X, LABELS, replace="no")
    with pytest.raises(ValueRangeError, match="combine is 'mean' or 'vote', received 'median'"):
        bag.predict(X, "median")
