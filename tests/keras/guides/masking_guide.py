# Masks: by Embedding, by Masking, through layers, in layers of one's own.
import keras
import numpy as np
from keras import layers, ops

raw_inputs = [[711, 632, 71], [73, 8, 3215, 55, 927], [83, 91, 1, 645, 1253, 927]]
padded_inputs = keras.utils.pad_sequences(raw_inputs, padding="post")
print(padded_inputs)

embedding = layers.Embedding(input_dim=5000, output_dim=6, mask_zero=True)
print(keras.ops.convert_to_numpy(embedding.compute_mask(padded_inputs)).tolist())

inputs = keras.Input(shape=(None,), dtype="int32")
x = layers.Embedding(input_dim=5000, output_dim=6, mask_zero=True)(inputs)
outputs = layers.Dense(2)(layers.LSTM(4)(x))
model = keras.Model(inputs, outputs)
model.compile("sgd", "mse")
masked = keras.Sequential([keras.Input((4, 3)), layers.Masking(), layers.GRU(4), layers.Dense(1)])
masked.compile("sgd", "mse")


class TemporalSoftmax(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        assert mask is not None
        broadcast_float_mask = ops.expand_dims(ops.cast(mask, "float32"), -1)
        inputs_exp = ops.exp(inputs) * broadcast_float_mask
        inputs_sum = ops.sum(inputs_exp * broadcast_float_mask, axis=1, keepdims=True)
        return inputs_exp / inputs_sum


inputs = keras.Input(shape=(None,), dtype="int32")
x = layers.Embedding(input_dim=100, output_dim=8, mask_zero=True)(inputs)
x = layers.Dense(1)(x)
temporal = keras.Model(inputs, TemporalSoftmax()(x))
y = temporal(np.array([[1, 2, 0, 0], [3, 4, 5, 0]]))
print(np.round(keras.ops.convert_to_numpy(y).sum(1).ravel(), 5).tolist())
