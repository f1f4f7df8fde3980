"""Drawings of networks: their nodes and edges, and the files they are written to."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import numpy as np
import pytest

import fnet
from fnet import Layer, fanout, graph, named, residual, serial
from fnet.errors import FileError, ValueRangeError
from fnet.inspect.plot import model_to_dot
from fnet.layers import Add, Dense, Flatten


def edges(dot: str) -> set[tuple[str, str]]:
    return set(re.findall(r'"([^"]*)" -> "([^"]*)";', dot))


def skip() -> Layer:
    x = fnet.Input((4,), name="image")
    hidden = Dense(4, "relu")(x)
    return graph(x, Dense(1, name="the head")(Add()([hidden, x])))


def test_a_graph() -> None:
    dot = model_to_dot(skip(), show_shapes=True)
    assert edges(dot) == {("/image", "dense"), ("dense", "add"), ("/image", "add"), ("add", "the head")}
    assert "<td>input: ((None, 4), (None, 4))</td>" in dot and "<td>output: (None, 1)</td>" in dot


def test_a_chain_of_containers_closed_and_expanded() -> None:
    net = serial(fanout(Dense(3), named("deep", serial(Dense(4), Dense(3))), merge="add"), residual(Dense(3)), Dense(1))
    # Branches and skips are seen; the chain in a branch is one node.
    assert edges(model_to_dot(net, (3,))) == {
        ("/input", "fanout/dense"), ("/input", "fanout/deep"), ("fanout/dense", "fanout/"), ("fanout/deep", "fanout/"),
        ("fanout/", "residual/dense"), ("fanout/", "residual/"), ("residual/dense", "residual/"),
        ("residual/", "dense"),
    }  # fmt: skip
    assert "subgraph" not in model_to_dot(net, (3,)) and "subgraph" in model_to_dot(net, (3,), expand_nested=True)
    dot = model_to_dot(net, (3,), expand_nested=True)
    assert edges(dot) == {
        ("/input", "fanout/dense"),
        ("/input", "fanout/deep/dense"),
        ("fanout/deep/dense", "fanout/deep/dense_1"),
        ("fanout/dense", "fanout/"),
        ("fanout/deep/dense_1", "fanout/"),
        ("fanout/", "residual/dense"),
        ("fanout/", "residual/"),
        ("residual/dense", "residual/"),
        ("residual/", "dense"),
    }
    assert dot.count("subgraph") == 3 and dot.count("{") == dot.count("}") == 4


def test_what_is_shown() -> None:
    net = serial(Dense(2, np.tanh, trainable=False), Dense(3, "relu"))
    dot = model_to_dot(net, (3,), show_layer_activations=True, show_trainable=True, show_dtype=True, rankdir="LR")
    for text in ("activation: tanh", "activation: relu", "trainable: no", "trainable: yes", "dtype: float32", "LR"):
        assert text in dot
    assert "<b>" not in model_to_dot(net, (3,), show_layer_names=False)
    assert edges(model_to_dot(Dense(2), (3,))) == {("/input", "")}


def test_text_is_written_where_it_is_asked_for_or_graphviz_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fnet.plot_model(skip(), to_file=tmp_path / "net.gv")
    assert path.read_text() == model_to_dot(skip())
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match=r"Graphviz's program 'dot' was not found, so the drawing is text: model.dot"):
        assert fnet.plot_model(skip()) == Path("model.dot")
    assert (tmp_path / "model.dot").read_text() == model_to_dot(skip())


def program(folder: Path, script: str) -> None:
    path = folder / "dot"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for Graphviz is a shell script")
def test_images_are_made_by_graphviz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    program(tmp_path, 'echo "$1" > "$3"; cat >> "$3"')
    for suffix in ("png", "svg"):
        path = fnet.plot_model(skip(), to_file=tmp_path / f"net.{suffix}", show_shapes=True)
        assert path.read_text() == f"-T{suffix}\n{model_to_dot(skip(), show_shapes=True)}"
    before = path.read_text()
    program(tmp_path, 'echo "no such font" >&2; exit 1')
    with pytest.raises(FileError, match="Graphviz could not draw '.*net.svg': no such font"):
        fnet.plot_model(skip(), to_file=path)
    assert path.read_text() == before and sorted(p.name for p in tmp_path.iterdir()) == ["dot", "net.png", "net.svg"]


def test_names_are_escaped() -> None:
    dot = model_to_dot(serial(Dense(2, name='a "b" <c>'), Flatten()), (3,))
    assert '"a \\"b\\" <c>" [label=<' in dot and "<b>a &quot;b&quot; &lt;c&gt;</b> (Dense)</td>" in dot


def test_a_node_has_one_border_and_a_coloured_head() -> None:
    dot = model_to_dot(Dense(2), (3,), show_shapes=True)
    assert "node [shape=plain, " in dot and dot.count('border="0" cellborder="1"') == 2
    assert dot.count('<td bgcolor="#dbe7f5">') == 2


def test_errors() -> None:
    with pytest.raises(ValueRangeError, match="unknown format '.bmp', expected one of .png, .svg"):
        fnet.plot_model(skip(), to_file="net.bmp")
    with pytest.raises(ValueRangeError, match="rankdir is 'TB' or 'LR', received 'UP'"):
        model_to_dot(skip(), rankdir="UP")
