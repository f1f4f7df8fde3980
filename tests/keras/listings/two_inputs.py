from keras import layers, models, optimizers

input1 = layers.Input(shape=(16,))
input2 = layers.Input(shape=(8, 4))

x11 = layers.Dense(32, activation="relu")(input1)
x21 = layers.LSTM(32, activation="tanh", return_sequences=False)(input2)
x12 = layers.Dense(16, activation="relu")(x11)
x2 = layers.concatenate([x12, x21])
x3 = layers.Dense(8)(x2)
output = layers.Dense(1, activation="linear")(x3)

model = models.Model([input1, input2], output)
model.compile(optimizer=optimizers.Adam(learning_rate=1e-4), loss="mse", metrics=["mae"])
