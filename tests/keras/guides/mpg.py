# Regression on normed columns: one column, all of them, a deep network.
import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_diabetes

x, y = load_diabetes(return_X_y=True)
x, y = x.astype("float32"), (y / 100.0).astype("float32")
normalizer = keras.layers.Normalization(axis=-1)
normalizer.adapt(x)
one = np.array(x[:, 2])
one_normalizer = layers.Normalization(input_shape=[1], axis=None)
one_normalizer.adapt(one)
linear = keras.Sequential([one_normalizer, layers.Dense(units=1)])
linear.compile(optimizer=keras.optimizers.SGD(learning_rate=0.1), loss="mean_absolute_error")
history = linear.fit(one[:, None], y, epochs=2, verbose=0, validation_split=0.2)
print(sorted(history.history))


def build_and_compile_model(norm):
    model = keras.Sequential(
        [norm, layers.Dense(16, activation="relu"), layers.Dense(16, activation="relu"), layers.Dense(1)]
    )
    model.compile(loss="mean_absolute_error", optimizer=keras.optimizers.SGD(0.01))
    return model


dnn_model = build_and_compile_model(normalizer)
dnn_model.build((None, 10))
dnn_model.fit(x, y, validation_split=0.2, verbose=0, epochs=1)
