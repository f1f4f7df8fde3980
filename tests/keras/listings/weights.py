import os
import tempfile

import numpy as np
import tensorflow as tf

folder = tempfile.mkdtemp()
x_train = np.linspace(-1, 1, 32).reshape(-1, 1)
y_train = 2 * x_train + 1

model = tf.keras.Sequential()
model.add(tf.keras.layers.Dense(units=1, input_dim=1))
model.compile(optimizer="sgd", loss="mse")
model.fit(x_train, y_train, epochs=2, verbose=0)
model.save_weights(os.path.join(folder, "simple.weights.h5"))

again = tf.keras.Sequential()
again.add(tf.keras.layers.Dense(units=1, input_dim=1))
again.compile(optimizer="sgd", loss="mse")
again.load_weights(os.path.join(folder, "simple.weights.h5"))
assert np.allclose(again.predict(x_train, verbose=0), model.predict(x_train, verbose=0))

model.save(os.path.join(folder, "simple_model.keras"))
loaded = tf.keras.models.load_model(os.path.join(folder, "simple_model.keras"))
assert np.allclose(loaded.evaluate(x_train, y_train, verbose=0), model.evaluate(x_train, y_train, verbose=0))
