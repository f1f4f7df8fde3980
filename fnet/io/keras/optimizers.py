"""Optimizers and schedules as Keras' configs say them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from fnet import optimizers, schedules
from fnet.arguments import described, is_number
from fnet.configured import Configured
from fnet.errors import FileError, StructureError, did_you_mean, plain
from fnet.io.keras import registry
from fnet.io.keras.config import NUMBER, Config, wrong
from fnet.io.keras.objects import Named, arguments_of, made, plain_value, read_object, written_value
from fnet.io.keras.parts import keras_object, own_object
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
_WITHOUT_EFFECT = ("name", "ema_momentum")  # what Keras says of every optimizer, which one of the user's may not take


def write_optimizer(optimizer: Any) -> dict[str, Any]:
    """The object that says an optimizer, given as trainers take it."""
    found = optimizers.get(optimizer)
    name, registered = found.name, registered_name(found)
    if registered is not None:
        config = {key: _written(key, value) for key, value in found.config.items()}
        return own_object(registered, {"name": name} | config)
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
    if named.own is not None:
        return _own(named)
    known = {class_name: name for name, class_name in CLASSES.items()}
    lower = {class_name.lower(): name for class_name, name in known.items()}
    name = lower.get(given.lower(), "") if isinstance(given, str) else known.get(named.name, "")
    if name not in CLASSES:
        nearest = did_you_mean(named.name, known)
        raise FileError(
            f"{path}: fnet has no optimizer {plain(repr(named.name))}.{nearest} {registry.hint(named.name)}"
        )
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


def registered_name(optimizer: Optimizer) -> str | None:
    """The name that a user has registered for what made an optimizer, None for none."""
    return None if optimizer.make is None else registry.name_of(optimizer.make)


def _own(named: Named) -> Optimizer:
    """An optimizer of the user's own."""
    assert named.own is not None
    takes = inspect.signature(named.own).parameters
    arguments = {}
    for key in named.arguments:
        value, path = named.arguments.raw(key), f"{named.arguments.path}/{key}"
        if key in takes or (key not in _WITHOUT_EFFECT and value not in (None, False)):
            arguments[key] = _read_rate(named.arguments, key) if key == "learning_rate" else plain_value(value, path)
    optimizer = made(named.own, arguments, named.path)
    if isinstance(optimizer, Optimizer):
        return optimizer
    raise FileError(
        f"{named.path}: {plain(repr(named.name))} is registered for what makes {described(optimizer)}, expected an "
        f"optimizer. Make it by fnet.optimizers.optimizer_constructor."
    )


def _written(key: str, value: Any) -> Any:
    return _write_rate(value) if key == "learning_rate" else written_value(value)


def _write_rate(rate: Any) -> Any:
    if is_number(rate):
        return float(rate)
    registered = registry.name_of(rate.make if isinstance(rate, Configured) else rate)
    if registered is not None:
        own = rate.config if isinstance(rate, Configured) else None
        return own_object(registered, None if own is None else {key: written_value(own[key]) for key in own})
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
    if named.own is not None:
        return named.thing()
    known = {class_name: name for name, class_name in SCHEDULE_CLASSES.items()}
    if named.name not in known:
        nearest = did_you_mean(named.name, known)
        raise FileError(f"{path}: fnet has no schedule {plain(repr(named.name))}.{nearest} {registry.hint(named.name)}")
    make = SCHEDULES[known[named.name]]
    arguments = arguments_of(make, named.arguments)
    for key, value in arguments.items():
        if isinstance(value, str):
            raise wrong(f"{named.arguments.path}/{key}", "a number", value)
    return made(make, arguments, path)


def constant_rate(optimizer: Optimizer) -> float | None:
    """The learning rate of an optimizer, None for a schedule; 0 where one of the user's own has none."""
    rate = _write_rate(optimizer.config.get("learning_rate", 0.0))
    return rate if isinstance(rate, float) else None
