# Getting started: images of digits, a small convnet, a checkpoint and early stopping.
import os
import tempfile

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

data = load_digits()
x = (data.images.astype("float32") / 16.0)[..., None][:256]
y = data.target[:256]

model = keras.Sequential(
    [
        layers.Input(shape=(8, 8, 1)),
        layers.Conv2D(8, kernel_size=(3, 3), activation="relu"),
        layers.Conv2D(8, kernel_size=(3, 3), activation="relu"),
        layers.MaxPooling2D(pool_size=(2, 2)),
        layers.Conv2D(16, kernel_size=(2, 2), activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile(
    loss=keras.losses.SparseCategoricalCrossentropy(),
    optimizer=keras.optimizers.Adam(learning_rate=1e-3),
    metrics=[keras.metrics.SparseCategoricalAccuracy(name="acc")],
)
folder = tempfile.mkdtemp()
callbacks = [
    keras.callbacks.ModelCheckpoint(filepath=os.path.join(folder, "model_at_epoch_{epoch}.keras")),
    keras.callbacks.EarlyStopping(monitor="val_loss", patience=2),
]
model.fit(x, y, batch_size=64, epochs=2, validation_split=0.15, callbacks=callbacks, verbose=0)
score = model.evaluate(x, y, verbose=0)
print(len(score), sorted(os.listdir(folder)))
model.save(os.path.join(folder, "final_model.keras"))
again = keras.saving.load_model(os.path.join(folder, "final_model.keras"))
print(np.allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6))
