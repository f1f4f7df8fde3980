"""Metrics as Keras' configs say them."""

from __future__ import annotations

import functools
from typing import Any

from fnet import metrics
from fnet.configured import is_default
from fnet.errors import FileError, StructureError, did_you_mean, plain
from fnet.io.keras.config import TEXT
from fnet.io.keras.objects import arguments_of, made, read_object, written_value
from fnet.io.keras.parts import keras_object
from fnet.metrics import METRICS, Metric

_CLASSES = (
    *("AUC", "BinaryAccuracy", "BinaryCrossentropy", "BinaryIoU", "CategoricalAccuracy", "CategoricalCrossentropy"),
    *("CategoricalHinge", "ConcordanceCorrelation", "CosineSimilarity", "F1Score", "FBetaScore", "FalseNegatives"),
    *("FalsePositives", "Hinge", "IoU", "KLDivergence", "LogCoshError", "MeanAbsoluteError"),
    *("MeanAbsolutePercentageError", "MeanIoU", "MeanSquaredError", "MeanSquaredLogarithmicError", "OneHotIoU"),
    *("OneHotMeanIoU", "PearsonCorrelation", "Poisson", "Precision", "PrecisionAtRecall", "R2Score", "Recall"),
    *("RecallAtPrecision", "RootMeanSquaredError", "SensitivityAtSpecificity", "SparseCategoricalAccuracy"),
    *("SparseCategoricalCrossentropy", "SparseTopKCategoricalAccuracy", "SpecificityAtSensitivity", "SquaredHinge"),
    *("TopKCategoricalAccuracy", "TrueNegatives", "TruePositives"),
)
"""Keras' classes, which fnet's constructors have as names."""

_BY_SHAPE = {"accuracy": ("accuracy", "acc"), "crossentropy": ("crossentropy", "ce")}
"""Metrics that Keras knows as these texts only, which become one of several by the shapes of the output."""
_LACKS = {"KLDivergence": {"from_logits": False}}
_MOST = {"num_thresholds": 1_000_000, "num_classes": 10_000, "num_labels": 10_000}


def write_metric(metric: Any) -> Any:
    """The name or the object that says a metric, given as trainers take it."""
    found = metrics.get(metric)
    recipe = getattr(found, "recipe", None)
    name = "" if recipe is None else recipe.name
    if name in _BY_SHAPE:
        if found.name not in _BY_SHAPE[name]:
            raise StructureError(
                f"Keras has {name} under the names {' and '.join(_BY_SHAPE[name])} only, received {found.name!r:.80}. "
                f"Leave out the name, or save the network without the trainer."
            )
        return found.name
    class_name = _class_names().get(name)
    if class_name is None:
        raise StructureError(
            f"Keras has no metric {plain(found.name)}. Leave it out, or save the network without the trainer."
        )
    assert recipe is not None
    arguments = dict(recipe.kwargs)
    for key, default in _LACKS.get(class_name, {}).items():
        if not is_default(arguments.pop(key, default), default):
            raise StructureError(f"Keras' metric {class_name} has no {key}. Leave it out.")
    config = {key: written_value(value) for key, value in arguments.items()}
    return keras_object("keras.metrics", class_name, config | {"name": found.name})


def read_metric(given: Any, path: str) -> Metric | str:
    """The metric that a name or an object in a config says."""
    if given in (name for names in _BY_SHAPE.values() for name in names):
        return str(given)
    named = read_object(given, path)
    make, config = named.name, named.arguments
    if make in ("MeanMetricWrapper", "SumOverBatchSizeMetricWrapper"):  # of a function, in files of tf.keras 2
        make = read_object(config.raw("fn"), f"{config.path}/fn").name
    if isinstance(given, str):
        try:
            return metrics.get(given)
        except (ValueError, TypeError):
            raise _unknown(given, path) from None
    if make not in METRICS or make == "Accuracy":
        raise _unknown(make, path)
    arguments = arguments_of(METRICS[make], config)
    for key, most in _MOST.items():
        value = arguments.get(key)
        if isinstance(value, int) and value > most:
            raise FileError(f"{config.path}/{key}: expected at most {most}, received {value}.")
    if arguments.get("name") is None:
        arguments.pop("name", None)
    else:
        config.read("name", TEXT)
    metric: Metric = made(METRICS[make], arguments, path)
    return metric


def _unknown(name: str, path: str) -> FileError:
    return FileError(f"{path}: fnet has no metric {plain(repr(name))} of Keras.{did_you_mean(name, _CLASSES)}")


@functools.cache
def _class_names() -> dict[str, str]:
    """Keras' classes by the names of fnet's constructors."""
    return {METRICS[name].__name__: name for name in _CLASSES}
