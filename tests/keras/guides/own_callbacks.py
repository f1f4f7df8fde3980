# Callbacks of one's own: a record of losses, stopping at the least loss, a table of learning rates.
import keras
import numpy as np
from keras import layers

rng = np.random.default_rng(0)
x_train, y_train = rng.random((64, 8)).astype("float32"), rng.random((64, 1)).astype("float32")


def get_model():
    model = keras.Sequential()
    model.add(keras.Input((8,)))
    model.add(layers.Dense(1, kernel_initializer="ones"))
    model.compile(optimizer=keras.optimizers.RMSprop(learning_rate=0.1), loss="mean_squared_error")
    return model


class LossHistory(keras.callbacks.Callback):
    def on_train_begin(self, logs):
        self.per_batch_losses = []

    def on_train_batch_end(self, batch, logs):
        self.per_batch_losses.append(logs.get("loss"))


class EarlyStoppingAtMinLoss(keras.callbacks.Callback):
    def __init__(self, patience=0):
        super().__init__()
        self.patience = patience
        self.best_weights = None

    def on_train_begin(self, logs=None):
        self.wait = 0
        self.stopped_epoch = 0
        self.best = np.inf

    def on_epoch_end(self, epoch, logs=None):
        current = logs.get("loss")
        if np.less(current, self.best):
            self.best = current
            self.wait = 0
            self.best_weights = self.model.get_weights()
        else:
            self.wait += 1
            if self.wait >= self.patience:
                self.stopped_epoch = epoch
                self.model.stop_training = True
                self.model.set_weights(self.best_weights)

    def on_train_end(self, logs=None):
        if self.stopped_epoch > 0:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")


class CustomLearningRateScheduler(keras.callbacks.Callback):
    def __init__(self, schedule):
        super().__init__()
        self.schedule = schedule

    def on_epoch_begin(self, epoch, logs=None):
        lr = self.model.optimizer.learning_rate
        scheduled_lr = self.schedule(epoch, float(lr))
        self.model.optimizer.learning_rate = scheduled_lr
        print(f"Epoch {epoch}: Learning rate is {round(float(scheduled_lr), 6)}.")


def lr_schedule(epoch, lr):
    return {1: 0.05, 3: 0.01, 4: 0.005}.get(epoch, lr)


losses = LossHistory()
model = get_model()
model.fit(x_train, y_train, batch_size=16, epochs=1, verbose=0, callbacks=[losses])
print(len(losses.per_batch_losses))
model = get_model()
model.fit(x_train, np.full((64, 1), 1e9), batch_size=64, epochs=2, verbose=0, callbacks=[EarlyStoppingAtMinLoss()])
model = get_model()
model.fit(x_train, y_train, batch_size=64, epochs=5, verbose=0, callbacks=[CustomLearningRateScheduler(lr_schedule)])
print(round(float(model.optimizer.learning_rate), 6))
