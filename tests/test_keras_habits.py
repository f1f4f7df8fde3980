"""What users of Keras write works, or is answered with the way of fnet."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import graph, serial
from fnet.errors import DtypeError, ShapeError, TracingError
from fnet.layers import LSTM, RNN, Bidirectional, Dense, GlobalMaxPooling1D, GRUCell, Input

KEY = fnet.random.key(0)


def test_lists_of_layers() -> None:
    a, b = Dense(3), Dense(2)
    assert serial([a, b]).children == serial(a, b).children == (a, b)
    assert fnet.fanout([a, b]).children == fnet.parallel((a, b)).children == (a, b)
    assert serial([]).out_shape((3,)) == (3,)


def test_a_graph_of_lists_takes_bare_arrays_and_knows_its_shape(tmp_path: Path) -> None:
    x = Input((4,))
    net = graph([x], [Dense(2)(x)])
    params, state = net.init(KEY)
    for shape in ((4,), ((4,),), [(4,)]):
        again, _ = net.init(KEY, shape)
        assert fnet.tree.all_equal(params, again)
    given = np.ones((3, 4), "float32")
    y, _ = net.apply(params, state, given)
    np.testing.assert_array_equal(y, net.apply(params, state, (given,))[0])
    trainer = fnet.Trainer(net, loss="mse")
    ts, _ = trainer.fit(trainer.init(KEY, (4,)), given, np.zeros((3, 2), "float32"), verbose=False)
    assert trainer.predict(ts, given).shape == (3, 2)
    assert net.out_shape() == (2,) and serial(graph(x, Dense(2)(x)), Dense(7)).out_shape() == (7,)
    path = tmp_path / "net.dot"
    assert fnet.plot_model(net, path) == path and '"dense"' in path.read_text()
    assert fnet.summary(fnet.named("whole", net)).to_dict()["total_params"] == 10


def test_shapes_that_are_missing_are_asked_for() -> None:
    net = serial(Dense(2), Dense(3))
    for call in (net.init, lambda key: net.out_shape()):
        with pytest.raises(ShapeError, match=r"give the shape of one sample, .*: net.init\(key, \(784,\)\)"):
            call(KEY)
    with pytest.raises(ShapeError, match=r"give the shape of one sample, .*: fnet.summary\(net, \(784,\)\)"):
        fnet.summary(net)


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("fit", "fnet.Trainer"), ("compile", "fnet.Trainer"), ("summary", "fnet.summary"), ("add", "fnet.serial"),
        ("layers", "net.children"), ("get_weights", "net.init"), ("save", "fnet.save_model"), ("call", "net.apply"),
    ],
)  # fmt: skip
def test_methods_of_models_are_answered(name: str, way: str) -> None:
    assert not hasattr(Dense(2), name)
    with pytest.raises(AttributeError, match=rf"a Layer has no '{name}': .*{way}"):
        getattr(serial(Dense(2)), name)
    with pytest.raises(AttributeError, match=r"a Layer has no 'nonsense'\.$"):
        Dense(2).nonsense  # noqa: B018


def test_aliases() -> None:
    assert fnet.layers.Input is fnet.Input and fnet.optimizers.schedules is fnet.schedules


def test_help_shows_the_public_names() -> None:
    public = {name for name in dir(fnet) if not name.startswith("_")}
    modules = {path.stem for path in Path(fnet.__file__).parent.iterdir()}
    assert public - modules <= set(fnet.__all__) <= public
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        help(fnet)
    for name in ("class Trainer(", "serial(*layers", "graph(inputs", "jit(", "class Layer("):
        assert name in text.getvalue()


def test_a_list_of_a_sequence_and_its_states() -> None:
    x, h = np.ones((2, 3, 4), "float32"), np.ones((2, 5), "float32")
    for layer, states in ((LSTM(5), [h, h]), (RNN(GRUCell(5)), [h]), (Bidirectional(LSTM(5)), [h] * 4)):
        params, state = layer.init(KEY, (3, 4))
        y, _ = layer.apply(params, state, [x, *states])
        np.testing.assert_array_equal(y, layer.apply(params, state, (x, *states))[0])
    params, state = LSTM(5).init(KEY, (3, 4))
    np.testing.assert_array_equal(LSTM(5).apply(params, state, x.tolist())[0], LSTM(5).apply(params, state, x)[0])


def test_nothing_to_pool() -> None:
    with pytest.raises(ShapeError, match=r"GlobalMaxPooling1D: nothing is the largest .* steps, \(2, 0, 3\)"):
        GlobalMaxPooling1D().apply({}, {}, np.zeros((2, 0, 3)))


def test_numpy_on_nodes() -> None:
    x = Input((3,))
    net = graph(x, np.ones(3, "float32") + 2.0 * x - np.float32(1))
    np.testing.assert_array_equal(net.apply({}, {}, np.ones((2, 3), "float32"))[0], np.full((2, 3), 2))
    for call, name in ((np.exp, "exp"), (np.concatenate, "concatenate"), (np.sum, "sum")):
        with pytest.raises(TracingError, match=rf"no values yet, so np.{name} cannot .*Lambda\(np.{name}\)\(x\)"):
            call([x, x] if name == "concatenate" else x)


class Pair:
    """A class that is no tree."""


def test_objects_that_are_no_trees() -> None:
    def loss(pair: Any) -> Any:
        return np.sum(pair.a)

    with pytest.raises(DtypeError, match=r"received a Pair. .*: fnet.tree.register\(Pair, flatten, unflatten\)"):
        fnet.grad(loss)(Pair())


def test_writing_a_traced_value_into_an_array() -> None:
    def loss(x: Any) -> Any:
        buffer = np.zeros(3)
        buffer[0] = x[0]
        return np.sum(buffer)

    with pytest.raises(ValueError, match="with a sequence") as caught:
        fnet.grad(loss)(np.ones(3))
    assert "to fill an array, np.stack or np.where" in str(caught.value.__cause__)
