# Recurrent layers: chains, states of encoder and decoder, both directions, several layers, cells.
import keras
import numpy as np
from keras import layers

model = keras.Sequential()
model.add(keras.Input((None,), dtype="int32"))
model.add(layers.Embedding(input_dim=1000, output_dim=8))
model.add(layers.GRU(16, return_sequences=True))
model.add(layers.SimpleRNN(8))
model.add(layers.Dense(10))
model.summary()
model.compile("sgd", "mse")

encoder_input = layers.Input(shape=(None,), dtype="int32")
encoder_embedded = layers.Embedding(input_dim=1000, output_dim=8)(encoder_input)
output, state_h, state_c = layers.LSTM(8, return_state=True, name="encoder")(encoder_embedded)
encoder_state = [state_h, state_c]
decoder_input = layers.Input(shape=(None,), dtype="int32")
decoder_embedded = layers.Embedding(input_dim=2000, output_dim=8)(decoder_input)
decoder_output = layers.LSTM(8, name="decoder")(decoder_embedded, initial_state=encoder_state)
seq2seq = keras.Model([encoder_input, decoder_input], layers.Dense(10)(decoder_output))
seq2seq.summary()
seq2seq.compile(keras.optimizers.SGD(0.01), "mse")

both = keras.Sequential()
both.add(keras.Input(shape=(5, 10)))
both.add(layers.Bidirectional(layers.LSTM(8, return_sequences=True)))
both.add(layers.Bidirectional(layers.LSTM(4)))
both.add(layers.Dense(10))
both.compile("sgd", "mse")
print(both.output_shape)

cells = keras.Sequential([keras.Input((None, 4)), layers.RNN([layers.LSTMCell(6), layers.GRUCell(3)]), layers.Dense(2)])
cells.compile("sgd", "mse")
print(cells.predict(np.ones((2, 3, 4)), verbose=0).shape)
