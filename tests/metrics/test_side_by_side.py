"""Metrics that share what they count do not disturb each other in one compiled step."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet.layers import Dense
from tests.metrics.table import METRICS, bits

OF_TWO_CLASSES = [case for case in METRICS if case.data is bits]


@pytest.mark.parametrize("donate", [(), (0,)])
def test_each_metric_has_the_result_that_it_has_alone(donate):
    y, p = (np.asarray(part, "float32") for part in bits(np.random.default_rng(0), (24,)))
    found = [case.metric() for case in OF_TWO_CLASSES]
    assert len(found) > 5

    def count(states, y, p):
        return [metric.update(state, y, p) for metric, state in zip(found, states, strict=True)]

    run, states = fnet.jit(count, donate=donate), [metric.init() for metric in found]
    for part in (slice(0, 12), slice(12, 24)):
        states = run(states, y[part], p[part])
    for metric, state in zip(found, states, strict=True):
        alone = metric.init()
        for part in (slice(0, 12), slice(12, 24)):
            alone = metric.update(alone, y[part], p[part])
        np.testing.assert_allclose(metric.result(state), metric.result(alone), rtol=1e-9, err_msg=metric.name)


def test_counts_of_two_classes_add_up_in_a_trainer():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 4)).astype("float32")
    y = (x[:, :1] > 0.5).astype("uint8")
    names = ["true_positives", "false_positives", "true_negatives", "false_negatives", "precision", "recall"]
    trainer = fnet.Trainer(Dense(1, "sigmoid"), "binary_crossentropy", metrics=names)
    ts = trainer.init(fnet.random.key(0), (4,))
    found = trainer.evaluate(ts, x, y, batch_size=16)
    above = trainer.predict(ts, x) > 0.5
    tp, fp = (above & (y == 1)).sum(), (above & (y == 0)).sum()
    tn, fn = (~above & (y == 0)).sum(), (~above & (y == 1)).sum()
    np.testing.assert_allclose([found[name] for name in names], [tp, fp, tn, fn, tp / (tp + fp), tp / (tp + fn)])
