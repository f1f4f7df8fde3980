"""Operations of nodes in files: what is written is read as the same, and what Keras lacks is refused by its name."""

from __future__ import annotations

import functools
import json
import zipfile

import h5py
import numpy as np
import pytest

import fnet
from fnet import Input, activations, graph, load_model, operation, ops, random, save_model, tree
from fnet.errors import FileError, StructureError
from fnet.layers import Dense, Flatten, Lambda
from tests.io.keras.expressions import ACTIVATIONS, EXPRESSIONS, IN_OLDER_FILES
from tests.io.keras.hostile_files import without_checksums

X, Y = (np.random.default_rng(seed).uniform(0.1, 1, (3, 4, 6)).astype("float32") for seed in (0, 1))


class Called(dict):
    """The functions of fnet that an expression names, called on nodes."""

    def __missing__(self, name):
        if name == "turned":
            return lambda node: operation(ops.transpose, node, (0, 2, 1))
        own = getattr(ops, name, None) or activations.ACTIVATIONS[name]
        return functools.partial(operation, own)


def net_of(text):
    x, y = Input((4, 6), name="x"), Input((4, 6), name="y")
    scope = Called(x=x, y=y, np=np, abs=abs)
    if text in ACTIVATIONS:
        scope[text.partition("(")[0]] = functools.partial(operation, activations.ACTIVATIONS[text.partition("(")[0]])
    made = eval(text, {"__builtins__": {}}, scope)
    return graph([x, y], [made, Dense(2)(y), Dense(3)(x)])


def predicted(net, params, state):
    return [np.asarray(part) for part in tree.leaves(net.apply(params, state, (X, Y))[0])]


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_operation_travels(tmp_path, text, suffix):
    net = net_of(text)
    params, state = net.init(random.key(0))
    path = tmp_path / f"model.{suffix}"
    if suffix == "h5" and text not in IN_OLDER_FILES:
        with pytest.raises(StructureError, match=r"Keras reads no operation '.*' from an \.h5 file. Save the model as"):
            save_model(path, net, params, state)
        return
    save_model(path, net, params, state)
    loaded = load_model(path)
    for mine, theirs in zip(predicted(net, params, state), predicted(*loaded), strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_allclose(theirs, mine, rtol=0 if suffix == "keras" else 1e-6)


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_operation_of_nodes_is_the_function_of_arrays(text):
    net = net_of(text)
    scope = {"x": X, "y": Y, "np": np, "abs": abs, "turned": lambda a: np.transpose(a, (0, 2, 1))}
    scope |= {name: getattr(ops, name) for name in dir(ops) if not name.startswith("_") and name != "abs"}
    if text in ACTIVATIONS:
        scope |= activations.ACTIVATIONS
    expected = eval(text, {"__builtins__": {}}, scope)
    found = net.apply(*net.init(random.key(0)), (X, Y))[0][0]
    np.testing.assert_allclose(found, expected, rtol=3e-7)


def one(function, *args, **kwargs):
    x = Input((4, 6))
    return graph(x, Flatten()(operation(function, x, *args, **kwargs)))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: one(ops.squared_difference, 2.0),
            "Keras has no operation 'squared_difference'. Keep the we",
        ),
        (lambda: one(ops.var, 1, ddof=1), "Keras' Var has no ddof=1. Leave it out."),
        (lambda: one(ops.pad, ((0, 0), (1, 0), (0, 2)), 2.0), "Keras' Pad has no value=2.0. Leave it out."),
        (lambda: one(activations.mish), "Keras has no operation 'activations.mish'"),
        (lambda: graph(x := Input((4,)), Lambda(np.tanh)(x)), "Keras has no layer Lambda"),
    ],
)
def test_what_keras_lacks_is_refused(tmp_path, make, text):
    net = make()
    with pytest.raises(StructureError, match=text.replace("(", r"\(")):
        save_model(tmp_path / "model.keras", net, *net.init(random.key(0)))


def test_operation_takes_functions_of_fnet_alone():
    with pytest.raises(StructureError, match="operation takes a function of fnet.ops, received <function mean"):
        operation(np.mean, Input((3,)))
    with pytest.raises(StructureError, match="expected nodes among the arguments of mean, received none"):
        operation(ops.mean, 3.0)
    with pytest.raises(fnet.errors.TracingError, match=r"operations as fnet.operation\(fnet.ops.exp, x\)"):
        ops.exp(Input((3,)))


def changed(tmp_path, change):
    """A file of a model with one operation, whose entry is changed."""
    net = one(ops.mean, axis=1)
    path = tmp_path / "model.keras"
    save_model(path, net, *net.init(random.key(0)))
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    config = json.loads(parts["config.json"])
    entry = next(layer for layer in config["config"]["layers"] if layer["class_name"] == "Mean")
    change(entry)
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda e: e.update(class_name="Cumprod"), "fnet has no operation 'Cumprod'"),
        (lambda e: e["config"].update(axis="all"), "axis: expected an integer >= -100, received 'all'"),
        (lambda e: e["config"].update(axis=7), "mean"),
        (lambda e: e["inbound_nodes"][0].update(args=[1.0]), "expected nodes among the arguments of mean"),
        (lambda e: e["inbound_nodes"][0].update(args=["x"]), "expected tensors or numbers as inputs, received 'x'"),
        (lambda e: e["inbound_nodes"][0]["args"].append(1), "mean"),
        (lambda e: e["inbound_nodes"][0].update(kwargs={"out": 1}), "fnet's operation is called without out=1"),
        (
            lambda e: e.update(class_name="GetItem") or e["inbound_nodes"][0]["args"].append("0"),
            "expected an index of integers and slices, received '0'",
        ),
        (
            lambda e: e["inbound_nodes"][0]["args"].append({"class_name": "__numpy__", "config": {"dtype": "object"}}),
            "dtype: expected the name of a type of numbers, received 'object'",
        ),
    ],
)
def test_a_damaged_operation_is_refused(tmp_path, change, text):
    with pytest.raises(FileError, match=text):
        load_model(changed(tmp_path, change))


def test_an_operation_that_keras_wrote_into_an_older_file_is_read(tmp_path):
    """Keras 3 writes them there by the names of layers, and cannot read them itself."""
    net = net_of("x + 1")
    path = tmp_path / "model.h5"
    save_model(path, net, *net.init(random.key(0)))
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        entry = next(layer for layer in config["config"]["layers"] if layer["class_name"] == "Rescaling")
        entry.update(class_name="Add", config={"name": entry["name"]})
        (place,) = entry["inbound_nodes"][0]
        said = {"class_name": "__keras_tensor__", "config": {"keras_history": place[:3]}}
        entry["inbound_nodes"] = [{"args": [said, 1], "kwargs": {}}]
        file.attrs["model_config"] = json.dumps(config)
        without_checksums(file)
    np.testing.assert_array_equal(predicted(*load_model(path))[0], X + 1)
