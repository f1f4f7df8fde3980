# Windows over a series, read by an LSTM that says the next value.
import keras
import numpy as np

series = np.sin(np.arange(300) / 10.0).astype("float32")
past, step = 20, 2
dataset_train = keras.utils.timeseries_dataset_from_array(
    series[:250, None],
    series[past:, None][: 250 - past],
    sequence_length=past // step,
    sampling_rate=step,
    batch_size=16,
)
for batch in dataset_train:
    inputs, targets = batch
    break
print(tuple(inputs.shape), tuple(targets.shape))
inputs = keras.layers.Input(shape=(past // step, 1))
lstm_out = keras.layers.LSTM(8)(inputs)
model = keras.Model(inputs=inputs, outputs=keras.layers.Dense(1)(lstm_out))
model.compile(optimizer=keras.optimizers.SGD(learning_rate=0.01), loss="mse")
model.fit(dataset_train, epochs=2, verbose=0)
