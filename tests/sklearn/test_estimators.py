"""The estimators keep scikit-learn's rules, and work wherever scikit-learn takes an estimator."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn", "1.6")
from sklearn.base import clone
from sklearn.ensemble import AdaBoostClassifier, VotingClassifier
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import fnet
from fnet import losses, optimizers
from fnet.layers import Dense
from fnet.sklearn import FnetClassifier, FnetRegressor

NEEDS = "SCIPY_ARRAY_API"  # the one check that scikit-learn leaves out where this variable is not set


def logistic(features: int, outputs: int) -> fnet.Layer:
    return Dense(outputs)


def classes() -> tuple[np.ndarray, np.ndarray]:
    """Three clouds on a line, of 20 points each, with names."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(3 * place, 0.5, (20, 2)) for place in (-1, 0, 1)])
    return x, np.repeat(["a", "b", "c"], 20)


def quick(epochs: int = 30, **more: object) -> FnetClassifier:
    return FnetClassifier(logistic, optimizer=optimizers.adam(0.1), epochs=epochs, random_state=0, **more)


@pytest.mark.slow
@pytest.mark.parametrize("make", [FnetClassifier, FnetRegressor])
def test_every_check_of_scikit_learn_passes(make):
    done = check_estimator(make(), on_skip=None, on_fail=None)
    passed = [check["check_name"] for check in done if check["status"] == "passed"]
    print(f"{make.__name__}: {len(passed)} of {len(done)} checks of scikit-learn passed")
    assert len(passed) > 50 and "check_sample_weight_equivalence_on_dense_data" in passed
    assert [(c["check_name"], c["exception"]) for c in done if c["status"] not in ("passed", "skipped")] == []
    assert all(NEEDS in str(check["exception"]) for check in done if check["status"] == "skipped")


def test_in_a_pipeline_and_a_grid_search():
    x, y = classes()
    pipeline = make_pipeline(StandardScaler(), quick())
    grid = GridSearchCV(pipeline, {"fnetclassifier__epochs": [1, 30], "fnetclassifier__batch_size": [16, 60]}, cv=2)
    grid.fit(x, y)
    assert grid.best_params_["fnetclassifier__epochs"] == 30 and grid.best_score_ > 0.9
    assert set(grid.predict(x)) == {"a", "b", "c"}
    assert cross_val_predict(quick(), x, y, cv=2, method="predict_proba").shape == (60, 3)


@pytest.mark.slow
def test_two_processes_give_the_scores_of_one():
    x, y = classes()
    scores = [cross_val_score(FnetClassifier(epochs=20, random_state=0), x, y, cv=3, n_jobs=jobs) for jobs in (1, 2)]
    assert scores[0].tolist() == scores[1].tolist() and scores[0].shape == (3,)


def test_boosting_weighs_samples():
    x = np.linspace(-2, 2, 40)[:, None]
    y = ((x[:, 0] > -1) & (x[:, 0] < 1.5)).astype(int)  # no single line tells these apart
    weak = quick(epochs=12).set_params(net=lambda features, outputs: fnet.serial(Dense(2, "relu"), Dense(outputs)))
    boosted = AdaBoostClassifier(weak, n_estimators=5, random_state=0).fit(x, y)
    assert len(boosted.estimators_) > 1 and boosted.score(x, y) > boosted.estimators_[0].score(x, y)
    voting = VotingClassifier([("a", quick()), ("b", quick())], voting="soft").fit(x, y)
    assert voting.predict_proba(x).shape == (40, 2)


def test_a_weight_counts_as_repeated_samples_do():
    x, _ = classes()
    weight = np.arange(60) % 3
    weighted = FnetRegressor(logistic, random_state=0, epochs=5).fit(x, x[:, 0], 0.1 * weight).predict(x)
    repeated = FnetRegressor(logistic, random_state=0, epochs=5).fit(np.repeat(x, weight, 0), x[:, 0].repeat(weight))
    np.testing.assert_allclose(weighted, repeated.predict(x), rtol=1e-9)
    with pytest.raises(ValueError, match=r"(?i)sample.weights?.* (non-zero|above 0)"):
        FnetRegressor(logistic).fit(x, x[:, 0], np.zeros(60))


@pytest.mark.parametrize(
    ("net", "loss"),
    [
        (Dense(1), None),
        (Dense(1, "sigmoid"), None),
        (Dense(2), None),
        (Dense(2, "softmax"), None),
        (Dense(2, "softmax"), "categorical_crossentropy"),
        (Dense(2, "softmax"), losses.Crossentropy()),
        (Dense(2), lambda y, p: losses.sparse_categorical_crossentropy(y, p, from_logits=True, reduction="none")),
    ],
    ids=["logit", "sigmoid", "logits", "softmax", "one-hot", "crossentropy", "mine"],
)
def test_networks_may_end_in_probabilities_or_logits(net, loss):
    x, y = classes()
    x, y = x[y != "b"], y[y != "b"]
    fitted = FnetClassifier(net, loss, optimizers.adam(0.1), epochs=20, random_state=0).fit(x, y)
    proba = fitted.predict_proba(x)
    np.testing.assert_allclose(proba.sum(1), 1, rtol=1e-6)
    assert proba.min() >= 0 and fitted.score(x, y) == 1.0
    assert proba[y == "a", 0].min() > 0.5 > proba[y == "c", 0].max()


def test_one_class_has_the_probability_one():
    fitted = quick().fit([[0.0], [1.0]], ["only", "only"])
    assert fitted.predict_proba([[5.0]]).tolist() == [[1.0]] and fitted.predict([[-5.0]]).tolist() == ["only"]


def test_several_targets_and_dtypes():
    x, _ = classes()
    fitted = FnetRegressor(logistic, optimizer=optimizers.adam(0.1), epochs=200, random_state=0).fit(
        x, x @ np.eye(2, 3)
    )
    assert (
        fitted.predict(x).shape == (60, 3)
        and fitted.predict(x).dtype == np.float64
        and fitted.score(x, x @ np.eye(2, 3)) > 0.6
    )
    single = FnetRegressor(logistic, epochs=2).fit(x.astype("float32"), x[:, 0])
    assert single.predict(x.astype("float32")).shape == (60,) and single.ts_.params["kernel"].dtype == np.float32


def test_clones_pickles_and_seeds():
    x, y = classes()
    first = quick(metrics=["accuracy"]).fit(x, y)
    again = clone(first)
    assert not hasattr(again, "ts_") and again.net is logistic
    assert again.set_params(epochs=3).get_params()["epochs"] == 3
    back = pickle.loads(pickle.dumps(first))
    assert np.array_equal(back.predict_proba(x), first.predict_proba(x))
    assert np.array_equal(quick().fit(x, y).predict_proba(x), first.predict_proba(x))
    other = quick().set_params(random_state=1).fit(x, y)
    assert not np.array_equal(other.predict_proba(x), first.predict_proba(x))
    assert len(first.history_["accuracy"]) == 30 and first.trainer_.predict(first.ts_, x).shape == (60, 3)


def test_fits_of_the_same_parameters_share_what_is_compiled():
    x, y = classes()
    estimator = quick(batch_size=30)
    trainer = estimator.fit(x, y).trainer_
    assert clone(estimator).fit(x, y).trainer_ is trainer
    assert quick(batch_size=20).set_params(optimizer=optimizers.sgd()).fit(x, y).trainer_ is not trainer


def test_mistakes_are_told():
    x, y = classes()
    with pytest.raises(
        ValueError, match=r"there are 3 classes, for which the network needs 3 outputs, received one with 2"
    ):
        FnetClassifier(Dense(2)).fit(x, y)
    with pytest.raises(ValueError, match=r"there are 1 targets, received a network with 2 outputs"):
        FnetRegressor(Dense(2)).fit(x, x[:, 0])
    with pytest.raises(ValueError, match=r"net is a Layer, or a function of the numbers of features and outputs"):
        FnetClassifier(3).fit(x, y)
    with pytest.raises(ValueError, match=r"net\(2, 3\) is a str\. Let it return fnet\.serial"):
        FnetClassifier(lambda features, outputs: "dense").fit(x, y)
    with pytest.raises(
        ValueError, match=r"expected an output of shape \(2, outputs\) for 2 samples, received \(2, 2, 1\)"
    ):
        FnetClassifier(fnet.layers.Reshape((2, 1))).fit(x, y)


def test_scikit_learn_is_loaded_on_first_use_and_missed_in_words():
    code = """
import sys
import fnet.sklearn
assert "sklearn" not in sys.modules
sys.modules["sklearn"] = None
try:
    fnet.sklearn.FnetClassifier
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("fnet.sklearn needs scikit-learn 1.6 or later")
    assert "pip install 'scikit-learn>=1.6'" in done.stdout
