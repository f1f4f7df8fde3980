# Texts to texts: states of a trained encoder start the decoder; both are taken out of the model to write.
import keras
import numpy as np

num_encoder_tokens, num_decoder_tokens, latent_dim = 7, 9, 8
encoder_inputs = keras.Input(shape=(None, num_encoder_tokens))
encoder = keras.layers.LSTM(latent_dim, return_state=True)
encoder_outputs, state_h, state_c = encoder(encoder_inputs)
encoder_states = [state_h, state_c]
decoder_inputs = keras.Input(shape=(None, num_decoder_tokens))
decoder_lstm = keras.layers.LSTM(latent_dim, return_sequences=True, return_state=True)
decoder_outputs, _, _ = decoder_lstm(decoder_inputs, initial_state=encoder_states)
decoder_dense = keras.layers.Dense(num_decoder_tokens, activation="softmax")
decoder_outputs = decoder_dense(decoder_outputs)
model = keras.Model([encoder_inputs, decoder_inputs], decoder_outputs)
model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
rng = np.random.default_rng(0)
source, target = rng.random((16, 6, 7)).astype("float32"), np.eye(9, dtype="float32")[rng.integers(0, 9, (16, 5))]
model.fit([source, target], target, batch_size=8, epochs=1, verbose=0)

encoder_model = keras.Model(encoder_inputs, encoder_states)
decoder_state_input_h = keras.Input(shape=(latent_dim,))
decoder_state_input_c = keras.Input(shape=(latent_dim,))
decoder_states_inputs = [decoder_state_input_h, decoder_state_input_c]
outs, h, c = decoder_lstm(decoder_inputs, initial_state=decoder_states_inputs)
decoder_model = keras.Model([decoder_inputs, *decoder_states_inputs], [decoder_dense(outs), h, c])
states_value = encoder_model.predict(source[:1], verbose=0)
output_tokens, h, c = decoder_model.predict([target[:1, :1], *states_value], verbose=0)
print(output_tokens.shape, h.shape, c.shape)
