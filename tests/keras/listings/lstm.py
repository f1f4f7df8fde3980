import tensorflow as tf
from tensorflow.keras.layers import LSTM, Dense, Flatten
from tensorflow.keras.models import Sequential

model = Sequential()
model.add(LSTM(units=20, input_shape=(6, 3)))
model.add(Flatten())
model.add(Dense(1))
model.compile(optimizer="adam", loss="mse")
