"""Values recorded from Keras, for every loss that it has."""

from __future__ import annotations

import numpy as np
import pytest

from fnet import losses

Y, P = [[1, 9, 2], [-5, -2, 6]], [[4, 8, 12], [8, 1, 3]]
ROWS = [[0.9, 0.05, 0.05], [0.5, 0.89, 0.6], [0.05, 0.01, 0.94]]
LOGITS = [[8.0, 1, 1], [0, 9, 1], [2, 3, 5]]
HINGE_Y, HINGE_P = [[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]
KLD_Y, KLD_P = [[0.5, 0.8, 0.12], [0.7, 0.43, 0.8]], [[0.4, 0.9, 0.12], [0.36, 0.3, 0.4]]
BITS_Y, BITS_P = [[1, 0], [1, 0]], [[0.9, 0.8], [0.7, 0.2]]
TIMES_Y = np.array([1, 9, 2, -5, -2, 6], float).reshape(2, 3, 1)
TIMES_P = np.array([4, 8, 12, 8, 1, 3], float).reshape(2, 3, 1)
STEPS = [[3, 6, 5], [0, 4, 2]]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (lambda: losses.mse(Y, P), 49.5),
        (lambda: losses.mae(Y, P), 5.5),
        (lambda: losses.mape(Y, P), 211.8518),
        (lambda: losses.msle(Y, P), 1.43704),
        (lambda: losses.log_cosh(Y, P), 4.829245),
        (lambda: losses.cosine_similarity(Y, P, reduction="none"), [-0.720488, 0.346050]),
        (lambda: losses.cosine_similarity(Y, P), -0.187219),
        (lambda: losses.huber(Y, P), 5.0),
        (lambda: losses.huber([[1, 0, 1], [1, 0, 0]], [[0.9, 0.2, 0.2], [0.8, 0.4, 0.6]]), 0.1041667),
        (lambda: losses.hinge(HINGE_Y, HINGE_P, reduction="none"), [1.1, 1.5]),
        (lambda: losses.squared_hinge(HINGE_Y, HINGE_P), 1.86),
        (lambda: losses.categorical_hinge(HINGE_Y, HINGE_P, reduction="none"), [1.2, 1.6]),
        (lambda: losses.categorical_hinge(HINGE_Y, HINGE_P), 1.4),
        (lambda: losses.kld(KLD_Y, KLD_P, reduction="none"), [0.0173453, 1.1748023]),
        (lambda: losses.kld(KLD_Y, KLD_P), 0.5960738),
        (lambda: losses.poisson([[4, 8, 12], [8, 1, 3]], [[1, 9, 2], [5, 2, 6]]), -3.3065822),
        (lambda: losses.BinaryFocalCrossentropy(gamma=2)(BITS_Y, BITS_P), 0.268),
        (lambda: losses.dice([[1, 2], [1, 2]], np.array([[4, 1], [6, 1]], np.float32)), -0.55555546),
        (lambda: losses.mse(Y, P, sample_weight=[[1.2], [3.4]]), 127.96667),
        (lambda: losses.mse(Y, P, sample_weight=[[1.2], [3.4]], reduction="mean_with_sample_weight"), 55.63768),
        (lambda: losses.mse(TIMES_Y, TIMES_P, sample_weight=STEPS), 97.83333),
        (lambda: losses.mae(TIMES_Y, TIMES_P, sample_weight=STEPS), 13.83333),
        (lambda: losses.mape(TIMES_Y, TIMES_P, sample_weight=STEPS), 694.4444),
        (lambda: losses.msle(TIMES_Y, TIMES_P, sample_weight=STEPS), 2.647374),
        (
            lambda: losses.binary_crossentropy(np.eye(3), [[0.9, 0.1, 0.2], [0.3, 0.8, 0.1], [0.1, 0.2, 0.7]]),
            0.20046903,
        ),
        (lambda: losses.binary_crossentropy([[1, 0], [1, 0]], np.array([[1, 1], [1, 0]], np.float32)), 3.98559),
        (lambda: losses.binary_crossentropy([[1, 0], [1, 0]], np.array([[1.0, 1], [1, 0]])), 4.02952),
        (
            lambda: losses.binary_crossentropy([[1, 0, 1]], [[10.0, -10, -10]], from_logits=True, label_smoothing=0.1),
            (10 + 0.5) / 3,
        ),
        (lambda: losses.categorical_crossentropy(np.eye(3), ROWS), 0.3239),
        (lambda: losses.sparse_categorical_crossentropy([0, 1, 2], ROWS), 0.3239),
        (lambda: losses.categorical_crossentropy(np.eye(3), ROWS, reduction="none"), [0.1053605, 0.8046685, 0.0618754]),
        (
            lambda: losses.sparse_categorical_crossentropy([[0], [1], [2]], ROWS, reduction="none"),
            [0.1053605, 0.8046685, 0.0618754],
        ),
        (lambda: losses.categorical_crossentropy(np.eye(3), ROWS, sample_weight=[1.2, 3.4, 5.6]), 1.0696),
        (lambda: losses.categorical_crossentropy(np.eye(3), LOGITS, from_logits=True), 0.0573),
        (
            lambda: losses.sparse_categorical_crossentropy(
                [0, 1, 2], LOGITS, from_logits=True, sample_weight=[[1.2], [3.4], [5.6]]
            ),
            0.31829,
        ),
        (
            lambda: losses.categorical_crossentropy(
                [[1, 0, 0]], [[100.0, -100, -100]], from_logits=True, label_smoothing=0.1
            ),
            13.33333,
        ),
        (
            lambda: losses.SparseCategoricalCrossentropy(True, ignore_class=-1, reduction="none")(
                [[-1, 2]], [[[0.854, 0.698, 0.598], [0.088, 0.86, 0.018]]]
            ),
            [[0, 1.480129]],
        ),
    ],
)
def test_values_recorded_from_keras(value, expected):
    np.testing.assert_allclose(value(), expected, atol=1e-4, rtol=1e-5)
