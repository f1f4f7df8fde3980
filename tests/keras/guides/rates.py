# Learning rates that fall: by a schedule, by a callback, and where a metric stands still.
import keras
import numpy as np
from keras import layers

rng = np.random.default_rng(0)
x, y = rng.random((64, 8)).astype("float32"), rng.random((64, 1)).astype("float32")
schedule = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=10, decay_rate=0.96, staircase=True)
model = keras.Sequential([keras.Input((8,)), layers.Dense(8, activation="tanh"), layers.Dense(1)])
model.compile(keras.optimizers.SGD(learning_rate=schedule, momentum=0.9), "mse")
model.fit(x, y, epochs=3, verbose=0)
print(round(float(schedule(25)), 6))
plain = keras.Sequential([keras.Input((8,)), layers.Dense(1)])
plain.compile(keras.optimizers.Adam(0.01), "mse")
halved = keras.callbacks.LearningRateScheduler(lambda epoch, lr: lr * 0.5)
record = plain.fit(x, y, epochs=2, verbose=0, callbacks=[halved])
print([round(float(rate), 6) for rate in record.history["learning_rate"]])
still = keras.callbacks.ReduceLROnPlateau(monitor="loss", factor=0.1, patience=0, min_delta=1e9)
record = plain.fit(x, y, epochs=3, verbose=0, callbacks=[still])
print([round(float(rate), 8) for rate in record.history["learning_rate"]])
