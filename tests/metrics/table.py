"""One table of all metrics: each row pairs fnet's form with a plain NumPy reference, and with Keras' where it has one.

A new metric is a new row here; the laws of `test_laws` run over all rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from fnet import metrics

Array = np.ndarray
Reference = Callable[[Array, Array, Array], Any]
EPSILON = 1e-7


# Makers: (rng, lead) -> (y_true, y_pred), float64 or int64, the lead axes being (B,) or (B, T).


def reals(rng: np.random.Generator, lead: tuple[int, ...]) -> tuple[Array, Array]:
    y = rng.normal(size=(*lead, 3)) + 2
    return y, y + rng.normal(size=(*lead, 3))


def positives(rng: np.random.Generator, lead: tuple[int, ...]) -> tuple[Array, Array]:
    return rng.uniform(0.1, 3, (*lead, 3)), rng.uniform(0.1, 3, (*lead, 3))


def bits(rng: np.random.Generator, lead: tuple[int, ...]) -> tuple[Array, Array]:
    """Scores in steps of 1/8, so that many are equal to each other and to a threshold."""
    y = rng.integers(0, 2, (*lead, 3)).astype(float)
    return y, np.round((0.3 * y + 0.7 * rng.random((*lead, 3))) * 8) / 8


def classes(rng: np.random.Generator, lead: tuple[int, ...], sparse: bool = False) -> tuple[Array, Array]:
    y, p = rng.integers(0, 4, lead), rng.random((*lead, 4)) + 0.1
    return y if sparse else np.eye(4)[y], p / p.sum(-1, keepdims=True)


def regions(rng: np.random.Generator, lead: tuple[int, ...]) -> tuple[Array, Array]:
    y = rng.integers(0, 4, (*lead, 5))
    return y, np.where(rng.random(y.shape) < 0.5, y, rng.integers(0, 4, y.shape))


def transcripts(rng: np.random.Generator, lead: tuple[int, ...]) -> tuple[Array, Array]:
    """Sequences of labels, each as long as its first axis says, padded with -1."""
    y, p = rng.integers(1, 4, (lead[0], 5)), rng.integers(1, 4, (lead[0], 6))
    for row in (*y, *p):
        row[rng.integers(1, len(row) + 1) :] = -1
    return y, p


# References: (y_true, y_pred, weights of the samples) -> the result over all samples.


def average(values: Callable[[Array, Array], Array]) -> Reference:
    """The weighted mean over samples of the mean value of a sample."""
    return lambda y, p, w: np.average(values(y, p).reshape(len(y), -1).mean(1), weights=w)


def spread_out(w: Array, like: Array) -> Array:
    """The weight of its sample for each element."""
    return np.broadcast_to(w.reshape((-1,) + (1,) * (like.ndim - 1)), like.shape)


def confusion(y: Array, p: Array, w: Array, threshold: float) -> dict[str, float]:
    w, y, positive = spread_out(w, y), y > 0, p > threshold
    pairs = {"tp": y & positive, "fp": ~y & positive, "tn": ~y & ~positive, "fn": y & ~positive}
    return {key: w[chosen].sum() for key, chosen in pairs.items()}


def share(a: float, b: float) -> float:
    return a / b if b else 0.0


def rate(counts: dict[str, float], name: str) -> float:
    tp, fp, tn, fn = (counts[key] for key in ("tp", "fp", "tn", "fn"))
    return {"precision": share(tp, tp + fp), "recall": share(tp, tp + fn), "specificity": share(tn, tn + fp)}[name]


def only_top(p: Array, k: int) -> Array:
    """-inf in place of all but the k largest of each row, of equal ones the first."""
    order = np.argsort(-p, axis=-1, kind="stable")[..., :k]
    kept = np.full_like(p, -np.inf)
    np.put_along_axis(kept, order, np.take_along_axis(p, order, -1), -1)
    return kept


def roc_area(y: Array, p: Array, w: Array, number: int = 200) -> float:
    edges = [-EPSILON, *(np.arange(1, number - 1) / (number - 1)), 1 + EPSILON]
    at = [confusion(y, p, w, t) for t in edges]
    x, height = [1 - rate(c, "specificity") for c in at], [rate(c, "recall") for c in at]
    return -np.trapezoid(height, x)


def precision_recall_area(y: Array, p: Array, w: Array) -> float:
    """By numerical integration of precision over recall, where both counts grow in proportion between thresholds."""
    edges = [-EPSILON, *(np.arange(1, 199) / 199), 1 + EPSILON]
    at, area, way = [confusion(y, p, w, t) for t in edges], 0.0, np.linspace(0, 1, 2001)
    for low, high in zip(at[1:], at[:-1], strict=True):
        tp, fp = (low[key] + way * (high[key] - low[key]) for key in ("tp", "fp"))
        start = np.full_like(tp, rate(high, "precision"))  # in place of 0 / 0, where nothing is found yet
        found = np.divide(tp, tp + fp, out=start, where=tp + fp > 0)
        area += np.trapezoid(found, tp / (low["tp"] + low["fn"]))
    return area


def best_where(required: str, least: float, wanted: str) -> Reference:
    def reference(y: Array, p: Array, w: Array) -> float:
        at = [confusion(y, p, w, t) for t in np.arange(200) / 199]
        return max((rate(c, wanted) for c in at if rate(c, required) >= least), default=0.0)

    return reference


def f_scores(y: Array, p: Array, w: Array, beta: float = 1.0, threshold: float | None = None) -> tuple[Array, Array]:
    """Scores of the classes, and how often each is true."""
    chosen = p == p.max(-1, keepdims=True) if threshold is None else p > threshold
    scores, often = [], []
    for c in range(y.shape[-1]):
        at = confusion(y[..., c], chosen[..., c], w, 0.5)
        precision, recall = rate(at, "precision"), rate(at, "recall")
        scores.append(share((1 + beta**2) * precision * recall, beta**2 * precision + recall))
        often.append(at["tp"] + at["fn"])
    return np.array(scores), np.array(often)


def micro_f(y: Array, p: Array, w: Array) -> float:
    at = confusion(y, p == p.max(-1, keepdims=True), w, 0.5)
    return share(2 * at["tp"], 2 * at["tp"] + at["fp"] + at["fn"])


def r2(y: Array, p: Array, w: Array) -> Array:
    axes, w = tuple(range(y.ndim - 1)), spread_out(w, y)
    centre = np.average(y, axis=axes, weights=w)
    return 1 - (w * (y - p) ** 2).sum(axes) / (w * (y - centre) ** 2).sum(axes)


def variances(y: Array, w: Array) -> list[Array]:
    return [np.cov(v.reshape(-1), aweights=spread_out(w, v).reshape(-1), ddof=0) for v in np.moveaxis(y, -1, 0)]


def correlation(y: Array, p: Array, concordance: bool = False) -> Array:
    a, b = y - y.mean(-1, keepdims=True), p - p.mean(-1, keepdims=True)
    covariance, vy, vp = (a * b).mean(-1), y.var(-1), p.var(-1)
    if concordance:
        return 2 * covariance / (vy + vp + (y.mean(-1) - p.mean(-1)) ** 2 + EPSILON)
    return covariance / np.sqrt(vy * vp)


def table(y: Array, p: Array, w: Array, number: int = 4) -> Array:
    """The confusion matrix, sample by sample."""
    counted = np.zeros((number, number))
    for true, predicted, weight in zip(y.flat, p.flat, spread_out(w, y).flat, strict=True):
        counted[true, predicted] += weight
    return counted


def overlap(y: Array, p: Array, w: Array, targets: tuple[int, ...] = (0, 1, 2, 3)) -> float:
    w, scores = spread_out(w, y), []
    for c in targets:
        either = w[(y == c) | (p == c)].sum()
        scores += [w[(y == c) & (p == c)].sum() / either] if either else []
    return float(np.mean(scores)) if scores else 0.0


def distance(a: list[int], b: list[int]) -> int:
    """The edit distance, from its definition."""
    if not a or not b:
        return len(a) + len(b)
    return min(distance(a[1:], b) + 1, distance(a, b[1:]) + 1, distance(a[1:], b[1:]) + (a[0] != b[0]))


def error_rate(y: Array, p: Array, w: Array, per_label: bool = True) -> float:
    pairs = [([c for c in a if c >= 0], [c for c in b if c >= 0]) for a, b in zip(y.tolist(), p.tolist(), strict=True)]
    wrong = sum(weight * distance(a, b) for weight, (a, b) in zip(w, pairs, strict=True))
    return wrong / sum(weight * (len(a) if per_label else 1) for weight, (a, _) in zip(w, pairs, strict=True))


def bce(y: Array, p: Array) -> Array:
    p = np.clip(p, EPSILON, 1 - EPSILON)
    return -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean(-1)


def surprise(y: Array, p: Array) -> Array:
    return -np.log(np.take_along_axis(p, y[..., None], -1)[..., 0])


def agree(y: Array, p: Array) -> Array:
    return (y.argmax(-1) == p.argmax(-1)).astype(float)


def among(y: Array, p: Array, k: int) -> Array:
    """By sorting; a tie with the k-th largest is in."""
    return (np.take_along_axis(p, y[..., None], -1)[..., 0] >= np.sort(p, -1)[..., -k]).astype(float)


@dataclass(frozen=True)
class MetricCase:
    """`keras`: name and options of Keras' class; `steps`: whether steps (B, T) are rows that a mask may leave out."""

    id: str
    make: Callable[..., metrics.Metric]
    data: Callable[..., tuple[Array, Array]]
    reference: Reference
    direction: str | None = "up"
    names: tuple[str, ...] = ()
    keras: tuple[str, dict[str, Any]] | None = None
    steps: bool = True
    tolerance: float = 1e-9
    options: dict[str, Any] = field(default_factory=dict)

    def metric(self, **more: Any) -> metrics.Metric:
        return self.make(**self.options, **more)


def _case(
    id: str, make: str, data: Any, reference: Reference, direction: str | None = "up", names: str = "",
    keras: str | None = None, steps: bool = True, tolerance: float = 1e-9, **options: Any,
) -> MetricCase:  # fmt: skip
    chosen = None if keras is None else (keras, options)
    constructor = getattr(metrics, make)
    return MetricCase(
        id, constructor, data, reference, direction, tuple(names.split()), chosen, steps, tolerance, options
    )


def _loss(
    name: str, keras: str | None, data: Any, values: Callable[[Array, Array], Array], aliases: str = ""
) -> MetricCase:
    names = f"{name} {keras or ''} {aliases}"
    return _case(name, name, data, average(values), "down", names, keras)


def _counted(name: str, key: str, direction: str) -> MetricCase:
    keras = "".join(map(str.capitalize, name.split("_")))
    return _case(name, name, bits, lambda y, p, w: confusion(y, p, w, 0.5)[key], direction, f"{name} {keras}", keras)


def _at(name: str, keras: str, required: str, argument: str, wanted: str) -> MetricCase:
    return _case(name, name, bits, best_where(required, 0.6, wanted), keras=keras, **{argument: 0.6})


sparse = partial(classes, sparse=True)
METRICS = [
    _case("accuracy", "accuracy", classes, average(agree), names="accuracy acc Accuracy"),
    _case(
        "binary_accuracy", "binary_accuracy", bits, average(lambda y, p: ((p > 0.5) == y).astype(float)),
        names="binary_accuracy BinaryAccuracy", keras="BinaryAccuracy",
    ),
    _case(
        "categorical_accuracy", "categorical_accuracy", classes, average(agree),
        names="categorical_accuracy CategoricalAccuracy", keras="CategoricalAccuracy",
    ),
    _case(
        "sparse_categorical_accuracy", "sparse_categorical_accuracy", sparse,
        average(lambda y, p: (y == p.argmax(-1)).astype(float)),
        names="sparse_categorical_accuracy SparseCategoricalAccuracy", keras="SparseCategoricalAccuracy",
    ),
    _case(
        "top_k", "TopKCategoricalAccuracy", classes, average(lambda y, p: among(y.argmax(-1), p, 2)),
        names="", keras="TopKCategoricalAccuracy", k=2,
    ),
    _case(
        "sparse_top_k", "SparseTopKCategoricalAccuracy", sparse, average(partial(among, k=2)),
        keras="SparseTopKCategoricalAccuracy", k=2,
    ),
    _counted("true_positives", "tp", "up"),
    _counted("false_positives", "fp", "down"),
    _counted("true_negatives", "tn", "up"),
    _counted("false_negatives", "fn", "down"),
    _case(
        "thresholds", "TruePositives", bits,
        lambda y, p, w: [confusion(y, p, w, t)["tp"] for t in (0.75, 0.25, 0.5)],
        keras="TruePositives", thresholds=[0.75, 0.25, 0.5],
    ),
    _case(
        "precision", "precision", bits, lambda y, p, w: rate(confusion(y, p, w, 0.5), "precision"),
        names="precision Precision", keras="Precision",
    ),
    _case(
        "precision_top_k", "Precision", bits,
        lambda y, p, w: rate(confusion(y, only_top(p, 2), w, -np.inf), "precision"),
        keras="Precision", top_k=2,
    ),
    _case(
        "precision_class", "precision", bits,
        lambda y, p, w: rate(confusion(y[..., 1], p[..., 1], w, 0.25), "precision"),
        keras="Precision", class_id=1, thresholds=0.25,
    ),
    _case(
        "recall", "recall", bits, lambda y, p, w: rate(confusion(y, p, w, 0.5), "recall"),
        names="recall Recall", keras="Recall",
    ),
    _case(
        "recall_thresholds", "recall", bits,
        lambda y, p, w: [rate(confusion(y, only_top(p, 1), w, t), "recall") for t in (0.5, 0.125)],
        keras="Recall", thresholds=[0.5, 0.125], top_k=1,
    ),
    _case("auc", "auc", bits, roc_area, names="auc AUC", keras="AUC"),
    _case("auc_few", "AUC", bits, partial(roc_area, number=5), keras="AUC", num_thresholds=5),
    _case("auc_pr", "AUC", bits, precision_recall_area, keras="AUC", curve="PR", tolerance=1e-5),
    _case(
        "auc_labels", "AUC", bits,
        lambda y, p, w: np.average([roc_area(y[..., i], p[..., i], w) for i in range(3)], weights=[1, 2, 3]),
        keras="AUC", multi_label=True, label_weights=[1.0, 2.0, 3.0], steps=False,
    ),
    _at("sensitivity_at_specificity", "SensitivityAtSpecificity", "specificity", "specificity", "recall"),
    _at("specificity_at_sensitivity", "SpecificityAtSensitivity", "recall", "sensitivity", "specificity"),
    _at("precision_at_recall", "PrecisionAtRecall", "recall", "recall", "precision"),
    _at("recall_at_precision", "RecallAtPrecision", "precision", "precision", "recall"),
    _case("f1", "f1_score", bits, lambda y, p, w: f_scores(y, p, w)[0], names="f1_score F1Score f1", keras="F1Score"),
    _case("f1_micro", "F1Score", bits, micro_f, keras="F1Score", average="micro"),
    _case(
        "f1_macro", "F1Score", bits, lambda y, p, w: f_scores(y, p, w, threshold=0.5)[0].mean(),
        keras="F1Score", average="macro", threshold=0.5,
    ),
    _case(
        "fbeta", "fbeta_score", bits,
        lambda y, p, w: np.average(f_scores(y, p, w, 2.0)[0], weights=f_scores(y, p, w)[1]),
        keras="FBetaScore", beta=2.0, average="weighted",
    ),
    _loss("mean_squared_error", "MeanSquaredError", reals, lambda y, p: ((y - p) ** 2).mean(-1), "mse MSE"),
    _loss("mean_absolute_error", "MeanAbsoluteError", reals, lambda y, p: abs(y - p).mean(-1), "mae MAE"),
    _loss(
        "mean_absolute_percentage_error", "MeanAbsolutePercentageError", reals,
        lambda y, p: 100 * (abs(y - p) / np.maximum(abs(y), EPSILON)).mean(-1), "mape MAPE",
    ),
    _loss(
        "mean_squared_logarithmic_error", "MeanSquaredLogarithmicError", positives,
        lambda y, p: ((np.log1p(y) - np.log1p(p)) ** 2).mean(-1), "msle MSLE",
    ),
    _loss("log_cosh", "LogCoshError", reals, lambda y, p: np.log(np.cosh(y - p)).mean(-1), "logcosh"),
    _loss("huber", None, reals, lambda y, p: np.where(abs(y - p) <= 1, (y - p) ** 2 / 2, abs(y - p) - 0.5).mean(-1)),
    _case(
        "rmse", "RootMeanSquaredError", reals,
        lambda y, p, w: np.sqrt(average(lambda y, p: (y - p) ** 2)(y, p, w)), "down",
        "root_mean_squared_error rmse RootMeanSquaredError", "RootMeanSquaredError",
    ),
    _case(
        "cosine_similarity", "cosine_similarity", reals,
        average(lambda y, p: (y * p).sum(-1) / np.linalg.norm(y, axis=-1) / np.linalg.norm(p, axis=-1)),
        names="cosine_similarity CosineSimilarity", keras="CosineSimilarity",
    ),
    _case(
        "r2", "r2_score", reals, lambda y, p, w: r2(y, p, w).mean(),
        names="r2_score R2Score r2", keras="R2Score", tolerance=1e-8,
    ),
    _case("r2_none", "R2Score", reals, r2, keras="R2Score", class_aggregation=None, tolerance=1e-8),
    _case(
        "r2_weighted", "R2Score", reals,
        lambda y, p, w: np.average(r2(y, p, w), weights=variances(y, w)),
        keras="R2Score", class_aggregation="variance_weighted_average", tolerance=1e-8,
    ),
    _case(
        "r2_adjusted", "R2Score", reals, lambda y, p, w: 1 - (1 - r2(y, p, w)) * (y.size - 1) / (y.size - 3),
        keras="R2Score", class_aggregation=None, num_regressors=2, tolerance=1e-8,
    ),
    _case(
        "pearson", "pearson_correlation", reals, average(correlation),
        names="pearson_correlation PearsonCorrelation", keras="PearsonCorrelation",
    ),
    _case(
        "concordance", "concordance_correlation", reals, average(partial(correlation, concordance=True)),
        names="concordance_correlation ConcordanceCorrelation", keras="ConcordanceCorrelation",
    ),
    _loss(
        "kl_divergence", "KLDivergence", lambda rng, lead: (classes(rng, lead)[1], classes(rng, lead)[1]),
        lambda y, p: (y * np.log(y / p)).sum(-1),
    ),
    _loss("poisson", "Poisson", positives, lambda y, p: (p - y * np.log(p + EPSILON)).mean(-1)),
    _loss("hinge", "Hinge", bits, lambda y, p: np.maximum(1 - (2 * y - 1) * p, 0).mean(-1)),
    _loss("squared_hinge", "SquaredHinge", bits, lambda y, p: (np.maximum(1 - (2 * y - 1) * p, 0) ** 2).mean(-1)),
    _loss(
        "categorical_hinge", "CategoricalHinge", classes,
        lambda y, p: np.maximum(((1 - y) * p).max(-1) - (y * p).sum(-1) + 1, 0),
    ),
    _loss("binary_crossentropy", "BinaryCrossentropy", bits, bce, "bce BCE"),
    _loss("categorical_crossentropy", "CategoricalCrossentropy", classes, lambda y, p: surprise(y.argmax(-1), p)),
    _loss("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", sparse, surprise),
    _case(
        "binary_focal", "binary_focal_crossentropy", bits,
        average(lambda y, p: (-abs(y - p) ** 2 * np.log(np.clip(1 - abs(y - p), EPSILON, 1))).mean(-1)), "down",
        "binary_focal_crossentropy",
    ),
    _case(
        "categorical_focal", "categorical_focal_crossentropy", classes,
        average(lambda y, p: -(0.25 * (1 - p) ** 2 * y * np.log(p)).sum(-1)), "down", "categorical_focal_crossentropy",
    ),
    _case("crossentropy", "crossentropy", sparse, average(surprise), "down", "crossentropy ce"),
    _case(
        "perplexity", "perplexity", sparse, lambda y, p, w: np.exp(average(surprise)(y, p, w)), "down",
        "perplexity Perplexity",
    ),
    _case(
        "confusion_matrix", "confusion_matrix", sparse, lambda y, p, w: table(y, p.argmax(-1), w), None, num_classes=4
    ),
    _case("mean_iou", "MeanIoU", regions, overlap, keras="MeanIoU", num_classes=4),
    _case("mean_iou_absent", "MeanIoU", regions, overlap, keras="MeanIoU", num_classes=6),
    _case(
        "iou", "IoU", regions, partial(overlap, targets=(0, 2)), keras="IoU", num_classes=4, target_class_ids=[0, 2]
    ),
    _case(
        "one_hot_iou", "OneHotIoU", classes,
        lambda y, p, w: overlap(y.argmax(-1), p.argmax(-1), w, (1, 3)),
        keras="OneHotIoU", num_classes=4, target_class_ids=[1, 3],
    ),
    _case(
        "one_hot_mean_iou", "OneHotMeanIoU", classes, lambda y, p, w: overlap(y.argmax(-1), p.argmax(-1), w),
        keras="OneHotMeanIoU", num_classes=4,
    ),
    _case(
        "binary_iou", "BinaryIoU", bits, lambda y, p, w: overlap(y, (p >= 0.5).astype(float), w, (0, 1)),
        names="binary_iou BinaryIoU binary_io_u", keras="BinaryIoU",
    ),
    _case("edit_distance", "edit_distance", transcripts, error_rate, "down", "edit_distance EditDistance", steps=False),
    _case(
        "edit_distance_sum", "EditDistance", transcripts, partial(error_rate, per_label=False), "down",
        steps=False, normalize=False,
    ),
]  # fmt: skip
