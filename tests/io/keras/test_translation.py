"""Layers in Keras' configs without Keras: what is written, what is read again, and what is refused."""

from __future__ import annotations

import json

import pytest

from fnet.errors import FileError, StructureError
from fnet.io.keras.config import Config
from fnet.io.keras.translation import read_layer, row_of_kind, write_layer
from fnet.layers import LSTM, BatchNormalization, Bidirectional, Dense


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
    variables = row_of_kind("Bidirectional").variables(layer).below("top")
    assert [path for path, _ in variables.by_path()] == [
        f"{half}_layer/cell/vars/{i}" for half in ("forward", "backward") for i in range(3)
    ]
    assert [(name, variable.path) for name, variable in variables.flat()][4] == (
        "backward_layer/cell/recurrent_kernel",
        "params/top/backward_lstm/recurrent_kernel",
    )
    assert [name for name, _ in row_of_kind("BatchNormalization").variables(BatchNormalization()).flat()] == [
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
    with pytest.raises(FileError, match=r"l: fnet has no layer 'TFSMLayer'. Give a function that makes it this name"):
        read_layer(Config({"class_name": "TFSMLayer", "config": {}}, "l"))


def test_functions_that_keras_does_not_have():
    with pytest.raises(StructureError, match=r"Keras has no activation 'binary_step'. Take another one of fnet"):
        write_layer(Dense(3, "binary_step"))
    with pytest.raises(StructureError, match=r"Keras has no regularizer <function .*Take a regularizer of fnet"):
        write_layer(Dense(3, kernel_regularizer=lambda w: 0.0))
