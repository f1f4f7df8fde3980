from tensorflow.keras.layers import Concatenate, Dense
from tensorflow.keras.models import Model


class MyModel(Model):
    def __init__(self, units=30, activation="relu", **kwargs):
        super().__init__(**kwargs)
        self.dense_layer1 = Dense(300, activation=activation)
        self.dense_layer2 = Dense(100, activation=activation)
        self.dense_layer3 = Dense(units, activation=activation)
        self.output_layer = Dense(10, activation="softmax")

    def call(self, inputs):
        x = self.dense_layer1(inputs)
        x = self.dense_layer2(x)
        x = self.dense_layer3(x)
        return self.output_layer(x)


model = MyModel()
model.compile(optimizer="sgd", loss="categorical_crossentropy", metrics=["accuracy"])
model.build((None, 20))
