# Anomalies in a series by what a convolutional autoencoder cannot say again.
import keras
import numpy as np
from keras import layers

TIME_STEPS = 24
series = np.sin(np.arange(200) / 5.0).astype("float32")
x_train = np.stack([series[i : i + TIME_STEPS] for i in range(len(series) - TIME_STEPS + 1)])[..., None]
model = keras.Sequential(
    [
        layers.Input(shape=(x_train.shape[1], x_train.shape[2])),
        layers.Conv1D(filters=8, kernel_size=7, padding="same", strides=2, activation="relu"),
        layers.Dropout(rate=0.0),
        layers.Conv1D(filters=4, kernel_size=7, padding="same", strides=2, activation="relu"),
        layers.Conv1DTranspose(filters=4, kernel_size=7, padding="same", strides=2, activation="relu"),
        layers.Dropout(rate=0.0),
        layers.Conv1DTranspose(filters=8, kernel_size=7, padding="same", strides=2, activation="relu"),
        layers.Conv1DTranspose(filters=1, kernel_size=7, padding="same"),
    ]
)
model.compile(optimizer=keras.optimizers.SGD(learning_rate=0.01), loss="mse")
model.summary()
history = model.fit(
    x_train, x_train, epochs=2, batch_size=32, validation_split=0.1, verbose=0,
    callbacks=[keras.callbacks.EarlyStopping(monitor="val_loss", patience=5, mode="min")],
)  # fmt: skip
x_train_pred = model.predict(x_train, verbose=0)
train_mae_loss = np.mean(np.abs(x_train_pred - x_train), axis=1)
print(train_mae_loss.shape)
