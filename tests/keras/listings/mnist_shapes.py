from tensorflow.keras.layers import Concatenate, Dense, Flatten, Input
from tensorflow.keras.models import Model, Sequential

stacked = Sequential()
stacked.add(Input(shape=(28, 28)))
stacked.add(Dense(300, activation="relu"))
stacked.add(Dense(100, activation="relu"))
stacked.add(Dense(10, activation="softmax"))
stacked.summary()

listed = Sequential(
    [
        Input(shape=(28, 28), name="Input"),
        Dense(300, activation="relu", name="Dense1"),
        Dense(100, activation="relu", name="Dense2"),
        Dense(10, activation="softmax", kernel_initializer="he_normal", name="Dense Layer"),
    ]
)
listed.summary()

inputs = Input(shape=(28, 28, 1))
x = Flatten(input_shape=(28, 28, 1))(inputs)
x = Dense(300, activation="relu")(x)
x = Dense(100, activation="relu")(x)
x = Dense(10, activation="softmax")(x)
flat = Model(inputs=inputs, outputs=x)
flat.summary()

input_layer = Input(shape=(28, 28))
hidden1 = Dense(100, activation="relu")(input_layer)
hidden2 = Dense(30, activation="relu")(hidden1)
concat = Concatenate()([input_layer, hidden2])
output = Dense(1)(concat)
skip = Model(inputs=[input_layer], outputs=[output])
skip.summary()
