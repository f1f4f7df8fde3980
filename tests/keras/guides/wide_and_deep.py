# Wide and deep: normed inputs straight to the output, and through layers.
import keras
import numpy as np
from keras import layers

rng = np.random.default_rng(0)
data = rng.normal(3.0, 2.0, (100, 6)).astype("float32")
norm = layers.Normalization()
norm.adapt(data)
inputs = keras.Input((6,))
wide = norm(inputs)
deep = layers.Dense(8, activation="relu")(wide)
deep = layers.BatchNormalization()(deep)
deep = layers.Dense(8, activation="relu")(deep)
merged = layers.Concatenate()([wide, deep])
model = keras.Model(inputs, layers.Dense(1)(merged))
model.compile("sgd", "mse", metrics=["mae"])
model.fit(data, data[:, :1], epochs=1, verbose=0)
print(np.round(np.array(norm(data)).mean(), 3) + 0.0, np.round(np.array(norm(data)).std(), 3))
