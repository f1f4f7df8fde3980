from tensorflow.keras.layers import Concatenate, Dense, Input
from tensorflow.keras.models import Model

input_1 = Input(shape=(10, 10), name="Input_1")
input_2 = Input(shape=(10, 28), name="Input_2")
hidden1 = Dense(100, activation="relu")(input_2)
hidden2 = Dense(10, activation="relu")(hidden1)
concat = Concatenate()([input_1, hidden2])
output = Dense(1, activation="sigmoid", name="main_output")(concat)
sub_output = Dense(1, name="sub_output")(hidden2)

one = Model(inputs=[input_1, input_2], outputs=[output])
one.summary()
model = Model(inputs=[input_1, input_2], outputs=[output, sub_output])
model.summary()
model.compile(optimizer="adam", loss=["binary_crossentropy", "mse"], loss_weights=[1.0, 0.5])
