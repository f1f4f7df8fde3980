"""Metrics as Keras' configs say them."""

from __future__ import annotations

import functools
from typing import Any

from fnet import metrics
from fnet.configured import is_default
from fnet.errors import FileError, StructureError, did_you_mean, plain
from fnet.io.keras import registry
from fnet.io.keras.config import TEXT
from fnet.io.keras.objects import arguments_of, made, read_object, written_value
from fnet.io.keras.parts import keras_object, own_object
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
    if (registered := registry.name_of(metric)) is not None and not METRICS.has(metric):
        return own_object(registered)
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
    registered = None if recipe is None else registry.name_of(recipe.make)
    if recipe is not None and registered is None and hasattr(recipe.make, "serializes"):
        registered = registry.name_of_class(recipe.make)
    if recipe is not None and registered is not None:
        arguments = {key: written_value(value) for key, value in recipe.kwargs.items()}
        return own_object(registered, arguments | {"name": found.name})
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
    if named.own is not None:
        thing = named.thing()
        if not named.is_function and not isinstance(thing, Metric):
            raise FileError(f"{path}: {plain(repr(named.name))} makes a {type(thing).__name__}, expected a Metric.")
        return thing if named.is_function else thing._replace(name=named.arguments.read("name", TEXT))
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
    return FileError(
        f"{path}: fnet has no metric {plain(repr(name))} of Keras.{did_you_mean(name, _CLASSES)} {registry.hint(name)}"
    )


@functools.cache
def _class_names() -> dict[str, str]:
    """Keras' classes by the names of fnet's constructors."""
    return {METRICS[name].__name__: name for name in _CLASSES}
