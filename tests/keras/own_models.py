"""Models that real Keras makes by its own constructors: single layers, and networks as people build them.

Both generations of Keras make them; what the older one does not have is left out there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Built = tuple[Any, list[np.ndarray]]
"""A model with arrays for its inputs."""


def built(keras: Any) -> dict[str, Built]:
    """The models by name, with weights of which none is at its start."""
    rng = np.random.default_rng(5)
    models: dict[str, Built] = {}
    for family in (layers_alone, *FAMILIES):
        for name, model, inputs in family(keras, rng):
            if not model.built:
                model(inputs[0])
            given = [np.abs(rng.normal(size=w.shape)).astype("float32") * 0.3 + 0.05 for w in model.weights]
            model.set_weights(given)
            models[name] = (model, inputs)
    return models


def single_layers(layers: Any, keras: Any) -> dict[str, tuple[Callable[[], Any], tuple[int, ...]]]:
    """Layers of one input by name, with the shapes of samples."""
    reg, con, init = keras.regularizers, keras.constraints, keras.initializers
    return {
        "dense": (lambda: layers.Dense(3, "gelu", kernel_regularizer=reg.L1L2(0.1, 0.2)), (4,)),
        "dense-parts": (lambda: layers.Dense(3, kernel_constraint=con.MaxNorm(2.0), bias_initializer="ones"), (4,)),
        "dense-init": (lambda: layers.Dense(3, kernel_initializer=init.VarianceScaling(2.0, "fan_out")), (2, 4)),
        "einsum": (lambda: layers.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d", activation="tanh"), (3, 4)),
        "activation": (lambda: layers.Activation("swish"), (4,)),
        "relu6": (lambda: layers.ReLU(6.0, negative_slope=0.1, threshold=0.2), (4,)),
        "leaky": (lambda: layers.LeakyReLU(0.2), (4,)),
        "elu": (lambda: layers.ELU(0.7), (4,)),
        "prelu": (lambda: layers.PReLU(shared_axes=[1, 2]), (3, 4, 2)),
        "softmax": (lambda: layers.Softmax(axis=1), (3, 4)),
        "conv1d": (lambda: layers.Conv1D(3, 3, 2, "causal"), (8, 2)),
        "conv2d": (lambda: layers.Conv2D(3, (3, 2), (2, 1), "same", activation="relu"), (7, 6, 2)),
        "conv2d-dilated": (lambda: layers.Conv2D(2, 3, dilation_rate=2, use_bias=False), (8, 7, 2)),
        "conv2d-groups": (lambda: layers.Conv2D(4, 3, groups=2), (6, 6, 2)),
        "conv3d": (lambda: layers.Conv3D(2, 2), (3, 4, 3, 1)),
        "depthwise1d": (lambda: layers.DepthwiseConv1D(3, depth_multiplier=2), (7, 2)),
        "depthwise2d": (lambda: layers.DepthwiseConv2D(3, 2, "same", use_bias=False), (7, 7, 2)),
        "separable1d": (lambda: layers.SeparableConv1D(3, 3, padding="same"), (7, 2)),
        "separable2d": (lambda: layers.SeparableConv2D(4, 3, depth_multiplier=2, activation="elu"), (6, 6, 2)),
        "transpose1d": (lambda: layers.Conv1DTranspose(2, 3, 2), (5, 2)),
        "transpose2d": (lambda: layers.Conv2DTranspose(2, 3, 2, "same"), (4, 5, 2)),
        "transpose3d": (lambda: layers.Conv3DTranspose(2, 2, 2), (2, 3, 2, 1)),
        "max1d": (lambda: layers.MaxPooling1D(2, padding="same"), (7, 2)),
        "max2d": (lambda: layers.MaxPooling2D((2, 3), 2), (7, 7, 2)),
        "max3d": (lambda: layers.MaxPooling3D(2), (4, 4, 4, 1)),
        "average1d": (lambda: layers.AveragePooling1D(3, 2, "same"), (7, 2)),
        "average2d": (lambda: layers.AveragePooling2D(2, 1, "same"), (5, 5, 2)),
        "average3d": (lambda: layers.AveragePooling3D(2), (4, 4, 2, 1)),
        "global-max1d": (lambda: layers.GlobalMaxPooling1D(), (5, 2)),
        "global-max2d": (lambda: layers.GlobalMaxPooling2D(keepdims=True), (4, 5, 2)),
        "global-max3d": (lambda: layers.GlobalMaxPooling3D(), (2, 3, 2, 2)),
        "global-average1d": (lambda: layers.GlobalAveragePooling1D(), (5, 2)),
        "global-average2d": (lambda: layers.GlobalAveragePooling2D(), (4, 5, 2)),
        "global-average3d": (lambda: layers.GlobalAveragePooling3D(), (2, 3, 2, 2)),
        "batch-norm": (lambda: layers.BatchNormalization(momentum=0.9, epsilon=1e-2), (4,)),
        "batch-norm-scale": (lambda: layers.BatchNormalization(scale=False), (3, 3, 4)),
        "batch-norm-bare": (lambda: layers.BatchNormalization(center=False, scale=False), (3, 3, 4)),
        "layer-norm": (lambda: layers.LayerNormalization(center=False), (3, 4)),
        "group-norm": (lambda: layers.GroupNormalization(2), (3, 4)),
        "unit-norm": (lambda: layers.UnitNormalization(), (3, 4)),
        "dropout": (lambda: layers.Dropout(0.4, noise_shape=(None, 1)), (4,)),
        "spatial-dropout": (lambda: layers.SpatialDropout2D(0.4), (3, 3, 2)),
        "gaussian-noise": (lambda: layers.GaussianNoise(0.4), (4,)),
        "gaussian-dropout": (lambda: layers.GaussianDropout(0.4), (4,)),
        "alpha-dropout": (lambda: layers.AlphaDropout(0.4), (4,)),
        "activity": (lambda: layers.ActivityRegularization(l2=0.1), (4,)),
        "flatten": (lambda: layers.Flatten(), (3, 2, 2)),
        "reshape": (lambda: layers.Reshape((-1, 3)), (4, 6)),
        "permute": (lambda: layers.Permute((2, 1)), (4, 6)),
        "repeat": (lambda: layers.RepeatVector(3), (4,)),
        "up1d": (lambda: layers.UpSampling1D(3), (4, 2)),
        "up2d": (lambda: layers.UpSampling2D((2, 3), interpolation="bilinear"), (3, 4, 2)),
        "up3d": (lambda: layers.UpSampling3D(2), (2, 2, 2, 1)),
        "pad1d": (lambda: layers.ZeroPadding1D((1, 2)), (4, 2)),
        "pad2d": (lambda: layers.ZeroPadding2D(((1, 0), (2, 1))), (3, 4, 2)),
        "pad3d": (lambda: layers.ZeroPadding3D(1), (2, 2, 2, 1)),
        "crop1d": (lambda: layers.Cropping1D((1, 2)), (6, 2)),
        "crop2d": (lambda: layers.Cropping2D(((1, 0), (2, 1))), (5, 6, 2)),
        "crop3d": (lambda: layers.Cropping3D(1), (4, 4, 4, 1)),
        "rescaling": (lambda: layers.Rescaling(1 / 127.5, -1), (3, 4, 2)),
        "masking": (lambda: layers.Masking(0.5), (3, 4)),
        "simple-rnn": (lambda: layers.SimpleRNN(3, return_sequences=True, go_backwards=True), (4, 2)),
        "lstm": (lambda: layers.LSTM(3, dropout=0.1, recurrent_dropout=0.1), (4, 2)),
        "gru": (lambda: layers.GRU(3, reset_after=False, return_sequences=True), (4, 2)),
        "rnn-cells": (lambda: layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)]), (4, 2)),
        "bidirectional": (lambda: layers.Bidirectional(layers.LSTM(3, return_sequences=True), "sum"), (4, 2)),
        "time-distributed": (lambda: layers.TimeDistributed(layers.Conv2D(2, 2)), (3, 4, 4, 1)),
    }


def layers_alone(keras: Any, rng: np.random.Generator) -> Iterator[tuple[str, Any, list[np.ndarray]]]:
    """A Sequential model of each layer."""
    for name, (make, shape) in single_layers(keras.layers, keras).items():
        x = rng.uniform(-1, 1, (3, *shape)).astype("float32")
        yield f"layer-{name}", keras.Sequential([keras.Input(shape), make()]), [x]


def images(keras: Any, rng: np.random.Generator) -> Iterator[tuple[str, Any, list[np.ndarray]]]:
    """Networks for images, as in keras.applications."""
    layers = keras.layers
    photos = [rng.integers(0, 255, (2, 16, 16, 3)).astype("float32")]

    def separable(x: Any, filters: int, stride: int) -> Any:
        if stride == 2:
            x = layers.ZeroPadding2D(((0, 1), (0, 1)))(x)
        x = layers.DepthwiseConv2D(3, stride, "same" if stride == 1 else "valid", use_bias=False)(x)
        x = layers.ReLU(6.0)(layers.BatchNormalization(scale=False)(x))
        x = layers.Conv2D(filters, 1, padding="same", use_bias=False)(x)
        return layers.ReLU(6.0)(layers.BatchNormalization()(x))

    image = keras.Input((16, 16, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = separable(separable(layers.Conv2D(4, 3, 2, "same", use_bias=False)(x), 6, 1), 8, 2)
    x = layers.Dropout(0.1)(layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = layers.Reshape((5,))(layers.Conv2D(5, 1, padding="same")(x))
    yield "mobilenet", keras.Model(image, layers.Activation("softmax")(x), name="mobilenet_0.25_16"), photos

    def block(x: Any, filters: int, stride: int, name: str) -> Any:
        y = layers.Conv2D(filters, 1, stride, name=f"{name}_1_conv")(x)
        y = layers.Activation("relu")(layers.BatchNormalization(epsilon=1.001e-5, name=f"{name}_1_bn")(y))
        y = layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same", name=f"{name}_2_conv")(y))
        cut = layers.Conv2D(filters, 1, stride, name=f"{name}_0_conv")(x) if stride == 2 else x
        return layers.Activation("relu")(layers.Add()([cut, y]))

    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 7, 2, name="conv1_conv")(layers.ZeroPadding2D(3)(image))
    x = layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(layers.ReLU()(x)))
    x = block(block(block(x, 4, 1, "conv2_block1"), 8, 2, "conv3_block1"), 8, 1, "conv3_block2")
    yield "resnet", keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x))), photos

    image = keras.Input((16, 16, 3))
    a = layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    b = layers.SeparableConv2D(6, 3, padding="same", activation="relu")(layers.MaxPooling2D()(a))
    c = layers.Conv2D(8, 3, padding="same")(layers.SpatialDropout2D(0.1)(layers.MaxPooling2D()(b)))
    d = layers.Concatenate()([layers.Conv2DTranspose(6, 2, 2)(c), b])
    e = layers.Concatenate()([layers.UpSampling2D()(d), a])
    yield "unet", keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid")(e)), photos

    backbone = keras.Sequential(
        [keras.Input((16, 16, 3)), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Flatten()], name="backbone"
    )
    backbone.trainable = False
    image = keras.Input((16, 16, 3))
    yield "frozen", keras.Model(image, layers.Dense(2)(backbone(image, training=False))), photos

    gate = keras.Input((8, 8, 4))
    s = layers.Dense(4, "sigmoid")(layers.Dense(2, "relu")(layers.GlobalAveragePooling2D()(gate)))
    gated = layers.Multiply()([gate, layers.Reshape((1, 1, 4))(s)])
    yield "squeeze", keras.Model(gate, gated), [rng.normal(size=(2, 8, 8, 4)).astype("float32")]


def sequences(keras: Any, rng: np.random.Generator) -> Iterator[tuple[str, Any, list[np.ndarray]]]:
    """Networks for sequences, with masks, states and shared embeddings."""
    layers = keras.layers
    ids, more = (rng.integers(0, 4, (3, steps)).astype("int32") for steps in (7, 5))
    steps = rng.normal(size=(3, 5, 4)).astype("float32")
    steps[0, 2], steps[1, 3:] = 0, 0
    a, b, s = keras.Input((7,), dtype="int32"), keras.Input((5,), dtype="int32"), keras.Input((5, 4))
    embedding = layers.Embedding(9, 4, mask_zero=True)
    yield "text", keras.Model(a, layers.LSTM(3)(embedding(a))), [ids]
    twice = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(layers.Dropout(0.2)(embedding(a)))
    yield "tags", keras.Model(a, layers.TimeDistributed(layers.Dense(5, "softmax"))(twice)), [ids]
    yield "bag", keras.Model(a, layers.GlobalAveragePooling1D()(embedding(a))), [ids]
    _, h, c = layers.LSTM(3, return_state=True, name="encoder")(embedding(a))
    decoder = layers.LSTM(3, return_sequences=True, return_state=True, name="decoder")
    y, _, _ = decoder(layers.Embedding(6, 3)(b), initial_state=[h, c])
    yield "translation", keras.Model([a, b], layers.Dense(6, "softmax")(y)), [ids, more]
    y, h, c = layers.LSTM(3, return_sequences=True, return_state=True)(s)
    y, h, c = layers.LSTM(3, return_sequences=True, return_state=True)(y, initial_state=[h, c])
    yield "stacked", keras.Model(s, [y, h, c]), [steps]
    if not _is_older(keras):  # where Add takes the steps that count in all masks
        yield "merged", keras.Model(a, layers.GRU(3)(layers.Add()([embedding(a), layers.Embedding(9, 4)(a)]))), [ids]
    inner = keras.Sequential(
        [
            keras.Input((7,), dtype="int32"),
            layers.Embedding(9, 4, mask_zero=True),
            layers.LSTM(3, return_sequences=True),
        ]
    )
    yield "inner-mask", keras.Model(a, layers.LSTM(2)(inner(a))), [ids]
    yield "attention", keras.Model([s, b], layers.Attention()([s, layers.Embedding(9, 4)(b)])), [steps, more]
    x = layers.LayerNormalization()(layers.Add()([s, layers.MultiHeadAttention(2, 3)(s, s)]))
    x = layers.Add()([x, layers.Dense(4)(layers.Dense(8, "gelu")(x))])
    yield "transformer", keras.Model(s, layers.GlobalMaxPooling1D()(x)), [steps]
    chain = [keras.Input((5, 4)), layers.Conv1D(4, 3, padding="causal", dilation_rate=2), layers.GRU(3)]
    yield "temporal", keras.Sequential([*chain, layers.Dense(1)]), [steps]
    chain = [keras.Input((5, 4)), layers.Masking(), layers.SimpleRNN(3, return_sequences=True)]
    yield "masked-chain", keras.Sequential([*chain, layers.LSTM(2)]), [steps]
    of_steps = keras.Sequential([keras.Input((4,)), layers.Dense(3, "tanh"), layers.BatchNormalization()])
    yield "steps-of-models", keras.Model(s, layers.TimeDistributed(of_steps)(s)), [steps]
    yield "steps-of-chain", keras.Sequential([keras.Input((5, 4)), layers.TimeDistributed(of_steps)]), [steps]


def several(keras: Any, rng: np.random.Generator) -> Iterator[tuple[str, Any, list[np.ndarray]]]:
    """Several inputs and outputs, models within models, names."""
    layers = keras.layers
    left, right = (rng.normal(size=(3, n)).astype("float32") for n in (4, 3))
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    both = layers.Concatenate()([layers.Dense(3)(a), b])
    ends = {"score": layers.Dense(1, name="score")(both), "label": layers.Dense(4, "softmax", name="label")(both)}
    yield "named-ends", keras.Model({"a": a, "b": b}, ends), [left, right]
    yield "listed-ends", keras.Model([a, b], [layers.Dense(2)(both), both]), [left, right]

    def inner(name: str) -> Any:
        return keras.Sequential([keras.Input((4,)), layers.Dense(4, name="same"), layers.ReLU(name="other")], name=name)

    one, two = inner("one"), inner("two")
    yield "same-names", keras.Model(a, layers.Dense(2, name="same")(two(one(a)))), [left]
    if not _is_older(keras):  # which cannot save two layers of one name that lie so deep
        deep = keras.Sequential([one, keras.Sequential([two, layers.Dense(3)])])
        yield "deep", keras.Sequential([keras.Input((4,)), deep]), [left]
    if not _is_older(keras):  # which makes scopes of TensorFlow of names
        odd = [layers.Dense(3, name="первый слой"), layers.Dense(3, name="a.b c"), layers.Dense(2, name="größe:0")]
        yield "odd-names", keras.Sequential([keras.Input((4,), name="in put"), *odd]), [left]
    part = keras.Model([a, b], [both, layers.Dense(2)(b)], name="part")
    u, v = keras.Input((4,)), keras.Input((3,))
    p, q = part([u, v])
    yield "model-of-two", keras.Model([u, v], layers.Add()([layers.Dense(2)(p), q])), [left, right]
    size = keras.Input((4,), 3) if _is_older(keras) else keras.Input(batch_shape=(3, 4), name="sized")
    yield "sized", keras.Model(size, layers.Dense(2)(size)), [left]
    frozen = keras.Sequential([keras.Input((4,)), layers.Dense(3, trainable=False), layers.BatchNormalization()])
    yield "frozen-layer", keras.Sequential([frozen, layers.Dense(2)]), [left]
    tail = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.LeakyReLU(0.1), layers.Dense(1)])
    yield "critic", tail, [left]


def _is_older(keras: Any) -> bool:
    return bool(keras.__name__.startswith("tf_keras"))


FAMILIES = (images, sequences, several)
