"""Calls of operations in the graphs of Keras' files, as calls of those of fnet on nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fnet.errors import FileError, plain
from fnet.io.keras.composed import COMPOSED, called, errors_of_file
from fnet.io.keras.config import TEXT, Config, wrong
from fnet.io.keras.operations import OperationRow, from_keras, has_form_of_operation, operand, row_of_operation
from fnet.io.keras.tensorflow import CLASSES, from_tensorflow

Make = Callable[[Any], Any]
"""The outputs for the arguments and keywords of a call, which have nodes in them."""


def maker_of(entry: Config, name: str) -> Make | None:
    """The function that makes the calls of what a file has in the place of a layer; None where it is a layer.

    Raises `FileError` for an operation that fnet does not have.
    """
    class_name = entry.read("class_name", TEXT)
    if class_name in CLASSES:
        return from_tensorflow(entry, name)
    if class_name in COMPOSED and has_form_of_operation(entry):
        return _composed(class_name, entry, name)
    row = row_of_operation(entry)
    return None if row is None else _operated(row, entry, name)


def _operated(row: OperationRow, entry: Config, name: str) -> Make:
    def make(call: Any) -> Any:
        own = Config(entry.object("config").fields, f"{entry.path} ({row.class_name} {plain(repr(name))})")
        function, args, kwargs = from_keras(row, own, call)
        with errors_of_file(own.path):
            return called(function, *args, label=name, **kwargs)

    return make


def _composed(class_name: str, entry: Config, name: str) -> Make:
    own = Config(entry.object("config").fields, f"{entry.path} ({class_name} {plain(repr(name))})")
    row = COMPOSED[class_name]

    def make(call: Any) -> Any:
        arguments, keywords = call
        given = {key: kind.read(own.raw(key), f"{own.path}/{key}") for key, kind in row.options.items() if key in own}
        others = {key: own.raw(key) for key in own if key not in row.options and key != "name"}
        others |= {key: value for key, value in keywords.items() if key not in row.keywords}
        for key, value in others.items():
            if value is not None and value is not False:
                raise FileError(f"{own.path}/{plain(key)}: fnet's operation cannot do {plain(repr(value))}.")
        given |= {key: _constant(value, f"{own.path}/{key}") for key, value in keywords.items() if key in row.keywords}
        with errors_of_file(own.path):
            return row.make(*(operand(part, own.path) for part in arguments), **given)

    return make


def _constant(value: Any, path: str) -> Any:
    if value is not None and not isinstance(value, np.ndarray):
        raise wrong(path, "an array of numbers", value)
    return value
