# Weights from one model to another: by layers, by whole models, into a larger model by name.
import os
import tempfile

import keras
import numpy as np
from keras import layers


def create_layer():
    layer = layers.Dense(8, activation="relu", name="dense_2")
    layer.build((None, 16))
    return layer


layer_1, layer_2 = create_layer(), create_layer()
layer_2.set_weights(layer_1.get_weights())
print(np.array_equal(layer_1.get_weights()[0], layer_2.get_weights()[0]))

inputs = keras.Input(shape=(16,), name="digits")
x = layers.Dense(8, activation="relu", name="dense_1")(inputs)
x = layers.Dense(8, activation="relu", name="dense_2")(x)
functional_model = keras.Model(inputs, layers.Dense(4, name="predictions")(x), name="3_layer_mlp")
x = layers.Dense(8, activation="relu", name="dense_1")(inputs)
x = layers.Dense(8, activation="relu", name="dense_2")(x)
x = layers.Dropout(0.5)(x)
with_dropout = keras.Model(inputs, layers.Dense(4, name="predictions")(x))
with_dropout.set_weights(functional_model.get_weights())
print(
    all(np.array_equal(a, b) for a, b in zip(functional_model.get_weights(), with_dropout.get_weights(), strict=True))
)
path = os.path.join(tempfile.mkdtemp(), "ckpt.weights.h5")
functional_model.save_weights(path)
extracted = keras.Model(functional_model.input, functional_model.layers[-2].output)
model = keras.Sequential([extracted, layers.Dense(5, name="head")])
print(model.output_shape, len(model.weights))
functional_model.load_weights(path)
with_dropout.load_weights(path)
