"""What layers have learnt from data in files of Keras: in configs, and in files beside them in archives."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import fnet
from fnet import tree
from fnet.errors import FileError, StructureError
from fnet.layers import Dense, Discretization, Normalization, StringLookup, TextVectorization, TimeDistributed
from tests.layers.category_table import CATEGORIES, Row

KEY = fnet.random.key(0)
WRITTEN = [row for row in CATEGORIES if row.id not in ("texts-of-ids", "count-weights", "tokens-longest")]


def shape_of(x: Any) -> Any:
    return tuple(map(shape_of, x)) if isinstance(x, tuple) else x.shape[1:]


def net_of(row: Row) -> tuple[Any, Any, Any]:
    """A graph of the layer, with inputs of the right dtypes, and its learnt state."""

    def node(x: np.ndarray) -> Any:
        return fnet.Input(x.shape[1:], "string" if x.dtype == object else x.dtype)

    inputs = tuple(map(node, row.x)) if isinstance(row.x, tuple) else node(row.x)
    layer = row.make()
    net = fnet.graph(inputs, layer(inputs))
    params, state = net.init(KEY)
    if row.data is not None:
        state = {name: fnet.adapt(layer, {}, own, row.data) for name, own in state.items()}
    return net, params, state


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("row", WRITTEN, ids=lambda row: row.id)
def test_what_was_learnt_is_kept(row: Row, suffix: str, tmp_path: Path) -> None:
    net, params, state = net_of(row)
    assert net.apply(params, state, row.x)[0].tolist() == row.y
    fnet.save_model(tmp_path / f"net.{suffix}", net, params, state)
    again, found, known = fnet.load_model(tmp_path / f"net.{suffix}")
    assert again.apply(found, known, row.x)[0].tolist() == row.y
    assert tree.all_equal(known, state)


def archive_of_keras(path: Path, config: dict[str, Any], assets: dict[str, bytes], **variables: Any) -> Path:
    """An archive as Keras writes it, of a layer that takes texts, the vocabulary beside the config."""
    layers = [
        {"class_name": "InputLayer", "config": {"batch_shape": [None, 2], "dtype": "string", "name": "input"}},
        {"module": "keras.layers", "class_name": "StringLookup", "config": {"name": "lookup", **config}},
    ]
    described = {"module": "keras", "class_name": "Sequential", "config": {"name": "sequential", "layers": layers}}
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file.create_group("layers/string_lookup/vars")
        for name, value in variables.items():
            file[f"layers/string_lookup/vars/{name}"] = value
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("config.json", json.dumps(described))
        packed.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        packed.writestr("model.weights.h5", weights.getvalue())
        for name, content in assets.items():
            packed.writestr(f"assets/layers/{name}/vocabulary.txt", content)
    return path


def test_a_vocabulary_beside_the_config_is_read(tmp_path: Path) -> None:
    path = archive_of_keras(
        tmp_path / "net.keras", {"vocabulary": None, "vocabulary_size": 3}, {"string_lookup": "[UNK]\né\nb".encode()}
    )
    net, params, state = fnet.load_model(path)
    assert net.apply(params, state, np.array([["b", "é"], ["c", "b"]], object))[0].tolist() == [[2, 1], [0, 2]]


def test_weights_of_tokens_are_variables(tmp_path: Path) -> None:
    config = {
        "vocabulary": None,
        "vocabulary_size": 3,
        "output_mode": "tf_idf",
        "max_tokens": 4,
        "pad_to_max_tokens": True,
    }
    idf = np.array([2.0, 1.0, 3.0, 0.0], "float32")
    path = archive_of_keras(tmp_path / "net.keras", config, {"string_lookup": b"[UNK]\na\nb\n"}, idf_weights=idf)
    net, params, state = fnet.load_model(path)
    assert net.apply(params, state, np.array([["b", "b"]], object))[0].tolist() == [[0.0, 0.0, 6.0, 0.0]]


def test_a_layer_within_another_one_says_why_it_is_not_written(tmp_path: Path) -> None:
    layer = TimeDistributed(Discretization([0.0]))
    with pytest.raises(StructureError, match=r"Discretization: what it has learnt is not kept in a file where another"):
        fnet.save_model(tmp_path / "net.keras", layer, *layer.init(KEY, (2, 3)), shape=(2, 3))


def test_functions_are_not_written(tmp_path: Path) -> None:
    net = fnet.serial(TextVectorization(standardize=np.char.lower, vocabulary=["a"], output_sequence_length=2))
    with pytest.raises(StructureError, match=r"a file cannot hold a function\. Apply it to the texts before, and"):
        fnet.save_model(tmp_path / "net.keras", net, *net.init(KEY, ()), shape=())


def test_weights_alone_have_vocabularies_of_any_size(tmp_path: Path) -> None:
    net = fnet.serial(StringLookup(max_tokens=4, output_mode="count", pad_to_max_tokens=True), Dense(1))
    params, state = net.init(KEY, (2,))
    learnt = fnet.adapt(net, params, state, np.array([["a", "b"], ["b", "c"]], object))
    fnet.save_weights(tmp_path / "net.weights.h5", net, params, learnt)
    for known in (learnt, state):
        _, found = fnet.load_weights(tmp_path / "net.weights.h5", net, params, known)
        assert tree.all_equal(found, learnt)
    scale = fnet.serial(Normalization(), Dense(1))
    fnet.save_weights(tmp_path / "scale.h5", scale, *scale.init(KEY, (3,)))
    with pytest.raises(FileError, match=r"'params/dense/kernel' is float32 \(3, 1\) in the manifest, expected"):
        fnet.load_weights(tmp_path / "scale.h5", scale, *scale.init(KEY, (2,)))


LEARNT = {"vocabulary": None}
HOSTILE: dict[str, tuple[dict[str, Any], dict[str, bytes], str]] = {
    "a path": ({"vocabulary": "/etc/passwd"}, {}, r"/vocabulary: expected a list of tokens, for no other file is read"),
    "no text": (
        LEARNT,
        {"string_lookup": b"\xff\xfe"},
        r"'assets/layers/string_lookup/vocabulary\.txt' is no text",
    ),
    "a line less": (
        LEARNT | {"vocabulary_size": 9},
        {"string_lookup": b"[UNK]\na"},
        r"'assets/layers/string_lookup/vocabulary\.txt' has 2 tokens, expected 9: it is damaged\.",
    ),
    "a token twice": (LEARNT, {"string_lookup": b"[UNK]\na\na"}, r"StringLookup: the vocabulary has 'a' twice"),
    "a way out": ({"vocabulary": ["a"]}, {"../../x": b"a"}, r"which leads out of it: it is hostile"),
    "numbers": ({"vocabulary": [1, 2]}, {}, r"/vocabulary/0: expected text, received 1"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_vocabularies_are_refused(case: str, tmp_path: Path) -> None:
    config, assets, text = HOSTILE[case]
    with pytest.raises(FileError, match=text):
        fnet.load_model(archive_of_keras(tmp_path / "net.keras", config, assets))


def test_a_large_vocabulary_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fnet.io.keras.archive.MOST_TEXT", 5)
    path = archive_of_keras(tmp_path / "net.keras", LEARNT, {"string_lookup": b"[UNK]\na"})
    with pytest.raises(FileError, match=r"vocabulary\.txt' has 7 bytes, expected at most 5\."):
        fnet.load_model(path)
