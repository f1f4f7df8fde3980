# Small, large, regularized and dropped: the same data for networks of several sizes.
import keras
import numpy as np
from keras import layers, regularizers

rng = np.random.default_rng(0)
features, labels = rng.normal(size=(200, 28)).astype("float32"), rng.integers(0, 2, (200, 1))


def compiled(*parts):
    model = keras.Sequential([keras.Input((28,)), *parts])
    schedule = keras.optimizers.schedules.InverseTimeDecay(0.001, decay_steps=1000, decay_rate=1, staircase=False)
    model.compile(
        optimizer=keras.optimizers.Adam(schedule),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.losses.BinaryCrossentropy(from_logits=True, name="binary_crossentropy"), "accuracy"],
    )
    return model


tiny = compiled(layers.Dense(16, activation="elu"), layers.Dense(1))
l2 = compiled(
    layers.Dense(32, activation="elu", kernel_regularizer=regularizers.l2(0.001)),
    layers.Dense(32, activation="elu", kernel_regularizer=regularizers.l2(0.001)),
    layers.Dense(1),
)
for model in (tiny, l2):
    stop = keras.callbacks.EarlyStopping(monitor="val_binary_crossentropy", patience=200)
    history = model.fit(features, labels, epochs=2, validation_split=0.2, callbacks=[stop], verbose=0)
    print(sorted(history.history))
