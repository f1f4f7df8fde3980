# A first network: flattened images, dropout, logits, and softmax behind the trained model.
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

data = load_digits()
x_train, y_train = data.images[:200] / 16.0, data.target[:200]
model = tf.keras.models.Sequential(
    [
        tf.keras.layers.Flatten(input_shape=(8, 8)),
        tf.keras.layers.Dense(32, activation="relu"),
        tf.keras.layers.Dropout(0.2),
        tf.keras.layers.Dense(10),
    ]
)
loss_fn = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
print(float(loss_fn(y_train[:1], np.zeros((1, 10), "float32"))))
model.compile(optimizer="adam", loss=loss_fn, metrics=["accuracy"])
model.fit(x_train, y_train, epochs=2, verbose=0)
probability_model = tf.keras.Sequential([model, tf.keras.layers.Softmax()])
print(np.round(probability_model.predict(x_train[:5], verbose=0).sum(1), 4).tolist())
