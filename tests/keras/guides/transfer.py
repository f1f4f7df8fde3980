# Transfer learning: a base that is frozen and in inference, a head that is trained, then both at a low rate.
import keras
import numpy as np
from keras import layers

base_model = keras.Sequential(
    [
        keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU(),
        layers.GlobalAveragePooling2D(),
    ],
    name="base",
)  # fmt: skip
base_model.trainable = False
inputs = keras.Input(shape=(8, 8, 3))
x = base_model(inputs, training=False)
x = layers.Dropout(0.0)(x)
outputs = layers.Dense(1)(x)
model = keras.Model(inputs, outputs)
print(len(model.trainable_weights), len(model.non_trainable_weights))
model.compile(keras.optimizers.Adam(), keras.losses.BinaryCrossentropy(from_logits=True), metrics=["accuracy"])
rng = np.random.default_rng(0)
data, labels = rng.random((32, 8, 8, 3)).astype("float32"), rng.integers(0, 2, (32, 1))
before = [np.array(w) for w in base_model.get_weights()]
model.fit(data, labels, epochs=1, verbose=0)
print(all(np.array_equal(a, b) for a, b in zip(before, base_model.get_weights(), strict=True)))
base_model.trainable = True
model.compile(keras.optimizers.Adam(1e-5), keras.losses.BinaryCrossentropy(from_logits=True), metrics=["accuracy"])
model.fit(data, labels, epochs=1, verbose=0)
print(len(model.trainable_weights), len(model.non_trainable_weights))
