# Classes of unequal sizes: weights, and metrics that count right and wrong.
import keras
import numpy as np

rng = np.random.default_rng(0)
features = rng.normal(size=(256, 10)).astype("float32")
targets = (features[:, :1] > 1.2).astype("uint8")
mean, std = np.mean(features, axis=0), np.std(features, axis=0)
features = (features - mean) / std
counts = np.bincount(targets[:, 0])
model = keras.Sequential(
    [
        keras.Input(shape=features.shape[1:]),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dropout(0.3),
        keras.layers.Dense(1, activation="sigmoid"),
    ]
)
metrics = [
    keras.metrics.FalseNegatives(name="fn"),
    keras.metrics.FalsePositives(name="fp"),
    keras.metrics.TrueNegatives(name="tn"),
    keras.metrics.TruePositives(name="tp"),
    keras.metrics.Precision(name="precision"),
    keras.metrics.Recall(name="recall"),
]
model.compile(optimizer=keras.optimizers.Adam(1e-2), loss="binary_crossentropy", metrics=metrics)
class_weight = {0: 1.0 / counts[0], 1: 1.0 / counts[1]}
history = model.fit(features, targets, batch_size=64, epochs=2, verbose=0, class_weight=class_weight)
print(sorted(history.history))
found = model.evaluate(features, targets, verbose=0, return_dict=True)
print(found["fn"] + found["fp"] + found["tn"] + found["tp"])
