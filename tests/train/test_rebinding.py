"""A state from before training in the place of the one that `fit` returned is told; comparing states is not."""

from __future__ import annotations

import copy
import pickle

import pytest

from fnet import losses, optimizers, random, serial
from fnet.layers import Dense, Dropout
from fnet.train import Trainer

TEXT = r"{} was given the state from before the last fit, .* Keep what fit returns: ts, history = trainer.fit"


@pytest.fixture
def trainer(trainer: Trainer) -> Trainer:
    """One that no other test has trained with."""
    return copy.deepcopy(trainer)


@pytest.fixture
def fit(trainer, ts, problem):
    return lambda state=ts: trainer.fit(state, *problem, batch_size=23, verbose=False)


@pytest.mark.parametrize("method", ["predict", "evaluate", "fit"])
def test_a_result_that_is_dropped(trainer, ts, problem, fit, method):
    fit()
    arguments = problem[:1] if method == "predict" else problem
    with pytest.warns(UserWarning, match=TEXT.format(method)) as told:
        getattr(trainer, method)(ts, *arguments, batch_size=23)
    assert told[0].filename == __file__


def test_only_the_record_is_kept(trainer, ts, problem, fit):
    _, history = fit()
    del _
    with pytest.warns(UserWarning, match=TEXT.format("predict")):
        trainer.predict(ts, problem[0])
    assert history.epoch == [0]
    fit()  # comparing records begins at the same state


def test_the_pair_is_taken_for_the_record(trainer, ts, problem, fit):
    history = fit()
    with pytest.raises(AttributeError, match=r"no attribute 'history': write ts, history = trainer.fit\(ts, \.\.\.\)"):
        _ = history.history
    with pytest.warns(UserWarning, match=TEXT.format("evaluate")):
        trainer.evaluate(ts, *problem)


def test_comparing_states_is_no_mistake(trainer, ts, problem, fit):
    new, _ = fit()
    trainer.evaluate(ts, *problem)
    other, _ = fit()
    trainer.evaluate(new, *problem)
    trainer.evaluate(other, *problem)
    runs = [fit() for _ in range(2)]
    assert len(runs[0]) == 2 and runs[0][1].epoch == [0] and isinstance(runs[0], tuple)
    trainer.fit(fit()[0], *problem, batch_size=23, verbose=False)


def test_rebinding_is_no_mistake(trainer, ts, problem, fit, same):
    ts, _ = fit(ts)
    ts, _ = fit(ts)
    trainer.predict(ts, problem[0])
    loaded, history = pickle.loads(pickle.dumps(fit(ts)))
    assert same(loaded, fit(ts)[0]) and history.epoch == [0]


def test_a_trainer_pickles_by_what_it_was_made_of(problem, same):
    net = serial(Dense(4, activation="tanh"), Dropout(0.25), Dense(1))
    made = Trainer(net, losses.Huber(2.0), optimizers.adam(0.01, clipnorm=1.0), ["mae"], None, ["mse"])
    ts = made.init(random.key(1), (3,))
    ts, history = made.fit(ts, *problem, batch_size=5, verbose=False)
    for other in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made), copy.copy(made)):
        fresh, record = other.fit(other.init(random.key(1), (3,)), *problem, batch_size=5, verbose=False)
        assert same(fresh, ts) and record.history == history.history
