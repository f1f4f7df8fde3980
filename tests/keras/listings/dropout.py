from keras import layers, models

inputs = layers.Input(shape=(6,))
x = layers.Dense(16)(inputs)
x = layers.Dropout(0.3)(x)
model = models.Model(inputs, layers.Dense(1)(x))
