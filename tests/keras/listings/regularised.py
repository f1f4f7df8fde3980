from keras import layers, models
from keras.regularizers import L1L2

inputs = layers.Input(shape=(6,))
x = layers.Dense(16, kernel_regularizer=L1L2(l1=0, l2=0.1))(inputs)
x = layers.BatchNormalization()(x)
x = layers.Activation("relu")(x)
outputs = layers.Dense(1)(x)

model = models.Model(inputs, outputs)
model.compile(optimizer="sgd", loss="mse")
