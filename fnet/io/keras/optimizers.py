"""Optimizers and schedules as Keras' configs say them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from fnet import optimizers, schedules
from fnet.arguments import is_number
from fnet.configured import Configured
from fnet.errors import FileError, StructureError, did_you_mean, plain
from fnet.io.keras.config import NUMBER, Config, wrong
from fnet.io.keras.objects import arguments_of, made, read_object, written_value
from fnet.io.keras.parts import keras_object
from fnet.optimizers import OPTIMIZERS, Optimizer
from fnet.schedules.schedule import SCHEDULES

_NAMES = "Adadelta Adafactor Adagrad Adam Adamax AdamW Ftrl Lamb Lion Muon Nadam RMSprop SGD"
CLASSES = {name.lower(): name for name in _NAMES.split()} | {"schedule_free_adamw": "ScheduleFreeAdamW"}
"""Keras' classes by the names of fnet's optimizers."""
SCHEDULE_CLASSES = {
    "cosine_decay": "CosineDecay",
    "cosine_decay_restarts": "CosineDecayRestarts",
    "exponential_decay": "ExponentialDecay",
    "inverse_time_decay": "InverseTimeDecay",
    "piecewise_constant": "PiecewiseConstantDecay",
    "polynomial_decay": "PolynomialDecay",
}
_WITHOUT = "save the network without the trainer."


def write_optimizer(optimizer: Any) -> dict[str, Any]:
    """The object that says an optimizer, given as trainers take it."""
    found = optimizers.get(optimizer)
    name = found.name
    if name not in CLASSES:
        raise StructureError(f"Keras has no optimizer {plain(name)}. Take one of {', '.join(CLASSES)}, or {_WITHOUT}")
    config = dict(found.config)
    exclude = config.pop("exclude_from_weight_decay", ())
    if exclude is not None and not (isinstance(exclude, str | tuple | list) and not exclude):
        raise StructureError(
            f"Keras' files do not say exclude_from_weight_decay, received {plain(repr(exclude))}. Leave it out, or "
            f"{_WITHOUT}"
        )
    rate = _write_rate(config.pop("learning_rate"))
    if name == "muon":
        config["exclude_layers"] = list(config["exclude_layers"]) or None
    values = {key: written_value(value) for key, value in config.items()}
    return keras_object("keras.optimizers", CLASSES[name], {"name": name, "learning_rate": rate, **values})


def read_optimizer(given: Any, path: str) -> Optimizer:
    """The optimizer that a name or an object in a config says."""
    named = read_object(given, path)
    known = {class_name: name for name, class_name in CLASSES.items()}
    lower = {class_name.lower(): name for class_name, name in known.items()}
    name = lower.get(given.lower(), "") if isinstance(given, str) else known.get(named.name, "")
    if name not in CLASSES:
        raise FileError(f"{path}: fnet has no optimizer {plain(repr(named.name))}.{did_you_mean(named.name, known)}")
    make, config = OPTIMIZERS[name], named.arguments
    if "relative_step" in config and config.raw("relative_step") is not True:
        raise FileError(f"{config.path}/relative_step: fnet's adafactor has relative steps only.")
    arguments = arguments_of(make, config, leave_out=("learning_rate",))
    if not arguments.get("use_ema"):  # these have no effect, and Keras writes them always
        arguments = {key: value for key, value in arguments.items() if not key.startswith("ema_")}
    defaults = inspect.signature(make).parameters
    arguments = {key: value for key, value in arguments.items() if value is not None or defaults[key].default is None}
    key = next((key for key in ("learning_rate", "lr") if key in config), None)
    if key is not None:
        arguments["learning_rate"] = _read_rate(config, key)
    optimizer: Optimizer = made(make, arguments, path)
    return optimizer


def _write_rate(rate: Any) -> Any:
    if is_number(rate):
        return float(rate)
    if isinstance(rate, Configured) and rate.name == "constant":
        return float(rate.config["value"])
    if not isinstance(rate, Configured) or rate.name not in SCHEDULE_CLASSES:
        name = getattr(rate, "name", getattr(rate, "__name__", repr(rate)))
        raise StructureError(
            f"Keras has no schedule {plain(str(name))}. Take one of {', '.join(SCHEDULE_CLASSES)}, or {_WITHOUT}"
        )
    config = {key: written_value(value) for key, value in rate.config.items()}
    return keras_object("keras.optimizers.schedules", SCHEDULE_CLASSES[rate.name], config)


def _read_rate(config: Config, key: str) -> Any:
    given, path = config.raw(key), f"{config.path}/{key}"
    if isinstance(given, Mapping):
        return _read_schedule(given, path)
    rate = NUMBER.read(given, path)
    decay = config.read("decay", NUMBER) if config.raw("decay") else 0.0
    if not decay:
        return rate
    falling = {"initial_learning_rate": rate, "decay_steps": 1, "decay_rate": decay}
    return made(schedules.inverse_time_decay, falling, path)


def _read_schedule(given: Mapping[str, Any], path: str) -> Any:
    named = read_object(given, path)
    known = {class_name: name for name, class_name in SCHEDULE_CLASSES.items()}
    if named.name not in known:
        raise FileError(f"{path}: fnet has no schedule {plain(repr(named.name))}.{did_you_mean(named.name, known)}")
    make = SCHEDULES[known[named.name]]
    arguments = arguments_of(make, named.arguments)
    for key, value in arguments.items():
        if isinstance(value, str):
            raise wrong(f"{named.arguments.path}/{key}", "a number", value)
    return made(make, arguments, path)


def constant_rate(optimizer: Optimizer) -> float | None:
    """The learning rate of an optimizer, None for a schedule."""
    rate = _write_rate(optimizer.config["learning_rate"])
    return rate if isinstance(rate, float) else None
