"""Metrics of the user's own: classes with variables, and classes that inherit from a metric of fnet.keras."""

from __future__ import annotations

import numpy as np

from fnet.keras import Input, Sequential, layers, metrics, ops

X = np.random.default_rng(0).normal(size=(50, 4)).astype("float32")
Y = (X.sum(1, keepdims=True) > 0).astype("int32")


class Hits(metrics.Metric):
    def __init__(self, name="hits", **options):
        super().__init__(name=name, **options)
        self.count = self.add_weight(shape=(), initializer="zeros", name="count")

    def update_state(self, y_true, y_pred, sample_weight=None):
        chosen = ops.reshape(ops.argmax(y_pred, axis=1), (-1, 1))
        hit = ops.cast(ops.equal(ops.cast(y_true, "int32"), ops.cast(chosen, "int32")), "float32")
        if sample_weight is not None:
            hit = hit * ops.reshape(ops.cast(sample_weight, "float32"), (-1, 1))
        self.count.assign_add(ops.sum(hit))

    def result(self):
        return self.count


class Flipped(metrics.BinaryAccuracy):
    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(1 - y_true, y_pred, sample_weight)


def test_a_metric_with_variables_counts_in_training_and_validation():
    model = Sequential([Input((4,)), layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], weighted_metrics=[Hits()])
    weights = np.arange(50, dtype="float32")
    record = model.fit(X, Y, 16, verbose=0, sample_weight=weights, validation_data=(X, Y)).history
    hit = model.predict(X, verbose=0).argmax(1) == Y[:, 0]
    assert record["val_hits"] == [hit.sum()] and 0 < record["hits"][0] <= weights.sum()
    found = model.evaluate(X, Y, 7, sample_weight=weights, return_dict=True, verbose=0)
    np.testing.assert_allclose(found["hits"], weights[hit].sum(), rtol=1e-6)


def test_a_metric_may_be_used_alone_while_a_model_uses_it():
    metric = Hits()
    model = Sequential([Input((4,)), layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[metric])
    metric.update_state(Y, np.eye(2)[Y[:, 0]])
    model.evaluate(X, Y, verbose=0)
    assert float(metric.result()) == 50 and [v.name for v in metric.variables] == ["count"]
    metric.reset_state()
    assert float(metric.result()) == 0 and metric(Y[:3], np.eye(2)[Y[:3, 0]]) == 3


def test_what_a_class_of_ones_own_overrides_of_a_metric_counts():
    model = Sequential([Input((4,)), layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=[Flipped(name="flipped"), "accuracy"])
    found = model.evaluate(X, Y, 16, return_dict=True, verbose=0)
    np.testing.assert_allclose(found["flipped"] + found["accuracy"], 1, rtol=1e-6)
    assert Flipped()([[1], [0]], [[0.9], [0.8]]) == 0.5
