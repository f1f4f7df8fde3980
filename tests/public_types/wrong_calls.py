"""Calls that a user gets wrong: mypy refuses each line that says so, with this code, and no other line."""

from typing import Any

import numpy as np

import fnet
from fnet import callbacks, initializers, keras, layers, losses, metrics, optimizers, regularizers, schedules
from fnet.layers import LSTM, Conv2D, Dense, Dropout, Embedding

Array = np.ndarray[tuple[Any, ...], np.dtype[Any]]
key = fnet.random.key(0)
net = fnet.serial(Dense(3))
params, state = net.init(key, (4,))
x = np.zeros((2, 4), np.float32)

# Layers in Keras' words.
keras.layers.Dense("three")  # E: arg-type
keras.layers.Dense(3, kernle_regularizer="l2")  # E: call-arg
keras.layers.Dense(3, input_shape="four")  # E: arg-type
keras.layers.Embedding(input_dim=10)  # E: call-arg
keras.layers.Dens(3)  # E: attr-defined
keras.layers.add(use_bias=True)  # E: call-arg

# Layers.
Dense("three")  # E: arg-type
Dense()  # E: call-arg
Dense(3, kernle_regularizer="l2")  # E: call-arg
Dense(3, activation=5)  # E: arg-type
Dense(3, use_bias="yes")  # E: arg-type
Dense(3, kernel_initializer=0.1)  # E: arg-type
Dense(3, kernel_regularizer=0.1)  # E: arg-type
Dense(3, trainable="no")  # E: arg-type
Dense(3, name=7)  # E: arg-type
Dense(3, "relu", True, "zeros", "zeros", "l2")  # E: call-arg
Dense(3, input_shape=(4,))  # E: call-arg
Conv2D(8)  # E: call-arg
Conv2D(8, kernel_size="3x3")  # E: arg-type
LSTM(8, return_sequence=True)  # E: call-arg
LSTM(8, recurrent_constraint=1)  # E: arg-type
Dropout("0.5")  # E: arg-type
Embedding(10)  # E: call-arg
layers.Flatten(kernel_regularizer="l2")  # E: call-arg
layers.BatchNormalization(momentum="0.9")  # E: arg-type
layers.MultiHeadAttention(num_heads=2)  # E: call-arg
layers.Dens(3)  # E: attr-defined
layers.Bidirectional("lstm")  # E: arg-type
layers.TimeDistributed(3)  # E: arg-type

# A layer is its two functions.
net.init(0, (4,))  # E: arg-type
net.init(key, 4)  # E: arg-type
net.apply(params, x)  # E: call-arg
net.apply(params, state, x, training=True)  # E: call-arg
net.apply(params, state, x, train="yes")  # E: arg-type
kernel = params.kernel  # E: attr-defined
first, second, third = net.init(key, (4,))  # E: misc
net.out_shape(4)  # E: arg-type

# Combinators and graphs.
fnet.serial(3)  # E: arg-type
fnet.fanout(Dense(3), merge="concatenate")  # E: arg-type
fnet.fanout(Dense(3), merg="add")  # E: call-arg
fnet.residual()  # E: call-arg
fnet.repeat(Dense(3), "2")  # E: arg-type
fnet.named(Dense(3), "head")  # E: arg-type
fnet.Input(4)  # E: arg-type
fnet.Input((4,), nam="x")  # E: call-arg
fnet.graph("x", "y")  # E: arg-type

# Losses.
losses.Huber(delta="x")  # E: arg-type
losses.Huber(detla=1.0)  # E: call-arg
losses.Huber(reduction="avg")  # E: arg-type
losses.MeanSquaredError(from_logits=True)  # E: call-arg
losses.BinaryCrossentropy(from_logits="yes")  # E: arg-type
losses.huber(x, x, delta="x")  # E: arg-type
losses.huber(x, x, dleta=1.0)  # E: call-arg
losses.mse(x)  # E: call-arg
losses.mse(x, x, reduction="avg")  # E: arg-type
losses.ctc(x, x, blank="0")  # E: call-arg
losses.get(3)  # E: arg-type

# Metrics.
metrics.accuracy(nam="a")  # E: call-arg
metrics.AUC(num_thresholds="many")  # E: arg-type
metrics.Huber(delta="x")  # E: arg-type
metrics.top_k_categorical_accuracy(k="5")  # E: arg-type
metrics.Acuracy()  # E: attr-defined
metrics.mean_of(3)  # E: arg-type

# Optimizers and schedules.
optimizers.adam(nonsense=1)  # E: call-arg
optimizers.adam("fast")  # E: arg-type
optimizers.adam(1e-3, clip_norm=1.0)  # E: call-arg
optimizers.adam(1e-3, clipnorm="1")  # E: arg-type
optimizers.SGD(momentum=None)  # E: arg-type
optimizers.adamw(weight_decay="x")  # E: arg-type
optimizers.chain("adam")  # E: arg-type
optimizers.get(3)  # E: arg-type
optimizers.newton(damping="x")  # E: arg-type
optimizers.ema("adam")  # E: arg-type
optimizers.adam().update(params)  # E: call-arg
schedules.cosine_decay(0.1)  # E: call-arg
schedules.cosine_decay(0.1, decay_step=10)  # E: call-arg
schedules.exponential_decay("0.1", 10, 0.5)  # E: arg-type
schedules.constant(0.1)(1, 2)  # E: call-arg
callbacks.EarlyStopping(patience="3")  # E: arg-type
callbacks.EarlyStopping(patince=3)  # E: call-arg

# Initializers, regularizers, constraints.
initializers.random_normal(std=0.1)  # E: call-arg
initializers.HeNormal(seed=1)  # E: call-arg
initializers.constant("0")  # E: arg-type
regularizers.l2("0.1")  # E: arg-type
regularizers.L1L2(l3=0.1)  # E: call-arg
fnet.constraints.MaxNorm(max_valu=2.0)  # E: call-arg

# Training.
fnet.Trainer(net)  # E: call-arg
fnet.Trainer(net, loss=3)  # E: arg-type
fnet.Trainer("net", "mse")  # E: arg-type
fnet.Trainer(net, "mse", optimizer=1e-3)  # E: arg-type
fnet.Trainer(net, "mse", metric=["mae"])  # E: call-arg
trainer = fnet.Trainer(net, "mse")
trainer.init(0, (4,))  # E: arg-type
ts = trainer.init(key, (4,))
trainer.fit(ts, x, x, batch_size="32")  # E: arg-type
trainer.fit(ts, x, x, epoch=3)  # E: call-arg
trainer.predict(ts)  # E: call-arg
parameters = ts.parameters  # E: attr-defined

# Transforms keep the signature of a function.


def loss_of(w: Array, scale: float = 1.0) -> Array:
    total: Array = w * scale
    return total


fnet.jit(3)  # E: call-overload
fnet.jit(loss_of, donated="w")  # E: call-overload
fnet.jit(loss_of, executor="fast")  # E: call-overload
fnet.jit(loss_of)("w")  # E: arg-type
fnet.jit(loss_of)(x, scal=2.0)  # E: call-arg
fnet.jit(static="scale")(loss_of)(x, "2")  # E: arg-type
fnet.jit(loss_of).repeat("2", x)  # E: arg-type
fnet.grad(loss_of)(x, scale="2")  # E: arg-type
fnet.grad(loss_of, argnums="w")  # E: call-overload
fnet.value_and_grad(loss_of)()  # E: call-arg
fnet.hessian(loss_of)("x")  # E: arg-type
fnet.jacobian(loss_of, mode="backward")  # E: arg-type
fnet.jvp(loss_of, x, x)  # E: arg-type
fnet.clear_cache("all")  # E: call-arg

# Random numbers and trees.
fnet.random.key("seed")  # E: arg-type
fnet.random.split(0)  # E: arg-type
fnet.random.normal(key, "shape")  # E: arg-type
fnet.random.uniform(key, (2,), lo=0.0)  # E: call-arg
fnet.random.randint(key, (2,), 0)  # E: call-arg
fnet.tree.map(3, params)  # E: arg-type
fnet.tree.map(np.sum, params, leaf=None)  # E: call-arg
fnet.tree.unflatten([1], "x")  # E: arg-type
fnet.freeze(net, 3)  # E: arg-type
fnet.precision("low")  # E: arg-type
fnet.ArraySpec((2,))  # E: call-arg
