"""The table of layers: one row each, which generic tests run through; add a row and the layer is tested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fnet.layers import (
    ELU,
    GRU,
    LSTM,
    RNN,
    Activation,
    ActivityRegularization,
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D,
    Add,
    AdditiveAttention,
    AlphaDropout,
    Attention,
    Average,
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    BatchNormalization,
    Bidirectional,
    CenterCrop,
    Concatenate,
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    ConvLSTM1D,
    ConvLSTM2D,
    ConvLSTM3D,
    Cropping1D,
    Cropping2D,
    Cropping3D,
    Dense,
    DepthwiseConv1D,
    DepthwiseConv2D,
    Dot,
    Dropout,
    EinsumDense,
    Embedding,
    Flatten,
    GaussianDropout,
    GaussianNoise,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    GroupNormalization,
    GroupQueryAttention,
    GRUCell,
    Identity,
    Lambda,
    LayerNormalization,
    LeakyReLU,
    LSTMCell,
    Masking,
    Maximum,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
    MelSpectrogram,
    Minimum,
    MultiHeadAttention,
    Multiply,
    Normalization,
    Permute,
    PositionEmbedding,
    PReLU,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomFlip,
    RandomGrayscale,
    RandomInvert,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
    ReLU,
    RepeatVector,
    Rescaling,
    Reshape,
    Resizing,
    ReversibleEmbedding,
    RMSNormalization,
    RotaryEmbedding,
    SeparableConv1D,
    SeparableConv2D,
    SimpleRNN,
    SimpleRNNCell,
    SinePositionEncoding,
    Softmax,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
    SpectralNormalization,
    StackedRNNCells,
    STFTSpectrogram,
    Subtract,
    TimeDistributed,
    UnitNormalization,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from fnet.masking import Masked
from fnet.networks.combinators import fanout, named, parallel, repeat, residual, serial
from fnet.networks.layer import Layer


@dataclass(frozen=True)
class Row:
    """How to make a layer, what it takes, and what is true of it."""

    id: str
    make: Callable[[], Layer]
    shape: Any  # of one sample; a tuple of shapes for several inputs
    random: bool = False  # draws numbers in training
    stateful: bool = False  # has state
    mixes: bool = False  # samples of a batch influence each other in training
    classes: int = 0  # inputs are integers below this, instead of floating
    slope: bool = True  # has a derivative in its input other than 0
    forward: bool = True  # has derivatives in forward mode
    kept: bool = False  # hands the mask of its input on

    @property
    def train_differs(self) -> bool:
        return self.random or self.mixes


def counter() -> Layer:
    """A custom layer whose state counts the training steps and keeps a sum, without parameters."""

    def init(key: Any, shape: Any, dtype: Any) -> Any:
        return {}, {"steps": np.zeros((), "int64"), "total": np.zeros(shape, dtype)}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> Any:
        if train:
            state = {"steps": state["steps"] + 1, "total": state["total"] + np.sum(x, axis=0)}
        return x - 0.5 * x * x, state

    return Layer(init, apply, name="counter")


def scale() -> Layer:
    """A custom layer with one parameter, written with NumPy functions."""

    def init(key: Any, shape: Any, dtype: Any) -> Any:
        return {"factor": np.full(shape, 1.5, dtype)}, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> Any:
        return np.sin(x) * params["factor"], state

    return Layer(init, apply, name="scale")


def behind_mask(*layers: Layer) -> Layer:
    """The layers behind one that masks the steps of a sequence whose first feature is below -0.5."""

    def init(key: Any, shape: Any, dtype: Any) -> Any:
        return {}, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> Any:
        return Masked(x, x[..., 0] > -0.5), state

    return serial(Layer(init, apply, name="masking"), *layers)


def average_cell() -> Layer:
    """A custom cell with two states, an average that forgets and its slope, whose output is neither."""

    def init(key: Any, shape: Any, dtype: Any) -> Any:
        return {"rate": np.full(shape[0], 0.3, dtype)}, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> Any:
        x, average, slope = x
        slope = 0.5 * slope + np.tanh(x) - average
        average = average + params["rate"] * slope
        return (np.concatenate([average, slope * slope], axis=1), average, slope), state

    return Layer(init, apply, name="average", config={"state_size": (4, 4)})


def shared() -> Layer:
    """One Dense object used twice."""
    twin = Dense(4, "tanh")
    return serial(twin, twin, Dense(2))


LAYERS = [
    Row("dense", lambda: Dense(3), (4,), kept=True),
    Row("dense-tanh", lambda: Dense(3, "tanh"), (4,), kept=True),
    Row("dense-no-bias", lambda: Dense(2, "relu", use_bias=False), (4,), kept=True),
    Row("dense-3d", lambda: Dense(2, "sigmoid", bias_initializer="ones"), (3, 4), kept=True),
    Row("einsum-dense", lambda: EinsumDense("abc,cde->abde", (None, 2, 3), "tanh", bias_axes="e"), (3, 4)),
    Row("einsum-dense-left", lambda: EinsumDense("...bc,cd->...bd", (None, 3)), (2, 3, 4)),
    Row("einsum-dense-right", lambda: EinsumDense("ab...,bc->ac...", 5, bias_axes="c"), (4, 3, 2)),
    Row("conv1d", lambda: Conv1D(3, 3, padding="causal", activation="tanh"), (6, 2)),
    Row("conv1d-dilated", lambda: Conv1D(2, 2, dilation_rate=2, use_bias=False), (6, 3)),
    Row("conv2d", lambda: Conv2D(3, (3, 2), activation="sigmoid", bias_initializer="ones"), (5, 4, 2)),
    Row("conv2d-strided", lambda: Conv2D(4, 3, strides=(2, 1), padding="same", groups=2), (5, 4, 2)),
    Row("conv2d-1x1", lambda: Conv2D(3, 1), (3, 2, 4)),
    Row("conv3d", lambda: Conv3D(2, 2, padding="same"), (3, 2, 3, 2)),
    Row("conv1d-transpose", lambda: Conv1DTranspose(3, 3, strides=2, output_padding=1), (4, 2)),
    Row("conv2d-transpose", lambda: Conv2DTranspose(2, 3, strides=(2, 1), padding="same"), (3, 4, 3)),
    Row("conv3d-transpose", lambda: Conv3DTranspose(2, 2, strides=(2, 1, 2)), (2, 2, 2, 3)),
    Row("depthwise-conv1d", lambda: DepthwiseConv1D(3, strides=2, depth_multiplier=2), (7, 3)),
    Row("depthwise-conv2d", lambda: DepthwiseConv2D(3, padding="same", activation="tanh"), (4, 3, 2)),
    Row("separable-conv1d", lambda: SeparableConv1D(4, 3, depth_multiplier=2), (6, 2)),
    Row("separable-conv2d", lambda: SeparableConv2D(3, 2, use_bias=False), (4, 4, 2)),
    Row("activation", lambda: Activation("gelu"), (4,), kept=True),
    Row("activation-softmax", lambda: Activation("softmax"), (2, 4), kept=True),
    Row("activation-step", lambda: Activation("binary_step"), (4,), slope=False, kept=True),
    Row("activation-glu", lambda: Activation("glu"), (4,), kept=True),
    Row("identity", lambda: Identity(), (2, 3), kept=True),
    Row("lambda", lambda: Lambda(np.sin), (2, 3), kept=True),
    Row("activity-regularization", lambda: ActivityRegularization(0.1, 0.2), (4,), kept=True),
    Row("masking", lambda: Masking(), (3, 2), kept=True),
    Row("flatten", lambda: Flatten(), (2, 3)),
    Row("flatten-scalar", lambda: Flatten(), ()),
    Row("flatten-channels-first", lambda: Flatten("channels_first"), (2, 3, 4)),
    Row("reshape", lambda: Reshape((3, -1)), (2, 3)),
    Row("dropout", lambda: Dropout(0.4), (6,), random=True, kept=True),
    Row("dropout-0", lambda: Dropout(0), (6,), kept=True),
    Row("dropout-noise-shape", lambda: Dropout(0.4, (None, 1, None), seed=3), (4, 6), random=True, kept=True),
    Row("relu", lambda: ReLU(max_value=1.5, negative_slope=0.1, threshold=0.2), (4,), kept=True),
    Row("leaky-relu", lambda: LeakyReLU(), (4,), kept=True),
    Row("elu", lambda: ELU(0.5), (4,), kept=True),
    Row("prelu", lambda: PReLU("normal"), (3, 4), kept=True),
    Row("prelu-shared", lambda: PReLU("ones", shared_axes=(1, -1)), (3, 4, 2), kept=True),
    Row("softmax", lambda: Softmax(), (2, 4), kept=True),
    Row("softmax-axes", lambda: Softmax(axis=(1, 2)), (2, 3, 2), kept=True),
    Row("batch-norm", lambda: BatchNormalization(), (4,), stateful=True, mixes=True, kept=True),
    Row("batch-norm-image", lambda: BatchNormalization(momentum=0.8), (2, 3, 5), stateful=True, mixes=True, kept=True),
    Row("batch-norm-axis", lambda: BatchNormalization(1, scale=False), (4, 2), stateful=True, mixes=True, kept=True),
    Row(
        "batch-norm-bare",
        lambda: BatchNormalization(center=False, scale=False),
        (4,),
        stateful=True,
        mixes=True,
        kept=True,
    ),
    Row("layer-norm", lambda: LayerNormalization(), (2, 5), kept=True),
    Row("layer-norm-axes", lambda: LayerNormalization(axis=(1, 2), center=False), (3, 4, 2), kept=True),
    Row("layer-norm-first", lambda: LayerNormalization(axis=1, scale=False), (3, 4), kept=True),
    Row("group-norm", lambda: GroupNormalization(2), (3, 4), kept=True),
    Row("group-norm-axis", lambda: GroupNormalization(-1, axis=1, center=False), (4, 3, 2), kept=True),
    Row("group-norm-bare", lambda: GroupNormalization(1, scale=False, center=False), (2, 6), kept=True),
    Row("rms-norm", lambda: RMSNormalization(), (3, 4), kept=True),
    Row("unit-norm", lambda: UnitNormalization(), (3, 4), kept=True),
    Row("attention", lambda: MultiHeadAttention(2, 4), (5, 6), kept=True),
    Row(
        "attention-causal",
        lambda: MultiHeadAttention(3, 2, causal=True, rotary=True, use_bias=False),
        (5, 6),
        kept=True,
    ),
    Row(
        "attention-cross",
        lambda: MultiHeadAttention(2, 4, value_dim=3, output_shape=5),
        ((5, 6), (7, 3), (7, 2)),
        kept=True,
    ),
    Row("attention-dropout", lambda: MultiHeadAttention(2, 4, dropout=0.3), (5, 6), random=True, kept=True),
    Row("attention-scores", lambda: MultiHeadAttention(2, 4, return_attention_scores=True), (5, 6), kept=True),
    Row("group-query-attention", lambda: GroupQueryAttention(4, 6, 2, causal=True), (5, 6), kept=True),
    Row("plain-attention", lambda: Attention(), ((5, 6), (7, 3), (7, 6)), kept=True),
    Row("plain-attention-concat", lambda: Attention(True, "concat", causal=True), (5, 3), kept=True),
    Row("plain-attention-dropout", lambda: Attention(use_scale=True, dropout=0.3), (5, 6), random=True, kept=True),
    Row("additive-attention", lambda: AdditiveAttention(return_attention_scores=True), ((5, 6), (7, 6)), kept=True),
    Row("position-embedding", lambda: PositionEmbedding(8), (5, 6), slope=False, kept=True),
    Row("sine-encoding", lambda: SinePositionEncoding(), (5, 6), slope=False, kept=True),
    Row("rotary", lambda: RotaryEmbedding(), (5, 2, 6), kept=True),
    Row("embedding", lambda: Embedding(7, 3), (5,), classes=7, slope=False, kept=True),
    Row("embedding-mask", lambda: Embedding(7, 3, mask_zero=True), (5,), classes=7, slope=False, kept=True),
    Row("reversible-embedding", lambda: ReversibleEmbedding(7, 3), (5,), classes=7, slope=False, kept=True),
    Row("max-pooling1d", lambda: MaxPooling1D(3, strides=2, padding="same"), (7, 3)),
    Row("max-pooling2d", lambda: MaxPooling2D(), (4, 6, 2)),
    Row("max-pooling2d-overlap", lambda: MaxPooling2D((3, 2), strides=1), (5, 4, 2)),
    Row("max-pooling3d", lambda: MaxPooling3D(2, padding="same"), (3, 4, 2, 2)),
    Row("average-pooling1d", lambda: AveragePooling1D(3, strides=1, padding="same"), (6, 3)),
    Row("average-pooling2d", lambda: AveragePooling2D((2, 3)), (5, 6, 2)),
    Row("average-pooling3d", lambda: AveragePooling3D(2), (3, 4, 2, 2)),
    Row("global-max-pooling1d", lambda: GlobalMaxPooling1D(), (5, 3)),
    Row("global-max-pooling2d", lambda: GlobalMaxPooling2D(keepdims=True), (3, 4, 2)),
    Row("global-max-pooling3d", lambda: GlobalMaxPooling3D(), (3, 2, 2, 3)),
    Row("global-average-pooling1d", lambda: GlobalAveragePooling1D(keepdims=True), (5, 3)),
    Row("global-average-pooling2d", lambda: GlobalAveragePooling2D(), (3, 4, 2)),
    Row("global-average-pooling3d", lambda: GlobalAveragePooling3D(), (3, 2, 2, 3)),
    Row("adaptive-average-pooling1d", lambda: AdaptiveAveragePooling1D(3), (7, 2)),
    Row("adaptive-average-pooling2d", lambda: AdaptiveAveragePooling2D((2, 5)), (3, 4, 2)),
    Row("adaptive-average-pooling3d", lambda: AdaptiveAveragePooling3D(2), (3, 4, 2, 2)),
    Row("adaptive-max-pooling1d", lambda: AdaptiveMaxPooling1D(3), (7, 2)),
    Row("adaptive-max-pooling2d", lambda: AdaptiveMaxPooling2D((2, 5)), (3, 4, 2)),
    Row("adaptive-max-pooling3d", lambda: AdaptiveMaxPooling3D(2), (3, 4, 2, 2)),
    Row("stft-spectrogram", lambda: STFTSpectrogram("psd", 4), (9, 2)),
    Row("stft-parts", lambda: STFTSpectrogram("stft", 4, 3, 8, None, padding="same", expand_dims=True), (9, 2)),
    Row("mel-spectrogram", lambda: MelSpectrogram(8, 4, 6, sampling_rate=100, num_mel_bins=3), (17,)),
    Row("up-sampling1d", lambda: UpSampling1D(3), (4, 2)),
    Row("up-sampling2d", lambda: UpSampling2D((2, 3)), (2, 3, 2)),
    Row("up-sampling2d-bilinear", lambda: UpSampling2D((2, 3), interpolation="bilinear"), (3, 2, 2)),
    Row("up-sampling3d", lambda: UpSampling3D((2, 1, 2)), (2, 2, 2, 2)),
    Row("zero-padding1d", lambda: ZeroPadding1D((2, 1)), (4, 2)),
    Row("zero-padding2d", lambda: ZeroPadding2D(((1, 0), (2, 1))), (2, 3, 2)),
    Row("zero-padding3d", lambda: ZeroPadding3D(1), (2, 2, 2, 2)),
    Row("cropping1d", lambda: Cropping1D((1, 2)), (5, 2)),
    Row("cropping2d", lambda: Cropping2D(((1, 0), (0, 1))), (3, 3, 2)),
    Row("cropping3d", lambda: Cropping3D(), (4, 3, 3, 2)),
    Row("permute", lambda: Permute((3, 1, 2)), (2, 3, 4)),
    Row("repeat-vector", lambda: RepeatVector(3), (4,)),
    Row("rescaling", lambda: Rescaling(0.5, -1.0), (2, 3), kept=True),
    Row("normalization", lambda: Normalization(), (2, 3), stateful=True, kept=True),
    Row("normalization-invert", lambda: Normalization(None, 2.0, 4.0, invert=True), (2, 3), kept=True),
    Row("rescaling-channels", lambda: Rescaling([0.5, 2.0], (0.0, 1.0)), (3, 2), kept=True),
    Row("resizing", lambda: Resizing(3, 5, "bicubic", antialias=True), (4, 4, 3)),
    Row("resizing-crop", lambda: Resizing(3, 5, crop_to_aspect_ratio=True), (4, 4, 3)),
    Row("resizing-pad", lambda: Resizing(3, 5, "nearest", pad_to_aspect_ratio=True), (4, 4, 3)),
    Row("center-crop", lambda: CenterCrop(2, 3), (4, 4, 3)),
    Row("random-crop", lambda: RandomCrop(2, 3), (4, 4, 3), random=True),
    Row("random-flip", lambda: RandomFlip(), (4, 4, 3), random=True),
    Row("random-rotation", lambda: RandomRotation(0.2, "constant", fill_value=0.5), (4, 4, 3), random=True),
    Row("random-zoom", lambda: RandomZoom((-0.3, 0.3), fill_mode="wrap"), (4, 4, 3), random=True),
    Row("random-translation", lambda: RandomTranslation(0.4, (0.1, 0.3)), (4, 4, 3), random=True),
    Row("random-shear", lambda: RandomShear(0.3, 0.2, "nearest", "wrap"), (4, 4, 3), random=True),
    Row("random-brightness", lambda: RandomBrightness(0.2, (-9.0, 9.0)), (4, 4, 3), random=True),
    Row("random-contrast", lambda: RandomContrast(0.4, (-9.0, 9.0)), (4, 4, 3), random=True),
    Row("random-invert", lambda: RandomInvert((0.9, 1.0), (-9.0, 9.0)), (4, 4, 3), random=True),
    Row("random-grayscale", lambda: RandomGrayscale(0.5), (4, 4, 3), random=True),
    Row("spatial-dropout1d", lambda: SpatialDropout1D(0.5), (4, 6), random=True, kept=True),
    Row("spatial-dropout2d", lambda: SpatialDropout2D(0.5), (2, 3, 6), random=True, kept=True),
    Row("spatial-dropout3d", lambda: SpatialDropout3D(0.5), (2, 2, 2, 6), random=True, kept=True),
    Row("gaussian-noise", lambda: GaussianNoise(0.3), (6,), random=True, kept=True),
    Row("gaussian-dropout", lambda: GaussianDropout(0.3), (6,), random=True, kept=True),
    Row("alpha-dropout", lambda: AlphaDropout(0.4), (6,), random=True, kept=True),
    Row("add", lambda: Add(), ((4,), (4,), (4,))),
    Row("add-broadcast", lambda: Add(), ((3, 4), (4,))),
    Row("subtract", lambda: Subtract(), ((4,), (4,))),
    Row("multiply", lambda: Multiply(), ((4,), (4,), (1,))),
    Row("average", lambda: Average(), ((4,), (4,), (4,))),
    Row("maximum", lambda: Maximum(), ((4,), (4,), (4,))),
    Row("minimum", lambda: Minimum(), ((4,), (4,))),
    Row("concatenate", lambda: Concatenate(), ((3, 4), (3, 2))),
    Row("concatenate-axis", lambda: Concatenate(axis=1), ((3, 4), (2, 4), (1, 4))),
    Row("dot", lambda: Dot(axes=1), ((4,), (4,))),
    Row("dot-axes", lambda: Dot(axes=(2, 1), normalize=True), ((3, 4), (4, 5))),
    Row("simple-rnn", lambda: SimpleRNN(5), (3, 4), forward=False),
    Row("simple-rnn-relu", lambda: SimpleRNN(5, "relu", return_sequences=True), (3, 4), forward=False),
    Row("simple-rnn-steps", lambda: SimpleRNN(5, "softsign", recurrent_dropout=0.4), (3, 4), random=True),
    Row("lstm", lambda: LSTM(5), (3, 4), forward=False),
    Row("lstm-backwards", lambda: LSTM(3, return_sequences=True, go_backwards=True), (3, 4), forward=False),
    Row("lstm-no-bias", lambda: LSTM(3, "relu", return_state=True, use_bias=False), (3, 4), forward=False),
    Row("lstm-states", lambda: LSTM(3), ((3, 4), (3,), (3,)), forward=False),
    Row("lstm-dropout", lambda: LSTM(3, dropout=0.4), (3, 4), random=True, forward=False),
    Row("lstm-steps", lambda: LSTM(3, recurrent_dropout=0.3, dropout=0.2, go_backwards=True), (3, 4), random=True),
    Row("gru", lambda: GRU(5), (3, 4), forward=False),
    Row("gru-reset-before", lambda: GRU(5, reset_after=False, return_sequences=True), (3, 4)),
    Row("conv-lstm1d", lambda: ConvLSTM1D(2, 2, return_state=True, activation="softsign"), (3, 4, 2)),
    Row("conv-lstm2d", lambda: ConvLSTM2D(2, (2, 3), 2, "same", return_sequences=True, use_bias=False), (2, 3, 4, 2)),
    Row("conv-lstm2d-dropout", lambda: ConvLSTM2D(2, 2, dropout=0.3, recurrent_dropout=0.3), (2, 3, 3, 2), random=True),
    Row("conv-lstm3d", lambda: ConvLSTM3D(2, 2, dilation_rate=2, go_backwards=True), (2, 3, 3, 3, 2)),
    Row("conv-lstm-states", lambda: ConvLSTM1D(2, 2, return_sequences=True), ((3, 4, 2), (3, 2), (3, 2))),
    Row("bidirectional", lambda: Bidirectional(GRU(3)), (3, 4), forward=False),
    Row(
        "bidirectional-sequences",
        lambda: Bidirectional(LSTM(3, return_sequences=True, return_state=True), "sum"),
        (3, 4),
        forward=False,
    ),
    Row("rnn", lambda: RNN(LSTMCell(3), return_state=True), (3, 4), forward=False),
    Row("rnn-stacked", lambda: RNN([GRUCell(3), LSTMCell(2)], go_backwards=True), (3, 4), forward=False),
    Row("rnn-custom", lambda: RNN(average_cell(), return_sequences=True, return_state=True), (3, 4)),
    Row("rnn-masked", lambda: behind_mask(RNN([average_cell(), SimpleRNNCell(2, "softsign")])), (3, 4)),
    Row("simple-rnn-cell", lambda: SimpleRNNCell(5), ((4,), (5,))),
    Row("lstm-cell", lambda: LSTMCell(3, dropout=0.3, recurrent_dropout=0.3), ((4,), (3,), (3,)), random=True),
    Row("gru-cell", lambda: GRUCell(3, "relu", reset_after=False), ((4,), (3,))),
    Row("stacked-rnn-cells", lambda: StackedRNNCells([GRUCell(3), LSTMCell(2)]), ((4,), (3,), (2,), (2,))),
    Row("lstm-unroll", lambda: LSTM(3, unroll=True, return_sequences=True), (3, 4)),
    Row("lstm-masked", lambda: behind_mask(LSTM(3, return_sequences=True), LSTM(3)), (3, 4), forward=False),
    Row("simple-rnn-masked", lambda: behind_mask(SimpleRNN(3, "relu", go_backwards=True)), (3, 4), forward=False),
    Row("gru-masked-steps", lambda: behind_mask(GRU(3, reset_after=False, dropout=0.3)), (3, 4), random=True),
    Row(
        "bidirectional-masked",
        lambda: behind_mask(Bidirectional(GRU(3, return_sequences=True), "mul"), Flatten()),
        (3, 4),
        forward=False,
    ),
    Row(
        "time-distributed-masked",
        lambda: behind_mask(TimeDistributed(Dense(3, "tanh")), LSTM(2)),
        (3, 4),
        forward=False,
    ),
    Row("spectral-normalization", lambda: SpectralNormalization(Dense(1)), (4,), stateful=True, mixes=True, kept=True),
    Row("time-distributed", lambda: TimeDistributed(serial(Dense(3), counter())), (3, 4), stateful=True),
    Row("custom", scale, (4,)),
    Row("custom-state", counter, (4,), stateful=True),
    Row("serial", lambda: serial(Dense(4, "tanh"), counter(), Dense(2)), (3,), stateful=True),
    Row("serial-none", lambda: serial(), (3,)),
    Row("serial-random", lambda: serial(Dense(6), Dropout(0.5), Dropout(0.5)), (3,), random=True),
    Row("serial-shared", shared, (4,)),
    Row("parallel", lambda: parallel(Dense(2), Activation("tanh")), ((3,), (2, 2))),
    Row(
        "parallel-nested",
        lambda: parallel(parallel(Dense(2), counter()), Flatten()),
        (((3,), (4,)), (2, 2)),
        stateful=True,
    ),
    Row("fanout", lambda: fanout(Identity(), Dense(2, "tanh"), Dense(3)), (4,)),
    Row("fanout-axis", lambda: fanout(Dense(3), Dense(3), axis=1), (2, 4)),
    Row("fanout-add", lambda: fanout(Dense(3), Dense(3), merge="add"), (4,)),
    Row("fanout-multiply", lambda: fanout(Dense(3), Dense(3), merge="multiply"), (4,)),
    Row("fanout-average", lambda: fanout(Dense(3), Dense(3), Dense(3), merge="average"), (4,)),
    Row("fanout-maximum", lambda: fanout(Dense(3), Dense(3), merge="maximum"), (4,)),
    Row("fanout-function", lambda: fanout(Dense(3), Dense(3), merge=np.subtract), (4,)),
    Row("fanout-none", lambda: fanout(counter(), Dense(3), merge=None), (4,), stateful=True),
    Row("residual", lambda: residual(serial(Dense(5, "tanh"), Dense(4))), (4,)),
    Row("repeat", lambda: repeat(Dense(4, "tanh"), 2), (4,)),
    Row("named", lambda: named("head", Dense(2)), (4,), kept=True),
]


def inputs(row: Row, dtype: Any = "float64", batch: int = 3, seed: int = 0) -> Any:
    """Random inputs for a row: arrays with a batch axis, in a tuple where the row's shape is one of shapes."""
    rng = np.random.default_rng(seed)

    def draw(shape: Any) -> Any:
        if any(isinstance(n, tuple) for n in shape):
            return tuple(draw(s) for s in shape)
        if row.classes:
            return rng.integers(0, row.classes, (batch, *shape))
        return rng.normal(size=(batch, *shape)).astype(dtype)

    return draw(row.shape)
