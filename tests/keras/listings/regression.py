import numpy as np
from keras import layers, models

x_train = np.random.default_rng(0).normal(size=(64, 8)).astype("float32")
y_train = x_train.sum(axis=1, keepdims=True)

model = models.Sequential()
model.add(layers.Dense(16, activation="relu"))
model.add(layers.Dense(1, activation="linear"))

model.compile(optimizer="adam", loss="mse", metrics=["mae"])
history = model.fit(x_train, y_train, batch_size=16, epochs=2, validation_split=0.25, verbose=0)
