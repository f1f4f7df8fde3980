# One embedding for two texts.
import keras
from keras import layers

shared_embedding = layers.Embedding(1000, 12)
text_input_a = keras.Input(shape=(None,), dtype="int32")
text_input_b = keras.Input(shape=(None,), dtype="int32")
encoded_input_a = shared_embedding(text_input_a)
encoded_input_b = shared_embedding(text_input_b)
merged = layers.concatenate(
    [layers.GlobalAveragePooling1D()(encoded_input_a), layers.GlobalMaxPooling1D()(encoded_input_b)]
)
model = keras.Model([text_input_a, text_input_b], layers.Dense(1, activation="sigmoid")(merged))
model.compile(keras.optimizers.SGD(0.1), "binary_crossentropy")
print(len(model.weights), model.count_params())
