"""The networks of the problems in Keras' functional API; the layers have the problems' names."""

from __future__ import annotations

import functools

from keras import Input, Model, layers

from bench.problems import CNN, MLP, VGG, DenseLSTM, FanOut, Network, Recurrent, Ticket
from bench.protocol import NO_SUCH_ROW, UnavailableError


@functools.singledispatch
def network(problem: Network) -> Model:
    """The network of a problem."""
    raise UnavailableError(NO_SUCH_ROW)


@network.register
def _(problem: MLP) -> Model:
    x = inputs = Input(problem.sizes[:1])
    *hidden, last = problem.sizes[1:]
    for i, units in enumerate(hidden):
        x = layers.Dense(units, "relu", name=f"dense_{i}")(x)
    return Model(inputs, layers.Dense(last, name=f"dense_{len(hidden)}")(x))


@network.register
def _(problem: FanOut) -> Model:
    x = Input((problem.features,))
    sizes = (16, "relu"), (8, "relu"), (16, "tanh")
    branches = [layers.Dense(units, act, name=f"branch_{i}")(x) for i, (units, act) in enumerate(sizes)]
    hidden = layers.Dense(16, "relu", name="hidden")(layers.concatenate(branches))
    return Model(x, layers.Dense(1, name="output")(hidden))


@network.register
def _(problem: CNN) -> Model:
    x = inputs = Input((28, 28, 1))
    for i, filters in enumerate((32, 16)):
        x = layers.MaxPooling2D(2)(layers.Conv2D(filters, 3, activation="relu", name=f"conv_{i}")(x))
    hidden = layers.Dense(50, "relu", name="hidden")(layers.Flatten()(x))
    return Model(inputs, layers.Dense(10, name="output")(hidden))


@network.register
def _(problem: VGG) -> Model:
    x = inputs = Input((32, 32, 3))
    for i, filters in enumerate((64, 64, 128, 128)):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"conv_{i}")(x)
        x = layers.Activation("relu")(layers.BatchNormalization(name=f"norm_{i}")(x))
        x = layers.MaxPooling2D(2)(x) if i % 2 else x
    return Model(inputs, layers.Dense(10, name="output")(layers.Flatten()(x)))


@network.register
def _(problem: Recurrent) -> Model:
    x = Input((problem.steps, problem.features))
    cell = layers.LSTM if problem.cell == "lstm" else layers.SimpleRNN
    return Model(x, layers.Dense(1, name="output")(cell(problem.units, name="cell")(x)))


@network.register
def _(problem: DenseLSTM) -> Model:
    x, sequence = Input((16,)), Input((8, 4))
    hidden = layers.Dense(16, "relu", name="hidden_1")(layers.Dense(32, "relu", name="hidden_0")(x))
    last = layers.LSTM(32, name="lstm")(sequence)
    joined = layers.Dense(8, name="joined")(layers.concatenate([hidden, last]))
    return Model([x, sequence], layers.Dense(1, name="output")(joined))


@network.register
def _(problem: Ticket) -> Model:
    title, body, tags = Input((20,)), Input((100,)), Input((12,))
    last_of_title = layers.LSTM(128, name="title")(layers.Embedding(10000, 64, name="title_words")(title))
    last_of_body = layers.LSTM(32, name="body")(layers.Embedding(10000, 64, name="body_words")(body))
    features = layers.concatenate([last_of_title, last_of_body, tags])
    heads = layers.Dense(1, name="priority")(features), layers.Dense(4, name="department")(features)
    return Model([title, body, tags], list(heads))
