"""Layers in Keras' configs without Keras: what is written, what is read again, and what is refused."""

from __future__ import annotations

import json

import pytest

from fnet.errors import FileError, StructureError
from fnet.io.keras.config import Config
from fnet.io.keras.translation import known_row, read_layer, write_layer
from fnet.layers import (
    LSTM,
    BatchNormalization,
    Bidirectional,
    Dense,
    Dropout,
    LSTMCell,
    MultiHeadAttention,
    StackedRNNCells,
)
from fnet.networks.parameters import freeze


def test_dense_as_keras_writes_it():
    layer = Dense(3, "relu", kernel_regularizer="l2", kernel_constraint="max_norm")
    assert write_layer(layer, "head") == {
        "module": "keras.layers",
        "class_name": "Dense",
        "config": {
            "name": "head",
            "trainable": True,
            "dtype": "float32",
            "units": 3,
            "activation": "relu",
            "use_bias": True,
            "kernel_initializer": {
                "module": "keras.initializers",
                "class_name": "GlorotUniform",
                "config": {"seed": None},
                "registered_name": None,
            },
            "bias_initializer": {
                "module": "keras.initializers",
                "class_name": "Zeros",
                "config": {},
                "registered_name": None,
            },
            "kernel_regularizer": {
                "module": "keras.regularizers",
                "class_name": "L2",
                "config": {"l2": 0.01},
                "registered_name": None,
            },
            "kernel_constraint": {
                "module": "keras.constraints",
                "class_name": "MaxNorm",
                "config": {"max_value": 2.0, "axis": 0},
                "registered_name": None,
            },
        },
        "registered_name": None,
    }


@pytest.mark.parametrize(
    "layer",
    [Dense(3, kernel_regularizer="l2"), BatchNormalization(trainable=False), Bidirectional(LSTM(2, dropout=0.1))],
    ids=lambda layer: layer.kind,
)
def test_what_is_written_reads_as_the_same_layer(layer):
    again = read_layer(Config(json.loads(json.dumps(write_layer(layer))), "layers/0"))
    assert repr(again) == repr(layer)
    assert again.trainable == layer.trainable


def test_variables_have_keras_order_and_paths():
    layer = Bidirectional(LSTM(2))
    variables = known_row(layer).variables(layer).below("top")
    assert [path for path, _ in variables.by_path()] == [
        f"{half}_layer/cell/vars/{i}" for half in ("forward", "backward") for i in range(3)
    ]
    assert [(name, variable.path) for name, variable in variables.flat()][4] == (
        "backward_layer/cell/recurrent_kernel",
        "params/top/backward_lstm/recurrent_kernel",
    )
    assert [name for name, _ in known_row(BatchNormalization()).variables(BatchNormalization()).flat()] == [
        "gamma",
        "beta",
        "moving_mean",
        "moving_variance",
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"units": "3"}, "l (Dense 'dense')/units: expected an integer >= 1, received '3'."),
        ({"units": 2**40}, "l (Dense 'dense')/units: expected an integer >= 1, received 1099511627776."),
        ({}, "l (Dense 'dense'): Dense(): missing a required argument: 'units'."),
        ({"units": 3, "use_bias": 1}, "l (Dense 'dense')/use_bias: expected True or False, received 1."),
        (
            {"units": 3, "activation": "binary_step"},
            "l (Dense 'dense')/activation: fnet has no activation 'binary_step'.",
        ),
        (
            {"units": 3, "bias_initializer": {"class_name": "os.system", "config": {}}},
            "l (Dense 'dense')/bias_initializer: fnet has no initializer 'os.system'. It has constant, ",
        ),
        (
            {"units": 3, "kernel_initializer": {"class_name": "RandomNormal", "config": {"stddev": -1}}},
            "l (Dense 'dense')/kernel_initializer: random_normal: stddev must not be negative, received -1.",
        ),
        (
            {"units": 3, "lora_rank": 4},
            "l (Dense 'dense')/lora_rank: fnet's Dense cannot do 4. Save the network without.",
        ),
        (
            {"units": 3, "dtype": "int8"},
            "l (Dense 'dense')/dtype: fnet's layers have float32 or float64 parameters, received",
        ),
    ],
)
def test_a_bad_config_says_where_it_is_bad(fields, message):
    with pytest.raises(FileError) as caught:
        read_layer(Config({"class_name": "Dense", "config": fields}, "l"))
    assert str(caught.value).startswith(message)


def test_a_class_that_fnet_does_not_have():
    with pytest.raises(FileError, match=r"l: fnet has no layer 'TFSMLayer'. Build the network in fnet, and load"):
        read_layer(Config({"class_name": "TFSMLayer", "config": {}}, "l"))


def test_functions_that_keras_does_not_have():
    with pytest.raises(StructureError, match=r"Keras has no activation 'binary_step'. Take another one of fnet"):
        write_layer(Dense(3, "binary_step"))
    with pytest.raises(StructureError, match=r"Keras has no regularizer <function .*Take a regularizer of fnet"):
        write_layer(Dense(3, kernel_regularizer=lambda w: 0.0))


KERAS_2 = [
    ("LeakyReLU", {"alpha": 0.1}, "LeakyReLU(negative_slope=0.1)"),
    ("BatchNormalization", {"axis": [3], "renorm": False}, "BatchNormalization(axis=3)"),
    (
        "Dense",
        {
            "batch_input_shape": [None, 4],
            "units": 3,
            "activation": "linear",
            "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
            "kernel_regularizer": {"class_name": "L2", "config": {"l2": 0.5}},
        },
        "Dense(units=3, kernel_regularizer=l2(l2=0.5))",
    ),
    ("GRU", {"units": 3, "time_major": False, "implementation": 1, "reset_after": False}, "GRU(units=3, reset_after"),
    ("Embedding", {"input_dim": 5, "output_dim": 2, "input_length": 4}, "Embedding(input_dim=5, output_dim=2)"),
    ("Dropout", {"rate": 0.5, "noise_shape": None, "seed": None}, "Dropout(rate=0.5)"),
    ("Permute", {"dims": {"class_name": "__tuple__", "items": [2, 1]}}, "Permute(dims=(2, 1))"),
    ("Convolution2D", {"filters": 2, "kernel_size": [3, 3], "data_format": "channels_last"}, "Conv2D(filters=2"),
    ("Activation", {"activation": {"class_name": "function", "config": "relu"}}, "Activation(activation='relu')"),
]


@pytest.mark.parametrize(("class_name", "fields", "expected"), KERAS_2, ids=lambda value: value)
def test_what_older_files_say(class_name, fields, expected):
    assert repr(read_layer(Config({"class_name": class_name, "config": fields}, "l"))).startswith(expected)


@pytest.mark.parametrize("class_name", ["Conv2D", "MaxPooling2D", "SpatialDropout2D"])
def test_channels_in_front_are_refused_with_the_fix(class_name):
    fields = {"name": "eye", "filters": 2, "kernel_size": 3, "rate": 0.5, "data_format": "channels_first"}
    with pytest.raises(FileError) as caught:
        read_layer(Config({"class_name": class_name, "config": fields}, "layers/2"))
    assert str(caught.value) == (
        f"layers/2 ({class_name} 'eye')/data_format: expected 'channels_last', received 'channels_first'. fnet's "
        f"images have their channels last: make the network with data_format='channels_last' and save it again."
    )


def test_what_is_said_in_the_call_cannot_be_said_within_a_layer():
    layer = MultiHeadAttention(2, 4, causal=True)
    assert known_row(layer).call_keywords(layer) == {"use_causal_mask": True}
    with pytest.raises(StructureError, match=r"MultiHeadAttention: causal=True is an argument of the call in Keras"):
        write_layer(layer)


def test_layers_nested_too_deep_are_refused():
    said = write_layer(Dense(2))
    for _ in range(120):
        said = {"class_name": "TimeDistributed", "config": {"layer": said}}
    with pytest.raises(FileError, match=r"layers are nested deeper than 100 levels\.$"):
        read_layer(Config(said, "l"))


def test_a_cell_in_two_places_is_refused():
    cell = LSTMCell(3)
    with pytest.raises(StructureError, match=r"StackedRNNCells: Keras shares no weights between cells\. Make a cell"):
        write_layer(StackedRNNCells([cell, cell]))


def test_a_seed_that_keras_refuses():
    with pytest.raises(StructureError, match=r"Keras' seeds are integers from 0 to 2\^31 - 1, received seed=-3\."):
        write_layer(Dropout(0.5, seed=-3))


def test_parts_of_layers_frozen_are_refused():
    with pytest.raises(StructureError, match=r"Dense: Keras trains all of a layer or nothing\. Freeze the whole"):
        write_layer(freeze(Dense(3), lambda path: path.endswith("bias")))


@pytest.mark.parametrize("form", ["name", "policy"])
@pytest.mark.parametrize("narrow", ["float16", "bfloat16"])
def test_mixed_precision_is_read_as_float32_with_a_warning(form, narrow):
    policy = {"class_name": "DTypePolicy", "config": {"name": f"mixed_{narrow}"}}
    said = {"class_name": "Dense", "config": {"units": 2, "dtype": f"mixed_{narrow}" if form == "name" else policy}}
    with pytest.warns(
        UserWarning, match=rf"layers compute in {narrow} \(mixed_{narrow}\), and are read as layers of fl"
    ):
        assert read_layer(Config(said, "l")).config["units"] == 2
