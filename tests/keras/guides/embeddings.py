# Words as vectors: average the vectors of a text, then look at the vectors.
import keras
import numpy as np
from keras import layers

rng = np.random.default_rng(0)
texts = rng.integers(1, 50, (64, 12))
kinds = (texts < 25).mean(1, keepdims=True).round()
model = keras.Sequential(
    [
        keras.Input((12,), dtype="int32"),
        layers.Embedding(100, 8, name="embedding"),
        layers.GlobalAveragePooling1D(),
        layers.Dense(16, activation="relu"),
        layers.Dense(1),
    ]
)
model.compile(
    "sgd", keras.losses.BinaryCrossentropy(from_logits=True), metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)]
)
model.fit(texts, kinds, epochs=2, verbose=0)
print(model.get_layer("embedding").get_weights()[0].shape)
