"""Calls that a user gets right: mypy takes every line, and knows what comes back.

Those of losses and metrics are in `right_measures`, those of optimizers, initializers and the like in `right_rules`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, assert_type

import numpy as np

import fnet
from fnet import (
    activations,
    callbacks,
    constraints,
    data,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    regularizers,
)
from fnet.layers import Dense

Array = np.ndarray[tuple[Any, ...], np.dtype[Any]]
Tree = dict[str, Any]

key = fnet.random.key(0)
x = np.zeros((2, 4), np.float32)
images = np.zeros((2, 8, 8, 3), np.float32)

# Layers.
of_every_kind: list[fnet.Layer] = [
    Dense(3),
    Dense(3, "relu", False, "he_normal", initializers.constant(0.1)),
    Dense(3, activation=activations.gelu, kernel_regularizer="l2", bias_constraint=constraints.MaxNorm(2.0)),
    Dense(3, kernel_initializer=np.ones((4, 3)), kernel_regularizer=lambda w: (w * w).sum(), trainable=False, name="d"),
    layers.Activation("relu"),
    layers.ActivityRegularization(l1=0.1),
    layers.Identity(),
    layers.Lambda(lambda x: x * 2),
    layers.ELU(0.5),
    layers.LeakyReLU(negative_slope=0.1),
    layers.PReLU(alpha_constraint="non_neg"),
    layers.ReLU(max_value=6.0),
    layers.Softmax(-1),
    layers.GroupQueryAttention(8, 4, 2),
    layers.MultiHeadAttention(num_heads=2, key_dim=8, dropout=0.1),
    layers.Attention(),
    layers.AdditiveAttention(),
    layers.Bidirectional(layers.LSTM(8, return_sequences=True), merge_mode="sum"),
    layers.RNN([layers.LSTMCell(8), layers.GRUCell(4)], return_sequences=True),
    layers.StackedRNNCells([layers.SimpleRNNCell(8)]),
    layers.ConvLSTM1D(4, 3),
    layers.ConvLSTM2D(4, (3, 3), padding="same", return_sequences=True, recurrent_dropout=0.2),
    layers.ConvLSTM3D(4, 3, strides=2),
    layers.SpectralNormalization(Dense(3), power_iterations=2),
    layers.STFTSpectrogram("magnitude", 64, window=None, trainable=False),
    layers.MelSpectrogram(64, 16, window=[1.0, 2.0]),
    layers.AdaptiveAveragePooling1D(3),
    layers.AdaptiveAveragePooling2D((2, 3)),
    layers.AdaptiveAveragePooling3D(2),
    layers.AdaptiveMaxPooling1D(3),
    layers.AdaptiveMaxPooling2D((2, 3)),
    layers.AdaptiveMaxPooling3D(2),
    layers.Conv1D(4, 3),
    layers.Conv2D(4, (3, 3), strides=2, padding="same", activation="relu", kernel_regularizer=regularizers.l2(0.01)),
    layers.Conv3D(4, 3),
    layers.Conv1DTranspose(4, 3),
    layers.Conv2DTranspose(4, 3, strides=2),
    layers.Conv3DTranspose(4, 3),
    layers.DepthwiseConv1D(3),
    layers.DepthwiseConv2D(3, depth_multiplier=2),
    layers.SeparableConv1D(4, 3),
    layers.SeparableConv2D(4, 3, pointwise_regularizer="l1"),
    layers.Dropout(0.5),
    layers.EinsumDense("abc,cd->abd", output_shape=(None, 8), bias_axes="d"),
    layers.Embedding(100, 8, mask_zero=True),
    layers.Masking(0.0),
    layers.Add(),
    layers.Subtract(),
    layers.Multiply(),
    layers.Average(),
    layers.Maximum(),
    layers.Minimum(),
    layers.Concatenate(axis=-1),
    layers.Dot(axes=(1, 2)),
    layers.AlphaDropout(0.1),
    layers.GaussianDropout(0.1),
    layers.GaussianNoise(0.1),
    layers.SpatialDropout1D(0.1),
    layers.SpatialDropout2D(0.1),
    layers.SpatialDropout3D(0.1),
    layers.BatchNormalization(momentum=0.9),
    layers.LayerNormalization(epsilon=1e-5),
    layers.GroupNormalization(groups=2),
    layers.RMSNormalization(),
    layers.UnitNormalization(),
    layers.MaxPooling1D(2),
    layers.MaxPooling2D((2, 2)),
    layers.MaxPooling3D(2),
    layers.AveragePooling1D(2),
    layers.AveragePooling2D(2, padding="same"),
    layers.AveragePooling3D(2),
    layers.GlobalMaxPooling1D(),
    layers.GlobalMaxPooling2D(keepdims=True),
    layers.GlobalMaxPooling3D(),
    layers.GlobalAveragePooling1D(),
    layers.GlobalAveragePooling2D(),
    layers.GlobalAveragePooling3D(),
    layers.ReversibleEmbedding(100, 8, tie_weights=False, logit_soft_cap=30.0),
    layers.PositionEmbedding(16),
    layers.SinePositionEncoding(),
    layers.RotaryEmbedding(),
    layers.SimpleRNN(8),
    layers.LSTM(8, recurrent_regularizer="l2", stateful=True, batch_size=4),
    layers.GRU(8, reset_after=False),
    layers.Cropping1D((1, 1)),
    layers.Cropping2D(((0, 1), (1, 0))),
    layers.Cropping3D((1, 1, 1)),
    layers.UpSampling1D(2),
    layers.UpSampling2D((2, 2), interpolation="bilinear"),
    layers.UpSampling3D(2),
    layers.ZeroPadding1D(1),
    layers.ZeroPadding2D((1, 1)),
    layers.ZeroPadding3D((1, 1, 1)),
    layers.Flatten(),
    layers.Permute((2, 1)),
    layers.RepeatVector(3),
    layers.CategoryEncoding(4, output_mode="count"),
    layers.Discretization([0.0, 1.0], epsilon=0.1, output_mode="multi_hot"),
    layers.Hashing(3, mask_value="a", salt=[1, 2], output_mode="one_hot"),
    layers.HashedCrossing(3, "one_hot"),
    layers.IntegerLookup(5, 2, mask_token=0, oov_method="farmhash", salt=3),
    layers.StringLookup(vocabulary=["a", "b"], idf_weights=[1.0, 2.0], output_mode="tf_idf"),
    layers.TextVectorization(10, "lower", ngrams=(1, 2), output_sequence_length=3),
    layers.Normalization(axis=[1, -1], mean=[0.1, 0.2], variance=[1.0, 2.0], invert=True),
    layers.Rescaling(1 / 255, [0.1, 0.2]),
    layers.Resizing(8, 8, "bicubic", antialias=True),
    layers.CenterCrop(4, 4),
    layers.RandomCrop(4, 4, seed=1),
    layers.RandomFlip("horizontal"),
    layers.RandomRotation((-0.1, 0.1), "constant", "nearest"),
    layers.RandomZoom(0.1),
    layers.RandomTranslation(0.1, [0.0, 0.2]),
    layers.RandomShear(0.1),
    layers.RandomBrightness(0.2, (0.0, 1.0)),
    layers.RandomContrast(0.2),
    layers.RandomInvert(0.5),
    layers.RandomGrayscale(0.5),
    layers.RandomColorDegeneration(0.5, (0.0, 1.0)),
    layers.RandomHue(0.2),
    layers.RandomSaturation([0.3, 0.7]),
    layers.RandomColorJitter((0.0, 1.0), hue_factor=0.1),
    layers.RandomPosterization(4),
    layers.RandomSharpness(0.5),
    layers.RandomGaussianBlur(kernel_size=(3, 5), sigma=(0.5, 2.0)),
    layers.RandomErasing(fill_value=[0.0, 0.0, 0.0]),
    layers.RandomPerspective(scale=0.3, bounding_box_format="xyxy"),
    layers.RandomElasticTransform(scale=(0.1, 0.5)),
    layers.Solarization(0.1, (0.3, 0.6)),
    layers.AutoContrast((0.0, 1.0)),
    layers.Equalization(bins=64),
    layers.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(4, 4)),
    layers.CutMix(seed=1),
    layers.MixUp(0.4),
    layers.RandAugment(num_ops=3),
    layers.AugMix(chain_depth=2),
    layers.MaxNumBoundingBoxes(10),
    layers.Pipeline([layers.RandomFlip(), layers.Rescaling(1 / 255)]),
    layers.Reshape((4, -1)),
    layers.TimeDistributed(Dense(3)),
    fnet.Layer(lambda key, shape, dtype: ({}, {}), lambda params, state, x, key=None, train=False: (x, state)),
]

# A layer is its two functions, over trees.
net = fnet.serial(Dense(8, "relu"), layers.Dropout(0.1), Dense(3))
assert_type(net, fnet.Layer)
params, state = net.init(key, (4,))
assert_type(params, Tree)
assert_type(net.init(key, (4,), "float64"), tuple[Tree, Tree])
y, state = net.apply(params, state, x, key=key, train=True)
assert_type(net.apply(params, state, x), tuple[Any, Tree])
init, apply = net
assert_type(init(key, [(4,), (None, 3)]), tuple[Tree, Tree])
assert_type(net.name, str)
net.out_shape((4,))

# Combinators and graphs.
fnet.serial([Dense(3), Dense(2)])
fnet.parallel(Dense(3), Dense(2))
fnet.fanout(Dense(3), Dense(2), merge="add")
fnet.fanout(Dense(3), Dense(2), merge=lambda a, b: a - b, axis=1)
fnet.fanout(Dense(3), merge=None)
fnet.residual(Dense(4))
fnet.repeat(Dense(4), 3)
fnet.named("head", Dense(2))
left, right = fnet.Input((4,), name="left"), fnet.Input((None,), dtype="int32")
assert_type(fnet.graph([left, right], {"y": Dense(1)(layers.concatenate([left, right]))}), fnet.Layer)
assert_type(fnet.freeze(net, "dense"), fnet.Layer)
fnet.apply_with_penalty(net, params, state, x, key=key, train=True)
print(fnet.summary(net, (4,)), fnet.trainable(net, params), fnet.penalty(net, params), fnet.constrain(net, params))

# Training.
labels = np.array([0, 1])
of_logits = partial(losses.sparse_categorical_crossentropy, from_logits=True)
trainer = fnet.Trainer(net, of_logits, optimizers.adam(1e-3), metrics=["accuracy", metrics.AUC()])
ts = trainer.init(fnet.random.key(0), (4,))
assert_type(ts, fnet.TrainState)
ts, history = trainer.fit(
    ts, x, labels, batch_size=2, epochs=2, validation_data=(x, labels), callbacks=lambda epoch, logs, ts: None
)
assert_type(history, fnet.History)
losses_by_epoch: list[float] = history["loss"]


class StopBelow(callbacks.Callback):
    changes_learning_rate = True

    def on_epoch_end(self, run: callbacks.Run) -> None:
        if run.logs["loss"] < 0.1:
            run.stop()
        run.learning_rate *= 0.9


of_every_hook: list[callbacks.Callback] = [
    callbacks.EarlyStopping("loss", patience=3, restore_best_weights=True),
    callbacks.ModelCheckpoint("{epoch}.weights.h5", save_weights_only=True, save_freq=10),
    callbacks.ReduceLROnPlateau("loss", factor=0.5),
    callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2),
    callbacks.CSVLogger("log.csv", append=True),
    callbacks.SwapEMAWeights(swap_on_epoch=True),
    callbacks.TerminateOnNaN(),
    callbacks.TensorBoard("logs", histogram_freq=1, update_freq="batch", hparams={"rate": 0.1, "kind": "relu"}),
    callbacks.TensorBoard("logs", histogram_freq=1, gradients=lambda ts: trainer.gradients(ts, x, labels)),
    callbacks.BackupAndRestore("backup", save_freq=100, delete_checkpoint=False),
    callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs)),
    StopBelow(),
]
trainer.fit(ts, x, labels, verbose=2, callbacks=of_every_hook)
trainer.fit(ts, x, labels, verbose="auto", callbacks=[StopBelow(), lambda epoch, logs, ts: True])
trainer.evaluate(ts, x, labels)["loss"]
trainer.predict(ts, x)
fnet.Trainer(net, {"a": "mse", "b": None}, loss_weights={"a": 0.5}, metrics={"a": ["mae"], "b": "mse"})
fnet.Trainer(net, ["mse", losses.Huber()], "sgd", loss_weights=[1.0, 0.5], metrics=[["mae"], None])
fnet.Trainer(net, losses.Huber, optimizer=optimizers.adam, weighted_metrics=["mae"])
crossed = fnet.k_fold(trainer, key, x, labels, k=2, stratify=True, repeats=2, epochs=2, class_weight={0: 2.0})
assert_type(crossed.folds[0].ts, fnet.TrainState)
print(crossed, crossed.mean["loss"], crossed.std["loss"], fnet.k_fold(trainer, key, x, labels, groups=["a", "b"]))
by_size = fnet.learning_curve(trainer, key, x, labels, [0.5, 1.0], k=2, epochs=2, stratify=True)
by_units = fnet.validation_curve(lambda n: fnet.Trainer(Dense(n), "mse"), [1, 2], key, x, x, k=2, name="units")
print(by_size, by_units.validation["loss"].mean(axis=1))
fnet.plots.plot_history(history, ["loss"]), fnet.plots.plot_folds(crossed), fnet.plots.plot_curve(by_size)
fnet.plots.plot_confusion_matrix(labels, x, labels=["a", "b"], normalize="true"), fnet.plots.plot_roc(labels, x[:, 0])
fnet.plots.plot_predictions(x, x, x=None), fnet.plots.plot_residuals(x, x)
fnet.plots.plot_filters(params, channel=0), fnet.plots.plot_feature_maps(net, params, state, images, "conv2d", most=4)
bag = fnet.bagging(trainer, key, x, labels, members=3, fraction=0.5, replace=False)
bag.predict(x, "vote"), bag.std(x), bag.states[0]
print(fnet.bootstrap(metrics.AUC(), labels, x[:, 0], key, draws=100, level=0.9).low)
classifier = fnet.sklearn.FnetClassifier(lambda features, outputs: Dense(outputs), optimizer=optimizers.adam(1e-2))
classifier.fit(x, labels, sample_weight=[1.0, 2.0]).predict_proba(x)
fnet.sklearn.FnetRegressor(net, losses.Huber(2.0), epochs=3, random_state=0).fit(x, x).predict(x)
fnet.save_weights("net.weights.h5", net, params, state)
params, state = fnet.load_weights("net.weights.h5", net, params, state)
fnet.save_model("net.keras", net, params, state, shape=(4,))
loaded, params, state = fnet.load_model("net.keras")
own_dense = fnet.register("lab>OwnDense", Dense)
own_dense(2, "relu")
fnet.checkpoint.save("training.ckpt", {"params": params, "epoch": 3})
rotation = fnet.checkpoint.Rotation("checkpoints", keep=2, keep_best=1, mode="max")
best: object = rotation.save(3, {"params": params}, 0.9), rotation.best(), rotation.paths()
fnet.save_safetensors("net.safetensors", {"params": params, "state": state})
by_name: dict[str, Tree] = fnet.load_safetensors("net.safetensors")
restored: Tree = fnet.checkpoint.load("training.ckpt", {"params": params, "epoch": 0})
newest: Tree = fnet.checkpoint.latest("checkpoints", {"params": params})

# Transforms keep the signature of a function.


def loss_of(w: Array, scale: float = 1.0) -> Array:
    """``scale sum(w^2)``."""
    total: Array = np.sum(w * w) * scale
    return total


def with_aux(w: Array) -> tuple[Array, Tree]:
    return loss_of(w), {"w": w}


compiled = fnet.jit(loss_of)
assert_type(compiled(x), Array)
assert_type(compiled(x, scale=2.0), Array)
assert_type(compiled.repeat(3, x), Array)
assert_type(fnet.jit(loss_of, donate="w", static=("scale",), executor="walk")(x, 2.0), Array)
compiled.plan(x), compiled.memory().arena


@fnet.jit
def plain(w: Array) -> Tree:
    return {"w": w}


@fnet.jit(donate=("w",))
def donating(w: Array, *, n: int = 1) -> tuple[Array, int]:
    return w, n


class Model:
    @fnet.jit
    def step(self, w: Array, n: int = 2) -> Array:
        return w


assert_type(plain(x), Tree)
assert_type(donating(x, n=3), tuple[Array, int])
assert_type(Model().step(x, n=3), Array)
gradient: Callable[[Array], Any] = fnet.grad(loss_of)
fnet.grad(loss_of, argnums=(0,))(x, scale=2.0)
value, slope = fnet.value_and_grad(loss_of)(x, scale=2.0)
assert_type(value, Array)
(value, aux), slope = fnet.value_and_grad(with_aux, has_aux=True)(x)
assert_type(aux, Tree)
slope, aux = fnet.grad(with_aux, has_aux=True)(x)
assert_type(aux, Tree)
value, pull = fnet.vjp(loss_of, x)
assert_type(value, Array)
assert_type(pull, Callable[[Any], tuple[Any, ...]])
value, pull, aux = fnet.vjp(with_aux, x, has_aux=True)
assert_type(fnet.jvp(loss_of, (x,), (x,)), tuple[Array, Array])
fnet.hessian(loss_of)(x), fnet.jacobian(loss_of, mode="forward")(x), fnet.hessian_vector_product(loss_of, x, x)
fnet.jit(fnet.grad(loss_of))(x, scale=2.0)
fnet.eval_shape(loss_of, fnet.ArraySpec((3,), np.dtype("float32")))

# Random numbers, trees, the rest.
assert_type(fnet.random.key(0), Array)
first, second = fnet.random.split(key)
for child in fnet.random.split(key, 3):
    fnet.random.normal(child, (2, 3), "float64", stddev=2.0)
fnet.random.uniform(fnet.random.fold_in(key, 1), 3, low=-1.0)
fnet.random.randint(key, (2,), 0, 10), fnet.random.permutation(key, x), fnet.random.bernoulli(key, 0.3, (2,))
vector, unravel = fnet.tree.ravel(params)
leaves, structure = fnet.tree.flatten(params)
fnet.tree.unflatten(structure, leaves)
fnet.tree.map(lambda a, b: a + b, params, params)
fnet.tree.map_with_path(lambda path, leaf: leaf, params)
chosen, rest = fnet.tree.partition(params, lambda path, leaf: path.endswith("kernel"))
fnet.tree.combine(chosen, rest)
function, weights = fnet.njit_apply(net, params, state, (4,))
with fnet.precision("medium"):
    net.apply(params, state, x)
fnet.set_num_threads(fnet.get_num_threads())
fnet.restore(fnet.store(params))
fnet.testing.check_grads(loss_of, (x,))

x_train, x_test, y_train, y_test = data.train_test_split(fnet.random.key(0), x, labels, test_size=0.2, stratify=labels)
scaler: data.Scaler = data.standardise(x_train)
scaled: np.ndarray = scaler.inverse(scaler(x_test))
data.min_max(x, -1, 1)(x)
data.one_hot(labels, num_classes=3)
data.pad_sequences([[1], [2, 3]], maxlen=5, padding="post")
data.windows(x, 3, stride=2, sampling_rate=1, targets=x[3:])
for batch_x, batch_y in data.batches((x, labels), 4, key=fnet.random.key(1)):
    trainer.gradients(ts, batch_x, batch_y)
