# A layer of one's own in a functional model, made again from its config.
import keras
from keras import layers, ops


class CustomDense(layers.Layer):
    def __init__(self, units=32, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="random_normal", trainable=True)
        self.b = self.add_weight(shape=(self.units,), initializer="random_normal", trainable=True)

    def call(self, inputs):
        return ops.matmul(inputs, self.w) + self.b

    def get_config(self):
        config = super().get_config()
        config.update({"units": self.units})
        return config


inputs = keras.Input((4,))
custom = CustomDense(10)
outputs = custom(inputs)
model = keras.Model(inputs, outputs)
model.compile("sgd", "mse")
again = CustomDense.from_config(custom.get_config())
print(again.units, model.output_shape, model.count_params())
