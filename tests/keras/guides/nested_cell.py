# A cell with nested weights of its own, as a recurrent layer.
import keras
import numpy as np
from keras import layers, ops


class MinimalRNNCell(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), initializer="uniform", name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, self.units), initializer="uniform", name="recurrent_kernel"
        )
        self.built = True

    def call(self, inputs, states):
        prev_output = states[0]
        h = ops.matmul(inputs, self.kernel)
        output = h + ops.matmul(prev_output, self.recurrent_kernel)
        return output, [output]


x = keras.Input((None, 5))
model = keras.Model(x, layers.Dense(3)(layers.RNN(MinimalRNNCell(8))(x)))
model.compile("sgd", "mse")
print(model.predict(np.ones((2, 7, 5)), verbose=0).shape)
