# A metric of one's own with a state.
import keras
import numpy as np
from keras import layers, ops


class CategoricalTruePositives(keras.metrics.Metric):
    def __init__(self, name="categorical_true_positives", **kwargs):
        super().__init__(name=name, **kwargs)
        self.true_positives = self.add_variable(shape=(), name="ctp", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_pred = ops.reshape(ops.argmax(y_pred, axis=1), (-1, 1))
        values = ops.cast(y_true, "int32") == ops.cast(y_pred, "int32")
        values = ops.cast(values, "float32")
        if sample_weight is not None:
            sample_weight = ops.cast(sample_weight, "float32")
            values = ops.multiply(values, sample_weight)
        self.true_positives.assign_add(ops.sum(values))

    def result(self):
        return self.true_positives

    def reset_state(self):
        self.true_positives.assign(0)


inputs = keras.Input(shape=(8,))
outputs = layers.Dense(3, activation="softmax", kernel_initializer="ones")(inputs)
model = keras.Model(inputs, outputs)
model.compile(
    optimizer=keras.optimizers.RMSprop(learning_rate=1e-3),
    loss=keras.losses.SparseCategoricalCrossentropy(),
    metrics=[CategoricalTruePositives()],
)
x = np.random.default_rng(0).random((30, 8)).astype("float32")
y = np.zeros((30, 1), "int32")
found = model.evaluate(x, y, batch_size=10, verbose=0, return_dict=True)
print(list(found), float(found["categorical_true_positives"]))
history = model.fit(x, y, batch_size=10, epochs=2, verbose=0)
print(sorted(history.history))
compiled = keras.Sequential([keras.Input((8,)), layers.Dense(3)])
