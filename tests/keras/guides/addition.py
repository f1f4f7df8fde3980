# Sums of numbers as texts: a sequence is read, repeated, and written step by step.
import keras
import numpy as np
from keras import layers

DIGITS, MAXLEN, chars = 2, 5, "0123456789+ "
rng = np.random.default_rng(0)
pairs = rng.integers(0, 99, (64, 2))
questions = [f"{a}+{b}".ljust(MAXLEN) for a, b in pairs]
answers = [str(a + b).ljust(DIGITS + 1) for a, b in pairs]


def encode(texts):
    return np.stack([np.eye(len(chars), dtype="float32")[[chars.index(c) for c in text]] for text in texts])


model = keras.Sequential()
model.add(layers.Input((MAXLEN, len(chars))))
model.add(layers.LSTM(16))
model.add(layers.RepeatVector(DIGITS + 1))
for _ in range(1):
    model.add(layers.LSTM(16, return_sequences=True))
model.add(layers.Dense(len(chars), activation="softmax"))
model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.SGD(0.1), metrics=["accuracy"])
model.summary()
model.fit(encode(questions), encode(answers), batch_size=32, epochs=1, verbose=0)
