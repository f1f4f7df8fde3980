"""What a config can say that is no network, or one that is too large."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.io.keras.hostile_files import (
    dense,
    edited,
)


def nested(text: str) -> str:
    return "[" * 200_000 + "]" * 200_000


def layers_within_layers(config: dict[str, Any]) -> None:
    for _ in range(150):
        config["config"]["layers"][1] = {
            "class_name": "TimeDistributed", "config": {"name": "x", "layer": config["config"]["layers"][1]}
        }  # fmt: skip


def models_within_models(config: dict[str, Any]) -> None:
    for _ in range(150):
        config["config"]["layers"][1] = {
            "class_name": "Sequential",
            "config": {"layers": config["config"]["layers"][1:]},
        }


def many_layers(config: dict[str, Any]) -> None:
    config["config"]["layers"] += [config["config"]["layers"][1]] * 20_000


def functional(**fields: Any) -> Callable[[dict[str, Any]], None]:
    """A functional model in place of the chain."""

    def change(config: dict[str, Any]) -> None:
        first, one, two = config["config"]["layers"]
        for entry, before in ((first, None), (one, first), (two, one)):
            entry["name"] = entry["config"]["name"]
            entry["inbound_nodes"] = [] if before is None else [[[before["config"]["name"], 0, 0, {}]]]
        entries = {"first": first, "one": one, "two": two}
        for key, value in fields.items():
            if key in entries:
                entries[key].update(value)
        last = fields.get("outputs", [["two", 0, 0]])
        config["class_name"] = "Functional"
        config["config"] = {
            "name": "net", "layers": [first, one, two],
            "input_layers": fields.get("inputs", [[first["name"], 0, 0]]), "output_layers": last,
        }  # fmt: skip

    return change


def said(**fields: Any) -> Callable[[str], str]:
    """Another object in place of a layer."""
    return edited(lambda config: dense(config).update(fields))


def with_fields(**fields: Any) -> Callable[[str], str]:
    return edited(lambda config: dense(config)["config"].update(fields))


def calling(name: str) -> dict[str, Any]:
    return {"module": "os", "class_name": name, "config": {"name": "x"}, "registered_name": None}


CODE = {"class_name": "__lambda__", "config": {"value": ["4wAAAA==", None, None]}}

CONFIGS: dict[str, tuple[Callable[[str], str | bytes], str]] = {
    "no JSON": (lambda text: text[:-3], "is no JSON"),
    "no text": (lambda text: b"\xff\xfe", "is no JSON|is no text"),
    "a list": (lambda text: "[]", "expected an object with fields"),
    "deep": (nested, "is no JSON"),
    "NaN": (lambda text: text.replace('"units": 3', '"units": NaN'), "NaN is no number of JSON"),
    "infinite": (lambda text: text.replace('"units": 3', '"units": -Infinity'), "-Infinity is no number of JSON"),
    "keys twice": (lambda text: text.replace('"units": 3', '"units": 3, "units": 4'), "a key occurs twice"),
    "endless number": (lambda text: text.replace('"units": 3', '"units": ' + "9" * 100_000), "is no JSON"),
    "large number": (lambda text: text.replace('"units": 3', '"units": 1e400'), "units: expected an integer"),
    "long": (lambda text: " " * (1 << 25) + text, "bytes"),
    "Lambda": (said(class_name="Lambda", config={"name": "x", "function": CODE}), "fnet has no layer 'Lambda'"),
    "code for an activation": (with_fields(activation=CODE), "activation: the activation is '__lambda__'"),
    "code for an initializer": (with_fields(kernel_initializer=CODE), "fnet has no initializer '__lambda__'"),
    "a module": (said(**calling("system")), "fnet has no layer 'system'"),
    "a module's Dense": (said(module="evil"), "fnet has no layer 'Dense'"),
    "another's Dense": (said(registered_name="evil>Dense"), "fnet has no layer 'evil>Dense'"),
    "a path for a class": (said(class_name="os.system"), "fnet has no layer 'os.system'"),
    "a file for a layer": (said(class_name="TFSMLayer"), "fnet has no layer 'TFSMLayer'"),
    "a pickle for a layer": (said(class_name="TorchModuleWrapper"), "fnet has no layer 'TorchModuleWrapper'"),
    "a number for a class": (said(class_name=3), "class_name: expected text, received 3"),
    "a function for an initializer": (
        with_fields(kernel_initializer={"class_name": "function", "config": "os.system"}), "fnet has no initializer"),
    "a module's initializer": (with_fields(kernel_initializer=calling("popen")), "fnet has no initializer 'popen'"),
    "a module's regularizer": (with_fields(kernel_regularizer=calling("popen")), "fnet has no regularizer 'popen'"),
    "an escape": (said(class_name="\x1b[2J" + "x" * 10_000), r"fnet has no layer '\\x1b\[2Jxxx"),
    "a file of words": (
        said(class_name="StringLookup", config={"name": "words", "vocabulary": "/etc/passwd"}),
        "vocabulary: expected a list of tokens, for no other file is read, received '/etc/passwd'",
    ),
    "layers within layers": (edited(layers_within_layers), "nested deeper than 100 levels|is no JSON"),
    "models within models": (edited(models_within_models), "nested deeper than 100 levels|is no JSON"),
    "many layers": (edited(many_layers), "layers: expected a list of 0 to 10000 values"),
    "no units": (with_fields(units=None), "units: expected an integer >= 1, received None"),
    "many units": (with_fields(units=2**31 - 1), "its config has the size 2147483647, and a file of"),
    "many sizes": (lambda text: json.dumps(large(json.loads(text))), r"is \(4, 3\), expected \(1048576, 1048576\)"),
    "a large sample": (lambda text: json.dumps(large(json.loads(text), 1 << 20)), "samples of more than 268435456"),
    "a name twice": (edited(functional(two={"name": "one"})), "two layers have the same name"),
    "a circle": (
        edited(functional(one={"inbound_nodes": [[["two", 0, 0, {}]]]})), "the inputs of 'one' are never made"),
    "nobody's output": (edited(functional(outputs=[["nobody", 0, 0]])), "there is no layer 'nobody'"),
    "a call that is not": (edited(functional(outputs=[["two", 7, 0]])), "'two' has no call 7"),
    "an output that is not": (edited(functional(outputs=[["two", 0, 7]])), "'two' has no output 7"),
    "a negative call": (edited(functional(outputs=[["two", -1, 0]])), "expected an integer >= 0"),
    "deep ends": (lambda text: edited(functional(outputs=["deep"]))(text).replace('["deep"]', "[" * 150 + "]" * 150),
                  "output_layers: it is nested deeper than 100 levels"),
    "inputs that are none": (edited(functional(inputs=[["one", 0, 0]])), "expected layers of the class InputLayer"),
    "odd nodes": (edited(functional(one={"inbound_nodes": [[[1, 2, 3]]]})), "expected"),
    "nodes of texts": (edited(functional(one={"inbound_nodes": "abc"})), "inbound_nodes: expected a list"),
    "objects of numbers": (said(config=3), "config: expected an object with fields, received 3"),
    "names with NUL": (with_fields(name="a\0b"), "name: the name 'a.*cannot be that of a group"),
    "names without text": (with_fields(name="\ud800"), "name: the name .*ud800' cannot be that of a group|no text"),
}  # fmt: skip


def large(config: dict[str, Any], second: int | None = None) -> dict[str, Any]:
    """A kernel of 2^20 x 2^20 that is filled with zeros, or a sample of as many numbers."""
    size = 1 << 20
    shape = [None, size] if second is None else [None, second, size]
    config["config"]["build_input_shape"] = shape
    first = config["config"]["layers"][0]["config"]
    first["batch_shape" if "batch_shape" in first else "batch_input_shape"] = shape
    dense(config)["config"].update(units=size, kernel_initializer={"class_name": "Zeros", "config": {}})
    return config
