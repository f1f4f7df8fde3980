from keras import layers, models

inputs = layers.Input(shape=(16,))

x1 = layers.Dense(16, activation="relu")(inputs)
x2 = layers.Dense(8, activation="relu")(inputs)
x3 = layers.Dense(16, activation="tanh")(inputs)

x = layers.concatenate([x1, x2, x3])
x = layers.Dense(16, activation="relu")(x)
outputs = layers.Dense(1, activation="linear")(x)

model = models.Model(inputs, outputs)
model.compile(optimizer="adam", loss="mse", metrics=["mae"])
