"""Tables of layers: shapes, numbers, connections and totals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import Layer, fanout, freeze, graph, named, parallel, random, residual, serial, tree
from fnet.errors import ShapeError, StructureError
from fnet.layers import (
    GRU,
    LSTM,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    MaxPooling2D,
    TimeDistributed,
    concatenate,
)
from tests.tables import LAYERS


def two_inputs() -> Layer:
    title, tags = fnet.Input((None,), dtype="int32", name="title"), fnet.Input((12,), name="tags")
    x = concatenate([LSTM(8)(Embedding(100, 4)(title)), tags])
    shared = Dense(4, name="Dense Layer")
    return graph([title, tags], {"a": Dense(1)(shared(x)), "b": Dense(2)(shared(Dropout(0.5)(x)))})


def cells(table: Any) -> dict[str, list[str]]:
    lines = [line for line in str(table).splitlines() if line.startswith("│")]
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines[1:]]
    return {row[0]: row[1:] for row in rows}


def test_a_convolutional_network() -> None:
    net = serial(Conv2D(32, 3, activation="relu"), MaxPooling2D(), Flatten(), Dense(10))
    found = fnet.summary(net, (28, 28, 1))
    assert cells(found) == {
        "conv2d (Conv2D)": ["(None, 26, 26, 32)", "320"],
        "max_pooling2d (MaxPooling2D)": ["(None, 13, 13, 32)", "0"],
        "flatten (Flatten)": ["(None, 5408)", "0"],
        "dense (Dense)": ["(None, 10)", "54,090"],
    }
    assert str(found).splitlines()[-3:] == [
        "Total params: 54,410 (212.54 KB)",
        "Trainable params: 54,410 (212.54 KB)",
        "Non-trainable params: 0 (0.00 B)",
    ]


def test_a_graph_lists_inputs_and_connections_and_knows_its_shape() -> None:
    table = cells(fnet.summary(two_inputs()))
    assert table["title (Input)"] == ["(None, None)", "0", "-"]
    assert table["embedding (Embedding)"] == ["(None, None, 4)", "400", "title"]
    assert table["concatenate (Concatenate)"] == ["(None, 20)", "0", "lstm, tags"]
    assert table["Dense Layer (Dense)"] == ["(None, 4)", "84", "concatenate, dropout"]
    assert cells(fnet.summary(two_inputs(), ((None,), (12,)))) == table


def test_frozen_parameters_and_statistics_are_not_trainable() -> None:
    net = serial(Dense(2), freeze(Dense(3)), BatchNormalization())
    found = fnet.summary(net, (3,)).to_dict()
    # Keras' numbers for Dense(2) -> frozen Dense(3) -> BatchNormalization
    assert (found["total_params"], found["trainable_params"], found["non_trainable_params"]) == (29, 14, 15)
    assert [layer["params"] for layer in found["layers"]] == [8, 9, 12]


def test_nested_containers_are_expanded_on_request() -> None:
    net = serial(fanout(Dense(2), named("deep", serial(Dense(3), Dense(4)))), residual(Dense(6)))
    assert list(cells(fnet.summary(net, (3,)))) == ["fanout (fanout)", "residual (residual)"]
    names = list(cells(fnet.summary(net, (3,), expand_nested=True)))
    assert names == [
        "fanout (fanout)",
        "└ dense (Dense)",
        "└ deep (serial)",
        "└ dense_1 (Dense)",
        "residual (residual)",
    ]
    nested = fnet.summary(net, (3,)).to_dict()["layers"][0]["layers"][1]
    assert nested["path"] == "fanout/deep" and [part["params"] for part in nested["layers"]] == [12, 16]


def test_layers_alone_with_several_outputs_and_on_every_step() -> None:
    assert cells(fnet.summary(GRU(3, return_state=True), (None, 2))) == {"gru (GRU)": ["((None, 3), (None, 3))", "63"]}
    table = cells(fnet.summary(serial(TimeDistributed(Dense(3))), (None, 2)))
    assert table == {"time_distributed (TimeDistributed)": ["(None, None, 3)", "9"]}
    assert list(cells(fnet.summary(parallel(Dense(1), Dense(2)), ((2,), (3,)))))[:2] == [
        "input 0 (Input)",
        "input 1 (Input)",
    ]


@pytest.mark.parametrize("row", LAYERS, ids=lambda row: row.id)
def test_every_layer_has_a_summary(row: Any) -> None:
    net = serial(row.make())
    params, state = net.init(random.key(0), row.shape)
    found = fnet.summary(net, row.shape).to_dict()
    assert found["total_params"] == sum(np.size(leaf) for leaf in tree.leaves((params, state)))
    (layer,) = found["layers"]
    shapes = tree.map(lambda shape: (None, *shape), net.out_shape(row.shape), is_leaf=_is_shape)
    assert layer["output_shape"] == shapes


def _is_shape(x: Any) -> bool:
    return isinstance(x, tuple) and all(n is None or isinstance(n, int) for n in x)


def test_text_and_html() -> None:
    found = fnet.summary(named("<my net>", serial(Dense(2, name="a & b"))), (3,))
    assert repr(found) == str(found) and str(found).startswith('Model: "<my net>"')
    page = found._repr_html_()
    assert "&lt;my net&gt;" in page and "a &amp; b" in page and page.count("<tr>") == 2


def test_errors() -> None:
    with pytest.raises(ShapeError, match=r"give the shape of one sample, without the batch axis"):
        fnet.summary(Dense(2))
    with pytest.raises(StructureError, match=r"expected a network, received tuple: summary\(net, shape\)"):
        fnet.summary((3,), (3,))
    with pytest.raises(ShapeError, match="in 'dense': Dense: expected|Dense expects"):
        fnet.summary(serial(Dense(2)), ())
