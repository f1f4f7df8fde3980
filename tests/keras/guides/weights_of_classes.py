# Weights of classes and of samples, and what is watched with weights.
import keras
import numpy as np
from keras import layers

rng = np.random.default_rng(0)
x, y = rng.random((64, 8)).astype("float32"), rng.integers(0, 3, 64)
model = keras.Sequential(
    [keras.Input((8,)), layers.Dense(16, activation="relu"), layers.Dense(3, activation="softmax")]
)
model.compile("sgd", "categorical_crossentropy", weighted_metrics=["accuracy"])
targets = keras.utils.to_categorical(y, 3)
model.fit(x, targets, class_weight={0: 1.0, 1: 1.0, 2: 2.0}, batch_size=16, epochs=1, verbose=0)
sample_weight = np.ones(shape=(len(y),))
sample_weight[y == 2] = 2.0
history = model.fit(x, targets, sample_weight=sample_weight, batch_size=16, epochs=1, verbose=0)
print(sorted(history.history))
