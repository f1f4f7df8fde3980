"""What a network is compiled with, in Keras' words: loss, optimizer, metrics, in ``compile_config``.

The older ``training_config`` of ``.h5`` files says the same with ``optimizer_config`` beside the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from fnet.arguments import is_number
from fnet.errors import FileError, StructureError, did_you_mean
from fnet.io.keras.config import NUMBER, Config, sequence, wrong
from fnet.io.keras.losses import read_loss, write_loss
from fnet.io.keras.metrics import read_metric, write_metric
from fnet.io.keras.optimizers import read_optimizer, write_optimizer
from fnet.metrics import Metric

Outputs = Sequence[str] | None
"""The names of several outputs in their order; None for a single one."""


class Compiled(NamedTuple):
    """The arguments of a `Trainer` beside its network."""

    loss: Any
    optimizer: Any
    metrics: Any = ()
    loss_weights: Any = None
    weighted_metrics: Any = ()


def write_training(compiled: Compiled, outputs: Outputs) -> dict[str, Any]:
    """Keras' ``compile_config``; what is given by output is a list in the order of the outputs.

    Raises `StructureError` for a loss, a metric, an optimizer or a schedule that Keras does not have.
    """
    return {
        "optimizer": write_optimizer(compiled.optimizer),
        "loss": _written(compiled.loss, outputs, write_loss),
        "loss_weights": _written(compiled.loss_weights, outputs, _number)
        if compiled.loss_weights is not None
        else None,
        "metrics": _written_metrics(compiled.metrics, outputs),
        "weighted_metrics": _written_metrics(compiled.weighted_metrics, outputs),
        "run_eagerly": False,
        "steps_per_execution": 1,
        "jit_compile": "auto",
    }


def as_legacy(config: Mapping[str, Any]) -> dict[str, Any]:
    """The ``training_config`` of an ``.h5`` file for a ``compile_config``."""
    rest = {key: config[key] for key in ("loss", "loss_weights", "metrics", "weighted_metrics")}
    optimizer = _without_modules(config["optimizer"])
    return {**{key: _without_modules(value) for key, value in rest.items()}, "optimizer_config": optimizer}


def read_training(config: Config, outputs: Outputs) -> Compiled:
    """What a ``compile_config`` or a ``training_config`` says.

    outputs: Keras' names of the outputs, where there are several. Raises `FileError` for what fnet does not have.
    """
    key = "optimizer" if "optimizer" in config else "optimizer_config"
    optimizer = "adam" if config.raw(key) is None else read_optimizer(config.raw(key), f"{config.path}/{key}")
    if config.raw("loss") is None:
        raise FileError(f"{config.path}: the network was compiled without a loss. Load it alone: fnet.load_model.")
    weights = config.raw("loss_weights")
    return Compiled(
        _read(config, "loss", outputs, read_loss),
        optimizer,
        _read_metrics(config, "metrics", outputs),
        None if weights is None else _read(config, "loss_weights", outputs, NUMBER.read),
        _read_metrics(config, "weighted_metrics", outputs),
    )


def _written(given: Any, outputs: Outputs, write: Callable[[Any], Any]) -> Any:
    if isinstance(given, Mapping):
        given = _in_order(given, outputs or tuple(given))
    elif not isinstance(given, list | tuple):
        return write(given) if outputs is None else [write(given)] * len(outputs)
    return [None if one is None else write(one) for one in given]


def _written_weights(given: Any, outputs: Outputs) -> list[Any] | None:
    if given is None:
        return None
    written = _written(given, outputs, _number)
    return written if isinstance(written, list) else [written]


def _written_metrics(given: Any, outputs: Outputs) -> list[Any] | None:
    if isinstance(given, Mapping):
        given = _in_order(given, outputs or tuple(given))
    listed = _listed(given)
    if not listed:
        return None
    if outputs is None and not any(isinstance(one, list | tuple) and not isinstance(one, Metric) for one in listed):
        return [write_metric(one) for one in listed]
    return [[write_metric(one) for one in _listed(several)] for several in listed]


def _in_order(given: Mapping[str, Any], outputs: Sequence[str]) -> list[Any]:
    for name in given:
        if name not in outputs:
            raise StructureError(f"the network has no output {name!r}.{did_you_mean(name, outputs)}")
    return [given.get(name) for name in outputs]


def _read(config: Config, key: str, outputs: Outputs, read: Callable[[Any, str], Any]) -> Any:
    given, path = config.raw(key), f"{config.path}/{key}"
    items = sequence(given)
    if isinstance(given, Mapping) and "class_name" not in given:
        items = _by_name(given, path, outputs)
    if items is None:
        return read(given, path)
    found = [None if one is None else read(one, f"{path}/{i}") for i, one in enumerate(items)]
    if len(found) != len(outputs or ("",)):
        raise wrong(path, f"{len(outputs or ('',))} entries, one for each output", given)
    return found if outputs is not None else found[0]


def _read_metrics(config: Config, key: str, outputs: Outputs) -> Any:
    given, path = config.raw(key), f"{config.path}/{key}"
    if given is None:
        return ()
    items = sequence(given)
    if isinstance(given, Mapping) and "class_name" not in given:
        items = _by_name(given, path, outputs)
    if items is None:
        items = [given]
    if len(items) > 1000:
        raise wrong(path, "at most 1000 metrics", given)
    nested = [sequence(one) for one in items]
    if outputs is None:
        flat = [one for one, own in zip(items, nested, strict=True) for one in ([one] if own is None else own)]
        return [read_metric(one, f"{path}/{i}") for i, one in enumerate(flat) if one is not None]
    if len(items) == 0:
        return ()
    if len(items) != len(outputs):
        raise wrong(path, f"{len(outputs)} entries, one for each output", given)
    return [
        [read_metric(one, f"{path}/{i}") for one in (([] if item is None else [item]) if own is None else own)]
        for i, (item, own) in enumerate(zip(items, nested, strict=True))
    ]


def _by_name(given: Mapping[str, Any], path: str, outputs: Outputs) -> list[Any]:
    if outputs is None:
        return list(given.values())
    for name in given:
        if name not in outputs:
            raise FileError(f"{path}: the network has no output {name!r:.80}.{did_you_mean(name, outputs)}")
    return [given.get(name) for name in outputs]


def _listed(given: Any) -> Sequence[Any]:
    if given is None:
        return ()
    return given if isinstance(given, list | tuple) and not isinstance(given, Metric) else (given,)


def _without_modules(value: Any) -> Any:
    """Objects as older files say them, with class and config alone, functions by their names."""
    if isinstance(value, list):
        return [_without_modules(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value["class_name"] == "function":
        return value["config"]
    return {"class_name": value["registered_name"] or value["class_name"], "config": value["config"]}


def _number(value: Any) -> float:
    if not is_number(value):
        raise StructureError(f"a weight of a loss is a number, received {value!r:.80}.")
    return float(value)
