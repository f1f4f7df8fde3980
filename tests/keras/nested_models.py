"""Networks with networks in them, and the same as models of Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fnet import Input, graph, serial
from fnet.layers import LSTM, BatchNormalization, Concatenate, Dense, Dropout, Embedding, TimeDistributed
from fnet.networks.combinators import named, residual
from fnet.networks.layer import Layer


def _named(name: str, *layers: Layer) -> Layer:
    return named(name, serial(*layers))


def autoencoder() -> Layer:
    """An encoder and a decoder; the code is an output, too."""
    x = Input((6,), name="x")
    code = _named("enc", Dense(5, "relu", name="dense"), BatchNormalization(), Dense(2, name="code"))(x)
    return graph(x, [code, _named("dec", Dense(5, "relu", name="first"), Dense(6, name="wide"))(code)])


def twins() -> Layer:
    """A graph with a graph in it, called on two inputs, and on what comes out again."""
    y = Input((4,), name="y")
    deep = named("deep", graph(y, Concatenate()([Dense(2, name="half")(y), Dense(2)(y)])))
    z = Input((4,), name="z")
    twin = named("twin", graph(z, Dense(4, name="own")(deep(Dense(4)(z)))))
    a, b = Input((4,), name="a"), Input((4,), name="b")
    return graph([a, b], Dense(1)(Concatenate()([twin(a), twin(twin(b))])))


def several_ends() -> Layer:
    """A graph of two inputs and two outputs, of which one is read again and both are outputs."""
    a, b = Input((3,)), Input((2,))
    pair = named("pair", graph([a, b], [Dense(3)(Concatenate()([a, b])), Dense(2)(b)]))
    x, y = Input((3,), name="x"), Input((2,), name="y")
    u, v = pair([x, y])
    return graph([x, y], [u, Dense(2)(v), v])


def chain() -> Layer:
    """Chains within chains, and a residual one, which is none."""
    return serial(
        _named("outer", Dense(4), _named("inner", BatchNormalization(), Dropout(0.2)), Dense(4)),
        _named("rest", residual(serial(Dense(4, "tanh"), Dense(4))), Dense(3)),
        Dense(1),
    )


def text() -> Layer:
    """A mask that begins in one network and ends in another."""
    return serial(
        _named("words", Embedding(9, 4, mask_zero=True), LSTM(3, return_sequences=True)),
        _named("all", LSTM(2), Dense(1)),
    )


def steps() -> Layer:
    """Networks within networks within TimeDistributed."""
    y = Input((4,))
    inner = named("inner", graph(y, Concatenate()([_named("deep", Dense(2, name="low"), Dense(2))(y), y])))
    z = Input((4,))
    return serial(TimeDistributed(named("outer", graph(z, Dense(3)(inner(Dense(4)(z)))))), LSTM(2))


NETS: dict[str, tuple[Callable[[], Layer], Any]] = {
    "autoencoder": (autoencoder, (6,)), "twins": (twins, ((4,), (4,))), "several_ends": (several_ends, ((3,), (2,))),
    "chain": (chain, (4,)), "text": (text, (7,)), "steps": (steps, (3, 4)),
}  # fmt: skip


def keras_models(keras: Any) -> dict[str, Any]:
    """The same, made in Keras."""
    layers = keras.layers

    def sequential(name: str, *own: Any) -> Any:
        return keras.Sequential(list(own), name=name)

    x = keras.Input((6,), name="x")
    code = sequential(
        "enc", layers.Dense(5, "relu", name="dense"), layers.BatchNormalization(), layers.Dense(2, name="code")
    )(x)
    auto = keras.Model(
        x, [code, sequential("dec", layers.Dense(5, "relu", name="first"), layers.Dense(6, name="wide"))(code)]
    )
    y = keras.Input((4,), name="y")
    deep = keras.Model(y, layers.Concatenate()([layers.Dense(2, name="half")(y), layers.Dense(2)(y)]), name="deep")
    z = keras.Input((4,), name="z")
    twin = keras.Model(z, layers.Dense(4, name="own")(deep(layers.Dense(4)(z))), name="twin")
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    both = keras.Model([a, b], layers.Dense(1)(layers.Concatenate()([twin(a), twin(twin(b))])))
    c, d = keras.Input((3,)), keras.Input((2,))
    pair = keras.Model([c, d], [layers.Dense(3)(layers.Concatenate()([c, d])), layers.Dense(2)(d)], name="pair")
    left, right = keras.Input((3,), name="x"), keras.Input((2,), name="y")
    u, v = pair([left, right])
    ends = keras.Model([left, right], [u, layers.Dense(2)(v), v])
    r = keras.Input((4,))
    rest = keras.Model(
        r,
        layers.Dense(3)(layers.Add()([r, sequential("serial", layers.Dense(4, "tanh"), layers.Dense(4))(r)])),
        name="rest",
    )
    inner = sequential("inner", layers.BatchNormalization(), layers.Dropout(0.2))
    line = keras.Sequential(
        [keras.Input((4,)), sequential("outer", layers.Dense(4), inner, layers.Dense(4)), rest, layers.Dense(1)]
    )
    words = sequential("words", layers.Embedding(9, 4, mask_zero=True), layers.LSTM(3, return_sequences=True))
    said = keras.Sequential([keras.Input((7,)), words, sequential("all", layers.LSTM(2), layers.Dense(1))])
    s = keras.Input((4,))
    low = keras.Model(
        s, layers.Concatenate()([sequential("deep", layers.Dense(2, name="low"), layers.Dense(2))(s), s]), name="inner"
    )
    t = keras.Input((4,))
    timed = keras.Model(t, layers.Dense(3)(low(layers.Dense(4)(t))), name="outer")
    stepped = keras.Sequential([keras.Input((3, 4)), layers.TimeDistributed(timed), layers.LSTM(2)])
    return {
        "autoencoder": auto, "twins": both, "several_ends": ends, "chain": line, "text": said, "steps": stepped,
    }  # fmt: skip
