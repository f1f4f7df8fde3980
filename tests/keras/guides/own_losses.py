# Losses of one's own: a function, and a class with an argument.
import keras
import numpy as np
from keras import layers, ops


def custom_mean_squared_error(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


class CustomMSE(keras.losses.Loss):
    def __init__(self, regularization_factor=0.1, name="custom_mse"):
        super().__init__(name=name)
        self.regularization_factor = regularization_factor

    def call(self, y_true, y_pred):
        mse = ops.mean(ops.square(y_true - y_pred), axis=-1)
        reg = ops.mean(ops.square(0.5 - y_pred), axis=-1)
        return mse + reg * self.regularization_factor


def get_model():
    inputs = keras.Input(shape=(8,), name="digits")
    x = layers.Dense(16, activation="relu")(inputs)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


by_function = get_model()
by_function.compile(optimizer=keras.optimizers.SGD(0.1), loss=custom_mean_squared_error)
by_class = get_model()
by_class.compile(optimizer=keras.optimizers.SGD(0.1), loss=CustomMSE())
x = np.random.default_rng(0).random((32, 8)).astype("float32")
y = np.eye(10, dtype="float32")[np.arange(32) % 10]
for model in (by_function, by_class):
    model.fit(x, y, batch_size=16, epochs=1, verbose=0)
