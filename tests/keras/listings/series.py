import numpy as np
from keras import layers, models

x_train = np.random.default_rng(0).normal(size=(32, 5, 3)).astype("float32")
y_train = x_train[:, -1, :1]

model = models.Sequential()
model.add(layers.SimpleRNN(16, activation="tanh"))
model.add(layers.Dense(1, activation="linear"))

model.compile(optimizer="adam", loss="mse", metrics=["mae"])
model.fit(x_train, y_train, batch_size=16, epochs=1, verbose=0)
