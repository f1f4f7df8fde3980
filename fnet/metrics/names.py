"""The table of metrics by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fnet import losses
from fnet.metrics.accuracy import (
    accuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from fnet.metrics.correlation import concordance_correlation, pearson_correlation
from fnet.metrics.curves import (
    auc,
    precision_at_recall,
    recall_at_precision,
    sensitivity_at_specificity,
    specificity_at_sensitivity,
)
from fnet.metrics.define import Metric
from fnet.metrics.edit_distance import edit_distance
from fnet.metrics.fbeta import f1_score, fbeta_score
from fnet.metrics.iou import binary_iou, confusion_matrix, iou, mean_iou, one_hot_iou, one_hot_mean_iou
from fnet.metrics.probabilistic import (
    binary_crossentropy,
    categorical_crossentropy,
    categorical_hinge,
    crossentropy,
    hinge,
    kl_divergence,
    perplexity,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from fnet.metrics.reduction import mean, mean_of, sum
from fnet.metrics.regression import (
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    r2_score,
    root_mean_squared_error,
)
from fnet.metrics.thresholds import false_negatives, false_positives, precision, recall, true_negatives, true_positives

_NAMES: dict[Callable[..., Metric], str] = {
    accuracy: "accuracy acc Accuracy",
    binary_accuracy: "binary_accuracy BinaryAccuracy",
    categorical_accuracy: "categorical_accuracy CategoricalAccuracy",
    sparse_categorical_accuracy: "sparse_categorical_accuracy SparseCategoricalAccuracy",
    top_k_categorical_accuracy: "top_k_categorical_accuracy TopKCategoricalAccuracy",
    sparse_top_k_categorical_accuracy: "sparse_top_k_categorical_accuracy SparseTopKCategoricalAccuracy",
    true_positives: "true_positives TruePositives",
    false_positives: "false_positives FalsePositives",
    true_negatives: "true_negatives TrueNegatives",
    false_negatives: "false_negatives FalseNegatives",
    precision: "precision Precision",
    recall: "recall Recall",
    auc: "auc AUC",
    sensitivity_at_specificity: "sensitivity_at_specificity SensitivityAtSpecificity",
    specificity_at_sensitivity: "specificity_at_sensitivity SpecificityAtSensitivity",
    precision_at_recall: "precision_at_recall PrecisionAtRecall",
    recall_at_precision: "recall_at_precision RecallAtPrecision",
    fbeta_score: "fbeta_score f_beta_score FBetaScore",
    f1_score: "f1_score F1Score f1",
    mean_squared_error: "mean_squared_error mse MSE MeanSquaredError",
    root_mean_squared_error: "root_mean_squared_error rmse RMSE RootMeanSquaredError",
    mean_absolute_error: "mean_absolute_error mae MAE MeanAbsoluteError",
    mean_absolute_percentage_error: "mean_absolute_percentage_error mape MAPE MeanAbsolutePercentageError",
    mean_squared_logarithmic_error: "mean_squared_logarithmic_error msle MSLE MeanSquaredLogarithmicError",
    log_cosh: "log_cosh logcosh log_cosh_error LogCoshError",
    huber: "huber Huber",
    cosine_similarity: "cosine_similarity CosineSimilarity",
    r2_score: "r2_score R2Score r2",
    pearson_correlation: "pearson_correlation PearsonCorrelation",
    concordance_correlation: "concordance_correlation ConcordanceCorrelation",
    kl_divergence: "kl_divergence KLDivergence",
    poisson: "poisson Poisson",
    hinge: "hinge Hinge",
    squared_hinge: "squared_hinge SquaredHinge",
    categorical_hinge: "categorical_hinge CategoricalHinge",
    binary_crossentropy: "binary_crossentropy bce BCE BinaryCrossentropy",
    categorical_crossentropy: "categorical_crossentropy CategoricalCrossentropy",
    sparse_categorical_crossentropy: "sparse_categorical_crossentropy SparseCategoricalCrossentropy",
    crossentropy: "crossentropy ce",
    perplexity: "perplexity Perplexity",
    confusion_matrix: "confusion_matrix ConfusionMatrix",
    iou: "iou io_u IoU",
    mean_iou: "mean_iou mean_io_u MeanIoU",
    one_hot_iou: "one_hot_iou one_hot_io_u OneHotIoU",
    one_hot_mean_iou: "one_hot_mean_iou one_hot_mean_io_u OneHotMeanIoU",
    binary_iou: "binary_iou binary_io_u BinaryIoU",
    edit_distance: "edit_distance EditDistance",
    mean: "mean Mean",
    sum: "sum Sum",
}
METRICS: dict[str, Callable[..., Metric]] = {name: make for make, names in _NAMES.items() for name in names.split()}


MetricLike = str | Metric | Callable[..., Any]
"""What `get` takes for a metric."""


def get(metric: MetricLike) -> Metric:
    """A metric by name (that of any loss too), which it keeps; a `Metric` itself; the mean of a function of samples.

    >>> get("acc").name, get("mse").name
    ('acc', 'mse')

    Raises `ValueRangeError` for an unknown name, `TypeError` for that of a metric whose constructor needs arguments.
    """
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, str):
        if metric in METRICS:
            return METRICS[metric]()._replace(name=metric)
        if metric in losses.LOSSES:
            return mean_of(metric)
    elif callable(metric):
        return metric() if metric in METRICS.values() else mean_of(metric)
    raise losses.unknown("metric", metric, {**METRICS, **losses.LOSSES})
