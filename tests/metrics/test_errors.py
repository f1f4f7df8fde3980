"""Every mistake that metrics can know of, by its text."""

from __future__ import annotations

import numpy as np
import pytest

from fnet import metrics
from fnet.errors import ShapeError, StructureError, ValueRangeError
from tests.metrics.test_laws import over

ONES = np.ones((3, 2))
Range, Shape = ValueRangeError, ShapeError


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        # names and options
        (lambda: metrics.get("accurcy"), Range, "unknown metric 'accurcy': expected a name or a function. Did you"),
        (lambda: metrics.get(3), Range, "unknown metric 3"),
        (lambda: metrics.get("mean_iou"), TypeError, "mean_iou(): missing a required argument: 'num_classes'"),
        (
            lambda: metrics.AUC(num_treshold=3),
            TypeError,
            "unexpected argument 'num_treshold'. Did you mean 'num_thresholds'?",
        ),
        (lambda: metrics.BinaryCrossentropy(from_logit=1), TypeError, "Did you mean 'from_logits'?"),
        (lambda: metrics.Acuracy, AttributeError, "module 'fnet.metrics' has no attribute 'Acuracy'"),
        (lambda: metrics.BinaryAccuracy(7), Range, "binary_accuracy: expected 0 <= threshold <= 1, received 7"),
        (lambda: metrics.Precision([0.5, 1.5]), Range, "precision: expected 0 <= threshold <= 1, received 1.5"),
        (lambda: metrics.AUC(thresholds=[-1]), Range, "auc: expected 0 <= threshold <= 1, received -1"),
        (lambda: metrics.AUC(num_thresholds=1), Range, "auc: expected num_thresholds of 2 or more, received 1"),
        (lambda: metrics.AUC(curve="RAC"), Range, "auc: unknown curve 'RAC'. Did you mean 'ROC'?"),
        (
            lambda: metrics.AUC(summation_method="minor"),
            Range,
            "unknown summation_method 'minor'. Did you mean 'minoring'?",
        ),
        (lambda: metrics.AUC(num_labels=3), Range, "auc: num_labels is for multi_label=True"),
        (lambda: metrics.BinaryIoU(threshold=2), Range, "expected 0 <= threshold <= 1, received 2"),
        (lambda: metrics.PrecisionAtRecall(1.2), Range, "expected 0 <= recall <= 1, received 1.2"),
        (lambda: metrics.PrecisionAtRecall(0.2, 0), Range, "num_thresholds is a positive integer, received 0"),
        (lambda: metrics.TopKCategoricalAccuracy(k=0), Range, "k is a positive integer, received 0"),
        (lambda: metrics.Recall(top_k=1.5), Range, "top_k is a positive integer, received 1.5"),
        (lambda: metrics.F1Score(average="makro"), Range, "f1_score: unknown average 'makro'. Did you mean 'macro'?"),
        (lambda: metrics.FBetaScore(beta=0), Range, "fbeta_score: expected beta > 0, received 0"),
        (lambda: metrics.F1Score(threshold=0), Range, "f1_score: expected 0 < threshold <= 1, received 0"),
        (lambda: metrics.R2Score("uniform"), Range, "class_aggregation 'uniform'. Did you mean 'uniform_average'?"),
        (lambda: metrics.R2Score(num_regressors=-1), Range, "expected num_regressors of 0 or more, received -1"),
        (lambda: metrics.IoU(2, [2]), Range, "io_u: target class 2 is none of the 2 classes"),
        (lambda: metrics.MeanIoU(0), Range, "mean_io_u: num_classes is a positive integer, received 0"),
        # values
        (lambda: over(metrics.accuracy(), ([0, 9], ONES[:2])), Range, "label 9 of sample 1"),
        (lambda: over(metrics.AUC(), ([0, 1], [0.1, 3.0])), Range, "probabilities in [0, 1], received 3.0 in sample 1"),
        (
            lambda: over(metrics.Recall(), ([0, 2], [0.1, 0.2])),
            Range,
            "expected y_true of 0 and 1, received 2 in sample 1",
        ),
        (lambda: over(metrics.MeanIoU(2), ([0, 2], [0, 1])), Range, "label 2 of sample 1 in y_true is out of range"),
        (lambda: over(metrics.MeanIoU(2), ([0, 1], [0, -1])), Range, "label -1 of sample 1 in y_pred is out of range"),
        (lambda: over(metrics.MeanIoU(2), ([0, 0.5], [0, 1])), Range, "labels must be whole numbers, received 0.5"),
        (lambda: over(metrics.EditDistance(), ([[0.5]], [[0]])), Range, "labels must be whole numbers, received 0.5"),
        # shapes
        (
            lambda: over(metrics.categorical_accuracy(), ([0, 1], np.ones((2, 3)))),
            Shape,
            "sparse_categorical form",
        ),
        (
            lambda: over(metrics.sparse_categorical_accuracy(), (np.eye(3), np.ones((3, 3)))),
            Shape,
            "expected labels of shape (3,) for y_pred (3, 3), received (3, 3)",
        ),
        (
            lambda: over(metrics.get("mse"), (ONES, ONES, np.ones(2))),
            Shape,
            "sample_weight (2,) does not fit the values, expected (3,)",
        ),
        (lambda: over(metrics.SparseTopKCategoricalAccuracy(from_sorted_ids=True), ([0], ONES)), Shape, "shape (3,)"),
        (
            lambda: over(metrics.Precision(class_id=2), (ONES, ONES)),
            Shape,
            "class_id 2 needs y_pred of shape (..., classes)",
        ),
        (
            lambda: over(metrics.Precision(class_id=0), ([1], [1.0])),
            Shape,
            "class_id 0 needs y_pred of shape (..., classes)",
        ),
        (lambda: over(metrics.Recall(top_k=3), (ONES, ONES)), Shape, "top_k 3 needs rows of at least 3 classes"),
        (
            lambda: over(metrics.AUC(multi_label=True), ([1], [1.0])),
            Shape,
            "multi_label expects y_pred of shape (batch, labels)",
        ),
        (
            lambda: over(metrics.AUC(multi_label=True, num_labels=3), (ONES, ONES)),
            Shape,
            "multi_label expects y_pred of shape (batch, 3), received (3, 2)",
        ),
        (
            lambda: over(metrics.AUC(label_weights=[1.0]), (ONES, ONES)),
            Shape,
            "label_weights (1,) do not fit y_pred (3, 2)",
        ),
        (
            lambda: over(metrics.F1Score(), ([1, 0], [1.0, 0.0])),
            Shape,
            "expected y_true and y_pred of shape (batch, classes)",
        ),
        (
            lambda: over(metrics.R2Score(), ([1, 0], [1.0, 0.0])),
            Shape,
            "expected y_true and y_pred of shape (batch, outputs)",
        ),
        (lambda: over(metrics.MeanIoU(2), ([1, 0], ONES)), Shape, "Say what is one-hot or scores: sparse_y_true="),
        (
            lambda: over(metrics.confusion_matrix(3), ([1, 0, 1], ONES)),
            Shape,
            "scores of 3 classes on axis -1, received (3, 2)",
        ),
        (
            lambda: over(metrics.EditDistance(), ([1], [1])),
            Shape,
            "expected y_true (batch, labels) and y_pred (batch, labels)",
        ),
        (
            lambda: metrics.initial_state(metrics.Metric(dict, lambda s, y, p: {"n": 1.0}, dict), ONES, ONES),
            StructureError,
            "metric metric: update must return a state like that of init",
        ),
    ],
)
def test_errors_say_what_was_meant(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)
    assert str(caught.value).count("\n") < 3
