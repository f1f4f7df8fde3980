"""Learning rates that callbacks change: in the state of the optimizer, with the bits of constants."""

from __future__ import annotations

import numpy as np
import pytest

from fnet import optimizers, random, schedules
from fnet.callbacks import Callback, LearningRateScheduler, ReduceLROnPlateau
from fnet.errors import DtypeError, StructureError, ValueRangeError
from fnet.layers import Dense
from fnet.optimizers.rates import Rates
from fnet.train import Trainer
from tests.callbacks.feeding import fed
from tests.optimizers.table import RULES

PARAMS = {"w": np.full((2, 2), 0.5, "float32"), "b": np.ones(2, "float32")}


def trained(optimizer, problem, callbacks, epochs=3, ts=None):
    trainer = Trainer(Dense(1), "mse", optimizer)
    ts = trainer.init(random.key(0), (3,)) if ts is None else ts
    return trainer.fit(ts, *problem, batch_size=23, epochs=epochs, verbose=False, callbacks=callbacks)


def test_rates_of_epochs_are_those_of_other_optimizers(problem, same):
    rates = [0.1, 0.02, 0.3]
    new, history = trained(optimizers.sgd(0.5), problem, LearningRateScheduler(lambda epoch: rates[epoch]))
    ts = None
    for rate in rates:
        ts, _ = trained(optimizers.sgd(rate), problem, None, 1, ts)
    assert same(new.params, ts.params) and history["learning_rate"] == rates


def test_the_schedule_sees_the_rate_before(problem):
    given = []

    def schedule(epoch, rate):
        given.append((epoch, rate))
        return np.float32(rate / 2)

    trained("adam", problem, LearningRateScheduler(schedule))
    assert given == [(0, 0.001), (1, np.float32(0.0005)), (2, np.float32(0.00025))]


def test_a_schedule_of_fnet_is_one_of_epochs(problem):
    _, history = trained("sgd", problem, LearningRateScheduler(schedules.exponential_decay(0.1, 1, 0.5)))
    assert history["learning_rate"] == pytest.approx([0.1, 0.05, 0.025])


def test_a_rate_stays_in_the_state(problem, same):
    """A later fit goes on with it, with callbacks or without; one call with two epochs does what two calls do."""
    reduce = ReduceLROnPlateau("loss", 0.5, 0, mode="max", min_delta=0.0)
    whole, record = trained("sgd", problem, reduce, 3)
    assert record["learning_rate"] == [0.01, 0.01, 0.005] and whole.opt_state["learning_rate"] == 0.0025
    after, history = trained("sgd", problem, None, 2, whole)
    assert history["learning_rate"] == [0.0025, 0.0025] and after.opt_state["learning_rate"] == 0.0025
    again, _ = trained(optimizers.sgd(0.0025), problem, None, 2, whole._replace(opt_state={"step": whole.step}))
    assert same(again.params, after.params)


def test_the_rate_of_a_state_counts_in_another_trainer(problem, same):
    """It is the state that goes on; a fresh optimizer has its own rate, as after Keras' compile."""
    old, _ = trained(optimizers.sgd(0.5), problem, LearningRateScheduler(lambda epoch: 0.25))
    new, history = trained(optimizers.sgd(0.125), problem, None, 2, old)
    expected, _ = trained(optimizers.sgd(0.5), problem, None, 2, old)
    assert history["learning_rate"] == [0.25, 0.25] and same(new, expected)
    trainer = Trainer(Dense(1), "mse", optimizers.sgd(0.125))
    assert (
        trainer.learning_rate(old) == 0.25 and trainer.learning_rate(trainer.with_learning_rate(old, 0.0625)) == 0.0625
    )
    fresh = trainer.init_from(old.key, old.params, old.state)
    assert trainer.learning_rate(fresh) == 0.125
    _, history = trained(optimizers.sgd(0.125), problem, LearningRateScheduler(lambda epoch, rate: rate), 1, fresh)
    assert history["learning_rate"] == [0.125]


def test_without_such_a_callback_no_rate_is_in_the_state(problem):
    new, history = trained("adam", problem, None)
    assert "learning_rate" not in new.opt_state and list(history) == ["loss"]


@pytest.mark.parametrize("row", RULES, ids=lambda row: row.make().name)
def test_every_rule_with_its_rate_in_the_state(row, same):
    """The same bits as with a constant, eagerly; another rate is that of another optimizer."""
    opt = row.make()
    if "learning_rate" not in opt.config or callable(opt.config["learning_rate"]):
        pytest.skip("no number")
    rates = Rates(opt.init, opt.name, PARAMS)
    rate, grads = opt.config["learning_rate"], {"w": PARAMS["w"] * 0.3, "b": PARAMS["b"] * -0.2}
    plain, held = opt.init(PARAMS), rates.held(opt.init(PARAMS))
    assert rates.now(held) == rates.now(plain) == rate and same(rates.held(held), held)
    for _ in range(2):
        expected, plain = opt.update(grads, plain, PARAMS)
        updates, held = opt.update(grads, held, PARAMS)
        assert same(updates, expected)
    changed = rates.changed(held, rate / 4)
    assert rates.now(changed) == rate / 4 and not same(opt.update(grads, changed, PARAMS)[0], expected)


def test_several_rates_keep_their_ratios():
    opt = optimizers.partition({"a": optimizers.sgd(0.1), "b": optimizers.adam(0.4)}, {"w": "a", "b": "b"})
    rates = Rates(opt.init, opt.name, PARAMS)
    state = rates.changed(rates.held(opt.init(PARAMS)), 0.05)
    assert rates.now(state) == 0.05 and state["a"]["learning_rate"] == 0.05 and state["b"]["learning_rate"] == 0.2


@pytest.mark.parametrize(
    "optimizer",
    [optimizers.sgd(schedules.exponential_decay(0.1, 10, 0.5)), optimizers.chain(optimizers.scale(-0.1))],
    ids=["schedule", "none"],
)
def test_an_optimizer_without_a_number_is_refused_before_training(problem, optimizer):
    steps = []
    with pytest.raises(StructureError, match=r"the optimizer (sgd|chain) has no learning rate that is a number.*0.001"):
        trained(optimizer, problem, [LearningRateScheduler(lambda epoch: 0.1), lambda *seen: steps.append(seen)])
    assert steps == []


@pytest.mark.parametrize("rate", [-0.1, np.nan, np.inf, None, "0.1"])
def test_rates_that_are_none(problem, rate):
    with pytest.raises(ValueRangeError, match="LearningRateScheduler: the schedule gave .* for epoch 0, expected a"):
        trained("sgd", problem, LearningRateScheduler(lambda epoch, before: rate))


def test_a_schedule_that_is_no_function():
    with pytest.raises(DtypeError, match=r"schedule is a function \(epoch, rate\), received a float 0.1"):
        LearningRateScheduler(0.1)


def test_a_callback_that_does_not_say_so_may_change_the_rate_between_epochs(problem, same):
    class Halving(Callback):
        def on_epoch_end(self, run):
            run.learning_rate = run.learning_rate / 2

    class Telling(Halving):
        changes_learning_rate = True

    quiet, history = trained("sgd", problem, Halving())
    told, _ = trained("sgd", problem, Telling())
    assert same(quiet, told) and history["learning_rate"] == [0.005, 0.0025]


def test_a_rate_for_each_step(problem, same):
    class Falling(Callback):
        changes_learning_rate = True

        def on_train_batch_begin(self, run):
            run.learning_rate = 0.1 / (1 + run.step)

    x, y = problem
    trainer = Trainer(Dense(1), "mse", optimizers.sgd(0.1))
    ts = trainer.init(random.key(0), (3,))
    new, _ = trainer.fit(ts, x, y, batch_size=5, epochs=2, verbose=False, callbacks=Falling())
    inverse = Trainer(Dense(1), "mse", optimizers.sgd(schedules.inverse_time_decay(0.1, 1, 1.0)))
    expected, _ = inverse.fit(ts, x, y, batch_size=5, epochs=2, verbose=False)
    np.testing.assert_allclose(new.params["kernel"], expected.params["kernel"], rtol=1e-6)

    class Quiet(Falling):
        changes_learning_rate = False

    with pytest.raises(StructureError, match="for which the step is not compiled. Write changes_learning_rate = True"):
        trainer.fit(ts, x, y, batch_size=5, epochs=2, verbose=False, callbacks=Quiet())


def test_verbose_tells(trainer, problem, capsys):
    logs = [{"loss": 1.0}] * 3
    fed(trainer, problem, logs, ReduceLROnPlateau("loss", 0.5, 1, verbose=1))
    assert capsys.readouterr().out.splitlines() == [
        "epoch 2: the learning rate is reduced to 0.0005",
        "epoch 3: the learning rate is reduced to 0.00025",
    ]
    fed(trainer, problem, logs[:1], LearningRateScheduler(lambda epoch: 0.25, verbose=1))
    assert capsys.readouterr().out == "epoch 1: the learning rate is 0.25\n"
