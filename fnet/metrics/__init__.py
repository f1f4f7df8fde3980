"""Metrics: pure accumulators over batches, ``state = update(state, y_true, y_pred)``, ``result(state)``.

The state holds float64 sums, so that long epochs keep their digits and any split into batches gives the same result.
Every metric has two names, ``metrics.auc(curve="PR")`` and Keras' ``metrics.AUC(curve="PR")``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fnet import losses
from fnet.metrics.accuracy import accuracy as accuracy
from fnet.metrics.accuracy import binary_accuracy as binary_accuracy
from fnet.metrics.accuracy import categorical_accuracy as categorical_accuracy
from fnet.metrics.accuracy import sparse_categorical_accuracy as sparse_categorical_accuracy
from fnet.metrics.accuracy import sparse_top_k_categorical_accuracy as sparse_top_k_categorical_accuracy
from fnet.metrics.accuracy import top_k_categorical_accuracy as top_k_categorical_accuracy
from fnet.metrics.correlation import concordance_correlation as concordance_correlation
from fnet.metrics.correlation import pearson_correlation as pearson_correlation
from fnet.metrics.curves import auc as auc
from fnet.metrics.curves import precision_at_recall as precision_at_recall
from fnet.metrics.curves import recall_at_precision as recall_at_precision
from fnet.metrics.curves import sensitivity_at_specificity as sensitivity_at_specificity
from fnet.metrics.curves import specificity_at_sensitivity as specificity_at_sensitivity
from fnet.metrics.define import Metric as Metric
from fnet.metrics.define import initial_state as initial_state
from fnet.metrics.define import nothing as nothing
from fnet.metrics.edit_distance import edit_distance as edit_distance
from fnet.metrics.fbeta import f1_score as f1_score
from fnet.metrics.fbeta import fbeta_score as fbeta_score
from fnet.metrics.iou import binary_iou as binary_iou
from fnet.metrics.iou import confusion_matrix as confusion_matrix
from fnet.metrics.iou import iou as iou
from fnet.metrics.iou import mean_iou as mean_iou
from fnet.metrics.iou import one_hot_iou as one_hot_iou
from fnet.metrics.iou import one_hot_mean_iou as one_hot_mean_iou
from fnet.metrics.probabilistic import binary_crossentropy as binary_crossentropy
from fnet.metrics.probabilistic import categorical_crossentropy as categorical_crossentropy
from fnet.metrics.probabilistic import categorical_hinge as categorical_hinge
from fnet.metrics.probabilistic import crossentropy as crossentropy
from fnet.metrics.probabilistic import hinge as hinge
from fnet.metrics.probabilistic import kl_divergence as kl_divergence
from fnet.metrics.probabilistic import perplexity as perplexity
from fnet.metrics.probabilistic import poisson as poisson
from fnet.metrics.probabilistic import sparse_categorical_crossentropy as sparse_categorical_crossentropy
from fnet.metrics.probabilistic import squared_hinge as squared_hinge
from fnet.metrics.reduction import mean as mean
from fnet.metrics.reduction import mean_of as mean_of
from fnet.metrics.reduction import sum as sum
from fnet.metrics.regression import cosine_similarity as cosine_similarity
from fnet.metrics.regression import huber as huber
from fnet.metrics.regression import log_cosh as log_cosh
from fnet.metrics.regression import mean_absolute_error as mean_absolute_error
from fnet.metrics.regression import mean_absolute_percentage_error as mean_absolute_percentage_error
from fnet.metrics.regression import mean_squared_error as mean_squared_error
from fnet.metrics.regression import mean_squared_logarithmic_error as mean_squared_logarithmic_error
from fnet.metrics.regression import r2_score as r2_score
from fnet.metrics.regression import root_mean_squared_error as root_mean_squared_error
from fnet.metrics.thresholds import false_negatives as false_negatives
from fnet.metrics.thresholds import false_positives as false_positives
from fnet.metrics.thresholds import precision as precision
from fnet.metrics.thresholds import recall as recall
from fnet.metrics.thresholds import true_negatives as true_negatives
from fnet.metrics.thresholds import true_positives as true_positives

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


def __getattr__(name: str) -> Callable[..., Metric]:
    """A constructor by another of its names, such as Keras'."""
    if name in METRICS:
        return METRICS[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *METRICS})


def get(metric: str | Metric | Callable[..., Any]) -> Metric:
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
