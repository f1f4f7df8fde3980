# Classes of series by blocks of attention.
import keras
from keras import layers


def transformer_encoder(inputs, head_size, num_heads, ff_dim, dropout=0.0):
    x = layers.MultiHeadAttention(key_dim=head_size, num_heads=num_heads, dropout=dropout)(inputs, inputs)
    x = layers.Dropout(dropout)(x)
    x = layers.LayerNormalization(epsilon=1e-6)(x)
    res = x + inputs
    x = layers.Conv1D(filters=ff_dim, kernel_size=1, activation="relu")(res)
    x = layers.Dropout(dropout)(x)
    x = layers.Conv1D(filters=inputs.shape[-1], kernel_size=1)(x)
    x = layers.LayerNormalization(epsilon=1e-6)(x)
    return x + res


inputs = keras.Input(shape=(12, 4))
x = inputs
for _ in range(2):
    x = transformer_encoder(x, head_size=8, num_heads=2, ff_dim=4)
x = layers.GlobalAveragePooling1D(data_format="channels_last")(x)
x = layers.Dense(16, activation="relu")(x)
model = keras.Model(inputs, layers.Dense(3, activation="softmax")(x))
model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.SGD(learning_rate=1e-2), metrics=["accuracy"])
