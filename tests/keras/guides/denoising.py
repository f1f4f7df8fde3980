# Images with noise to images without.
import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

train_data = (load_digits().images[:128] / 16.0).astype("float32")[..., None]
noisy = np.clip(train_data + 0.4 * np.random.default_rng(0).normal(size=train_data.shape), 0.0, 1.0)
input = layers.Input(shape=(8, 8, 1))
x = layers.Conv2D(8, (3, 3), activation="relu", padding="same")(input)
x = layers.MaxPooling2D((2, 2), padding="same")(x)
x = layers.Conv2D(8, (3, 3), activation="relu", padding="same")(x)
x = layers.MaxPooling2D((2, 2), padding="same")(x)
x = layers.Conv2DTranspose(8, (3, 3), strides=2, activation="relu", padding="same")(x)
x = layers.Conv2DTranspose(8, (3, 3), strides=2, activation="relu", padding="same")(x)
x = layers.Conv2D(1, (3, 3), activation="sigmoid", padding="same")(x)
autoencoder = keras.Model(input, x)
autoencoder.compile(optimizer="adam", loss="binary_crossentropy")
autoencoder.summary()
autoencoder.fit(
    x=noisy, y=train_data, epochs=1, batch_size=64, shuffle=True, verbose=0, validation_data=(noisy, train_data)
)
