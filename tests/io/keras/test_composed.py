"""Operations that Keras and TensorFlow have, and fnet by several of its own; what a file says of them wrongly."""

from __future__ import annotations

import numpy as np
import pytest

from fnet import load_model, random, save_model
from fnet.errors import FileError
from fnet.io.keras.config import Config
from fnet.io.keras.networks import read_model

X = np.random.default_rng(0).uniform(-1, 1, (3, 4, 6)).astype("float32")
TENSOR = {"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}}


def described(entries, dtype="float32", last="own"):
    """A model of an input (None, 4, 6) and of these layers."""
    shape = {"batch_shape": [None, 4, 6], "dtype": dtype, "name": "x", "sparse": False}
    start = {"class_name": "InputLayer", "config": shape, "name": "x", "inbound_nodes": []}
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [[last, 0, 0]]}
    return {"class_name": "Functional", "config": {"name": "m", "layers": [start, *entries], **ends}}


def of_keras(class_name, config, args=(), kwargs=None, tensors=TENSOR):
    node = {"args": [tensors, *args], "kwargs": kwargs or {}}
    entry = {"module": "keras.src.ops.numpy", "class_name": class_name, "config": {"name": "own", **config}}
    return {**entry, "name": "own", "inbound_nodes": [node]}


def of_tensorflow(function, keywords, first=("x", 0), name="own", several=False):
    part = [*first, 0, keywords] if len(first) == 2 else [*first, keywords]
    kind = "SlicingOpLambda" if function == "__operators__.getitem" else "TFOpLambda"
    config = {"name": name, "trainable": True, "dtype": "float32", "function": function}
    node = [part, part] if several else part
    return {"class_name": kind, "config": config, "name": name, "inbound_nodes": [node]}


def computed(entries, x=X, last="own"):
    net = read_model(Config(described(entries, x.dtype.name, last), "model")).net
    return net.apply(*net.init(random.key(0)), x)[0]


def shares(x, axis, least=1e-7):
    return x / np.maximum(np.sqrt((x**2).sum(axis, keepdims=True)), least)


WEIGHTS = {"class_name": "__numpy__", "config": {"value": [1.0, 2.0, 3.0, 4.0], "dtype": "float32"}}
KERAS = [
    ("Repeat", {"repeats": 2, "axis": 1}, lambda x: np.repeat(x, 2, 1)),
    ("Tile", {"repeats": [1, 2, 3]}, lambda x: np.tile(x, (1, 2, 3))),
    ("Tile", {"repeats": 2}, lambda x: np.tile(x, 2)),
    ("Normalize", {"axis": -1, "order": 2, "epsilon": None}, lambda x: shares(x, -1)),
    ("Normalize", {"axis": 1, "order": 1, "epsilon": 9.0}, lambda x: x / 9.0),
    ("Average", {"axis": 1}, lambda x: x.mean(1)),
    ("CountNonzero", {"axis": 2}, lambda x: np.count_nonzero(x, 2)),
    ("Diff", {"n": 2, "axis": 1}, lambda x: np.diff(x, 2, 1)),
    ("Roll", {"shift": -1, "axis": 2}, lambda x: np.roll(x, -1, 2)),
    ("Roll", {"shift": 4, "axis": 1}, lambda x: x),
    ("Moments", {"axes": [1], "keepdims": True, "synchronized": False}, lambda x: x.mean(1, keepdims=True)),
    ("Triu", {"k": 1}, lambda x: np.triu(x, 1)),
    ("Tril", {"k": -1}, lambda x: np.tril(x, -1)),
    ("NanToNum", {"nan": 0.0, "posinf": None, "neginf": None}, lambda x: x),
    ("Unstack", {"num": None, "axis": 1}, lambda x: x[:, 0]),
    ("ConvertToTensor", {"dtype": None, "sparse": None}, lambda x: x),
    ("Exp2", {}, lambda x: 2.0**x),
    ("TopK", {"k": 2, "sorted": True}, lambda x: -np.sort(-x)[..., :2]),
]


@pytest.mark.parametrize(("class_name", "config", "expected"), KERAS, ids=[case[0] for case in KERAS])
def test_an_operation_of_keras(tmp_path, class_name, config, expected):
    found = computed([of_keras(class_name, config)])
    np.testing.assert_allclose(found, expected(X).astype(found.dtype), rtol=3e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("class_name", "config", "args", "kwargs", "expected"),
    [
        ("Average", {"axis": 1}, (), {"weights": WEIGHTS}, lambda x: np.average(x, 1, [1, 2, 3, 4])),
        ("FullLike", {"dtype": None}, (2.5,), {}, lambda x: np.full_like(x, 2.5)),
        ("LogicalXor", {}, (TENSOR,), {}, lambda x: np.zeros(x.shape, bool)),
        ("Tensordot", {"axes": [[1], [0]]}, (WEIGHTS,), {}, lambda x: np.tensordot(x, [1, 2, 3, 4], ([1], [0]))),
    ],
)
def test_an_operation_of_keras_with_constants(class_name, config, args, kwargs, expected):
    found = computed([of_keras(class_name, config, args, kwargs)])
    np.testing.assert_allclose(found, expected(X), rtol=1e-5, atol=1e-6)


def test_what_is_composed_is_saved_again(tmp_path):
    net = read_model(Config(described([of_keras("Normalize", {"axis": -1, "order": 2})]), "model")).net
    weights = net.init(random.key(0))
    save_model(tmp_path / "model.keras", net, *weights)
    again, *found = load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.apply(*found, X)[0], net.apply(*weights, X)[0])


@pytest.mark.parametrize(
    ("dtype", "class_name", "number", "expected"),
    [("uint8", "TrueDivide", 255.0, "float32"), ("int32", "Multiply", 0.5, "float32"), ("int32", "Add", 1, "int32")],
)
def test_floats_and_integers_have_the_dtype_of_keras(dtype, class_name, number, expected):
    x = np.arange(72).reshape(3, 4, 6).astype(dtype)
    found = computed([of_keras(class_name, {}, (number,))], x)
    assert found.dtype == expected
    python = {"TrueDivide": x / number, "Multiply": x * number, "Add": x + number}[class_name]
    np.testing.assert_allclose(found, python, rtol=1e-6)


SLICE = {"start": 1, "stop": 3, "step": None}
ALL = {"start": None, "stop": None, "step": None}
TENSORFLOW = [
    ("math.multiply", {"y": ["x", 0, 0], "name": None}, lambda x: x * x),
    ("__operators__.add", {"y": 1.5, "name": None}, lambda x: x + 1.5),
    ("math.truediv", {"y": 2.0}, lambda x: x / 2),
    ("math.reduce_mean", {"axis": [1, 2], "keepdims": True}, lambda x: x.mean((1, 2), keepdims=True)),
    ("math.reduce_max", {"axis": -1}, lambda x: x.max(-1)),
    ("math.l2_normalize", {"axis": -1}, lambda x: shares(x, -1, 1e-6)),
    ("__operators__.getitem", {"slice_spec": [ALL, SLICE]}, lambda x: x[:, 1:3]),
    ("__operators__.getitem", {"slice_spec": [{"class_name": "__ellipsis__"}, -1]}, lambda x: x[..., -1]),
    ("__operators__.getitem", {"slice_spec": [ALL, None, 2]}, lambda x: x[:, None, 2]),
    ("reshape", {"shape": [-1, 24]}, lambda x: x.reshape(3, 24)),
    ("compat.v1.transpose", {"perm": [0, 2, 1], "conjugate": False}, lambda x: x.transpose(0, 2, 1)),
    ("linalg.matmul", {"b": ["x", 0, 0], "transpose_b": True}, lambda x: x @ x.transpose(0, 2, 1)),
    ("compat.v1.gather", {"indices": [0, 2], "axis": 1, "batch_dims": 0}, lambda x: x[:, [0, 2]]),
    ("compat.v1.pad", {"paddings": [[0, 0], [1, 1], [0, 0]], "mode": "CONSTANT", "constant_values": 0},
     lambda x: np.pad(x, ((0, 0), (1, 1), (0, 0)))),
    ("clip_by_value", {"clip_value_min": -0.5, "clip_value_max": 0.5}, lambda x: x.clip(-0.5, 0.5)),
    ("split", {"num_or_size_splits": [1, 3], "axis": 1}, lambda x: x[:, :1]),
    ("tile", {"multiples": [1, 2, 1]}, lambda x: np.tile(x, (1, 2, 1))),
    ("repeat", {"repeats": 2, "axis": -1}, lambda x: np.repeat(x, 2, -1)),
    ("nn.relu", {"name": None}, lambda x: np.maximum(x, 0)),
    ("nn.leaky_relu", {"alpha": 0.1}, lambda x: np.where(x > 0, x, 0.1 * x)),
    ("nn.softmax", {"axis": 1}, lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
    ("expand_dims", {"axis": 1}, lambda x: x[:, None]),
    ("reverse", {"axis": [1]}, lambda x: x[:, ::-1]),
    ("compat.v1.norm", {"ord": "euclidean", "axis": -1}, lambda x: np.sqrt((x**2).sum(-1))),
]  # fmt: skip


@pytest.mark.parametrize(("function", "keywords", "expected"), TENSORFLOW, ids=[case[0] for case in TENSORFLOW])
def test_a_function_of_tensorflow(function, keywords, expected):
    found = computed([of_tensorflow(function, keywords)])
    np.testing.assert_allclose(found, expected(X), rtol=3e-6, atol=1e-6)


def test_functions_of_tensorflow_with_a_constant_in_front_and_of_several_tensors():
    x = computed([of_tensorflow("math.subtract", {"y": ["x", 0, 0]}, ("_CONSTANT_VALUE", -1, 1.0))])
    np.testing.assert_array_equal(x, 1 - X)
    x = computed([of_tensorflow("concat", {"axis": 1}, several=True)])
    np.testing.assert_array_equal(x, np.concatenate([X, X], 1))


def test_a_shape_of_tensorflow_goes_into_reshape():
    entries = [
        of_tensorflow("compat.v1.shape", {"out_type": "int32"}, name="shape"),
        of_tensorflow("__operators__.getitem", {"slice_spec": 0}, ("shape", 0), "size"),
        of_tensorflow("reshape", {"shape": [["size", 0, 0], 24]}),
    ]
    np.testing.assert_array_equal(computed(entries), X.reshape(3, 24))


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (of_keras("Repeat", {"repeats": 10**9, "axis": 1}), "it repeats 1000000000 times along the axis 1"),
        (of_keras("Repeat", {"repeats": 2, "axis": 0}), "or that of the batch, which operations leave as it is"),
        (of_keras("Repeat", {"repeats": [1, 2], "axis": 1}), "/repeats: expected an integer >= 1"),
        (of_keras("Tile", {"repeats": [2, 1, 1]}), "expected 1 for the batch, and few times for each axis"),
        (of_keras("Tile", {"repeats": "2"}), "/repeats: expected an integer >= 1, received '2'"),
        (of_keras("Normalize", {"order": 3}), "by the norm of order 3: expected 1 or 2"),
        (of_keras("Average", {"axis": 1}, kwargs={"weights": [1, 2]}), "/weights: expected an array of numbers"),
        (of_keras("Average", {"axis": 1, "lambda": "x"}), "/lambda: fnet's operation cannot do 'x'"),
        (of_keras("Diff", {"axis": 9}), "axis 9 of"),
        (of_keras("Rsqrt", {}, tensors=2.0), "Rsqrt 'own'): it cannot be called on its inputs"),
        (of_keras("Roll", {"shift": 1, "axis": None}), "it rolls over all axes"),
        (
            of_keras("Tensordot", {"axes": [[9], [0]]}, (WEIGHTS,)),
            "Tensordot 'own'): it cannot be called on its in",
        ),
        (of_keras("Mean", {}, tensors=[]), "expected nodes among the arguments of mean, received none"),
        (of_keras("Cumprod", {"axis": 1}), "fnet has no operation 'Cumprod'"),
        (of_tensorflow("py_function", {}), "fnet has nothing for TensorFlow's 'py_function'. Build the network"),
        (of_tensorflow("math.add", {"y": 1.0, "z": 2}), "it cannot be called on its inputs"),
        (of_tensorflow("math.add", {"y": {"a": 1}}), "it cannot be called on its inputs"),
        (of_tensorflow("reshape", {"shape": "abc"}), "it reshapes to sizes that are computed"),
        (of_tensorflow("cast", {"dtype": "complex64"}), "it cannot be called on its inputs"),
        (of_tensorflow("__operators__.getitem", {"slice_spec": [{"start": "a"}]}), "it cannot be called on its inputs"),
        (of_tensorflow("compat.v1.pad", {"paddings": [[0, 0]], "mode": "REFLECT"}), "it pads in the mode 'REFLECT'"),
        (of_tensorflow("tile", {"multiples": [1, 10**9, 1]}), "few times for each axis"),
        (of_tensorflow("math.reduce_sum", {"axis": 7}), "it cannot be called on its inputs"),
    ],
)
def test_what_an_operation_cannot_do_is_refused(entry, text):
    with pytest.raises(FileError) as caught:
        computed([entry])
    assert text in str(caught.value)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_an_input_that_no_output_needs_stays(tmp_path, suffix):
    model = described([{
        "class_name": "Flatten", "module": "keras.layers", "name": "own", "config": {"name": "own"},
        "inbound_nodes": [{"args": [TENSOR], "kwargs": {}}],
    }])  # fmt: skip
    other = {"batch_shape": [None, 2], "dtype": "float32", "name": "other"}
    layers = model["config"]["layers"]
    layers.append({"class_name": "InputLayer", "config": other, "name": "other", "inbound_nodes": []})
    model["config"]["input_layers"].append(["other", 0, 0])
    net = read_model(Config(model, "model")).net
    save_model(tmp_path / f"model.{suffix}", net, *net.init(random.key(0)))
    again, *weights = load_model(tmp_path / f"model.{suffix}")
    found = again.apply(*weights, {"x": X, "other": np.ones((3, 2), "float32")})[0]
    np.testing.assert_array_equal(found, X.reshape(3, 24))
