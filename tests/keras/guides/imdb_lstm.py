# Texts in both directions.
import keras
import numpy as np
from keras import layers

inputs = keras.Input(shape=(None,), dtype="int32")
x = layers.Embedding(200, 8)(inputs)
x = layers.Bidirectional(layers.LSTM(8, return_sequences=True))(x)
x = layers.Bidirectional(layers.LSTM(8))(x)
outputs = layers.Dense(1, activation="sigmoid")(x)
model = keras.Model(inputs, outputs)
model.summary()
rng = np.random.default_rng(0)
texts = [list(rng.integers(0, 200, n)) for n in rng.integers(3, 20, 64)]
x_train = keras.utils.pad_sequences(texts, maxlen=15)
y_train = rng.integers(0, 2, 64)
model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, batch_size=32, epochs=1, validation_data=(x_train, y_train), verbose=0)
