"""Right calls of losses and metrics: see `right_calls`."""

from functools import partial
from typing import Any

import numpy as np

import fnet
from fnet import losses, metrics

Array = np.ndarray[tuple[Any, ...], np.dtype[Any]]
key = fnet.random.key(0)
x = np.zeros((2, 4), np.float32)

# Losses.
labels = np.array([0, 1])
losses.huber(x, x, delta=2.0, sample_weight=[1.0, 0.0], reduction="none")
losses.mse(x, x)
losses.mae(x, x, reduction=None)
losses.mape(x, x)
losses.msle(x, x)
losses.log_cosh(x, x)
losses.cosine_similarity(x, x, axis=1)
losses.kl_divergence(x, x, from_logits=True)
losses.poisson(x, x)
losses.gaussian_nll(x, x, full=True)
losses.binary_crossentropy(x, x, from_logits=True, label_smoothing=0.1)
losses.categorical_crossentropy(x, x, axis=-1)
losses.crossentropy(labels, x)
losses.binary_focal_crossentropy(x, x, gamma=1.0)
losses.categorical_focal_crossentropy(x, x, alpha=[0.5, 0.5])
losses.categorical_generalized_cross_entropy(labels, x, q=0.7)
losses.CategoricalGeneralizedCrossEntropy(0.7, reduction="sum")
losses.hinge(x, x)
losses.squared_hinge(x, x, reduction="sum")
losses.categorical_hinge(x, x)
losses.dice(x, x, axis=(0, 1))
losses.tversky(x, x, alpha=0.3, beta=0.7)
losses.contrastive(x, x, margin=2.0)
losses.triplet(None, x)
losses.triplet_semihard(labels, x)
losses.circle(labels, x, gamma=64.0)
losses.sparse_categorical_crossentropy(labels, x, from_logits=True, ignore_class=-1, axis=-1)
losses.ctc(labels, x, blank_index=-1)
of_logits = partial(losses.sparse_categorical_crossentropy, from_logits=True)
configured: list[losses.Loss] = [
    losses.huber,
    losses.MeanSquaredError(),
    losses.MeanAbsoluteError(reduction="sum"),
    losses.MeanAbsolutePercentageError(name="mine"),
    losses.MeanSquaredLogarithmicError(),
    losses.Huber(2.0, "sum"),
    losses.LogCosh(),
    losses.CosineSimilarity(axis=1),
    losses.KLDivergence(from_logits=True),
    losses.Poisson(),
    losses.GaussianNLL(full=True),
    losses.BinaryCrossentropy(True, 0.1),
    losses.CategoricalCrossentropy(label_smoothing=0.1),
    losses.SparseCategoricalCrossentropy(ignore_class=-1),
    losses.Crossentropy(),
    losses.BinaryFocalCrossentropy(gamma=1.0),
    losses.CategoricalFocalCrossentropy(alpha=[0.5, 0.5]),
    losses.Hinge(),
    losses.SquaredHinge(),
    losses.CategoricalHinge(),
    losses.Dice(axis=(1, 2)),
    losses.Tversky(0.3, 0.7),
    losses.Contrastive(margin=2.0),
    losses.Triplet(),
    losses.TripletSemiHard(),
    losses.Circle(gamma=64.0),
    losses.CTC(blank_index=-1),
    losses.huber.configured(delta=3.0),
]
losses.get("mse")(x, x)
losses.get(losses.Huber)(x, x)
losses.Huber(delta=2.0)(x, x, sample_weight=x[:, 0])

# Metrics.
of_metrics: list[metrics.Metric] = [
    metrics.accuracy(),
    metrics.BinaryAccuracy(threshold=0.4),
    metrics.top_k_categorical_accuracy(k=3),
    metrics.AUC(curve="PR", num_thresholds=50),
    metrics.Precision(thresholds=0.5),
    metrics.recall(),
    metrics.F1Score(average="macro"),
    metrics.mean_io_u(num_classes=3),
    metrics.MSE(),
    metrics.huber(delta=2.0, name="h"),
    metrics.binary_crossentropy(from_logits=True, label_smoothing=0.1),
    metrics.perplexity(ignore_class=0),
    metrics.r2_score(),
    metrics.mean_of("mae"),
    metrics.mean_of(lambda y, p: abs(y - p), name="mine", direction="down"),
    metrics.get("acc"),
    metrics.CategoricalAccuracy(),
    metrics.SparseCategoricalAccuracy(name="a"),
    metrics.SparseTopKCategoricalAccuracy(k=3, from_sorted_ids=True),
    metrics.TruePositives(thresholds=[0.2, 0.8]),
    metrics.TrueNegatives(),
    metrics.FalsePositives(),
    metrics.FalseNegatives(0.3),
    metrics.SensitivityAtSpecificity(0.5),
    metrics.SpecificityAtSensitivity(0.5, num_thresholds=50),
    metrics.PrecisionAtRecall(0.5),
    metrics.RecallAtPrecision(0.5, class_id=1),
    metrics.FBetaScore(average="micro", beta=2.0),
    metrics.MAE(),
    metrics.MAPE(),
    metrics.MSLE(),
    metrics.RMSE(),
    metrics.LogCoshError(),
    metrics.CosineSimilarity(axis=1),
    metrics.PearsonCorrelation(),
    metrics.ConcordanceCorrelation(axis=0),
    metrics.KLDivergence(from_logits=True),
    metrics.Poisson(),
    metrics.Hinge(),
    metrics.SquaredHinge(),
    metrics.CategoricalHinge(),
    metrics.CategoricalCrossentropy(label_smoothing=0.1),
    metrics.SparseCategoricalCrossentropy(ignore_class=-1),
    metrics.crossentropy(),
    metrics.binary_focal_crossentropy(gamma=1.0),
    metrics.categorical_focal_crossentropy(alpha=[0.5, 0.5]),
    metrics.ConfusionMatrix(num_classes=3),
    metrics.IoU(num_classes=3, target_class_ids=[0, 2]),
    metrics.OneHotIoU(3, (1,)),
    metrics.OneHotMeanIoU(3),
    metrics.BinaryIoU(threshold=0.3),
    metrics.EditDistance(normalize=False),
    metrics.Sum(),
]
metric = metrics.mean()
metric.result(metric.update(metric.init(), x, x))
