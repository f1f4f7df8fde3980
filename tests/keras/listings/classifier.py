from keras import layers, models, optimizers

input_tensor = layers.Input(shape=(784,))
x = layers.Dense(32, activation="relu")(input_tensor)
output_tensor = layers.Dense(10, activation="softmax")(x)

model = models.Model(inputs=input_tensor, outputs=output_tensor)
model.compile(optimizer=optimizers.RMSprop(), loss="mse", metrics=["accuracy"])
