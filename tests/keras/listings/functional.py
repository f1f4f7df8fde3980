from keras import layers, models

inputs = layers.Input(shape=(16,))
l1 = layers.Dense(16, activation="relu")(inputs)
outputs = layers.Dense(1, activation="linear")(l1)

model = models.Model(inputs, outputs)
model.compile(optimizer="SGD", loss="mse", metrics=["mae"])
