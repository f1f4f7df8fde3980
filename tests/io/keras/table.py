"""More layers for the tests of Keras' files: wrappers, parts that only training sees, and what is seldom said."""

from __future__ import annotations

import numpy as np

from fnet.constraints import MaxNorm, MinMaxNorm, UnitNorm
from fnet.initializers import Constant, Identity, RandomUniform, TruncatedNormal, VarianceScaling
from fnet.layers import (
    GRU,
    LSTM,
    RNN,
    Attention,
    BatchNormalization,
    Bidirectional,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    GRUCell,
    LayerNormalization,
    LSTMCell,
    MultiHeadAttention,
    PReLU,
    ReversibleEmbedding,
    SeparableConv1D,
    SimpleRNN,
    SimpleRNNCell,
    SpatialDropout2D,
    TimeDistributed,
)
from fnet.regularizers import L1, L1L2, OrthogonalRegularizer
from tests.tables import Row

MORE = [
    Row("dense-parts", lambda: Dense(3, "selu", kernel_regularizer=L1(0.2), bias_constraint="non_neg"), (4,)),
    Row("dense-reports", lambda: Dense(3, activity_regularizer=L1L2(0.1, 0.2), bias_regularizer="l2"), (4,)),
    Row("dense-orthogonal", lambda: Dense(3, kernel_regularizer=OrthogonalRegularizer(0.1, "columns")), (4,)),
    Row("dense-norms", lambda: Dense(4, "mish", kernel_initializer=Identity(2), kernel_constraint=UnitNorm(1)), (4,)),
    Row("dense-scaled", lambda: Dense(3, kernel_initializer=VarianceScaling(3, "fan_out", "untruncated_normal")), (4,)),
    Row("dense-frozen", lambda: Dense(3, trainable=False, name="head"), (4,)),
    Row("conv2d-norm", lambda: Conv2D(2, 3, kernel_constraint=MaxNorm(1.5, (0, 1, 2)), trainable=False), (5, 4, 2)),
    Row("separable-parts", lambda: SeparableConv1D(2, 3, pointwise_regularizer="l1", padding="same"), (6, 2)),
    Row("batch-norm-frozen", lambda: BatchNormalization(trainable=False, gamma_regularizer="l2"), (4,)),
    Row("layer-norm-turned", lambda: LayerNormalization((2, 1), beta_constraint=MinMaxNorm(0.1, 2.0)), (3, 4)),
    Row("embedding-given", lambda: Embedding(7, 3, Constant(0.5), embeddings_constraint="unit_norm"), (5,), classes=7),
    Row("embedding-array", lambda: Embedding(4, 2, np.arange(8.0, dtype="float32").reshape(4, 2)), (5,), classes=4),
    Row("reversible-untied", lambda: ReversibleEmbedding(7, 3, False, "ones", True, "float32", 2.0), (5,), classes=7),
    Row("prelu-one-axis", lambda: PReLU(RandomUniform(0.1, 0.2), 1, alpha_regularizer="l2"), (3, 4)),
    Row("prelu-every-axis", lambda: PReLU(TruncatedNormal(0.5, 0.1), (-1, -2)), (3, 4)),
    Row("dropout-seed", lambda: Dropout(0.4, seed=2**31 - 1), (6,)),
    Row("spatial-seed", lambda: SpatialDropout2D(0.5, seed=7), (2, 3, 6)),
    Row("attention-weighted", lambda: Attention(True, "concat", dropout=0.1, seed=2), ((5, 3), (4, 3))),
    Row("multi-head-causal", lambda: MultiHeadAttention(2, 4, causal=True, kernel_regularizer="l2"), (5, 6)),
    Row("multi-head-masked", lambda: MultiHeadAttention(2, 4, masked=True), ((5, 6), (5, 6), (5,))),
    Row("multi-head-wide", lambda: MultiHeadAttention(2, 3, output_shape=(2, 4), use_bias=False), (5, 6)),
    Row("time-distributed-dense", lambda: TimeDistributed(Dense(3, "tanh", kernel_regularizer="l2")), (3, 4)),
    Row("time-distributed-norm", lambda: TimeDistributed(BatchNormalization(), name="steps"), (3, 4)),
    Row("time-distributed-rnn", lambda: TimeDistributed(LSTM(2, name="inner")), (2, 3, 4)),
    Row("lstm-parts", lambda: LSTM(3, recurrent_regularizer="l1", recurrent_constraint="max_norm"), (3, 4)),
    Row("lstm-step-by-step", lambda: LSTM(3, "elu", "hard_sigmoid", implementation=1, unit_forget_bias=False), (3, 4)),
    Row("gru-stateful", lambda: GRU(3, stateful=True, batch_size=3, return_state=True), (3, 4)),
    Row("simple-rnn-states", lambda: SimpleRNN(3, return_sequences=True), ((4, 2), (3,))),
    Row("rnn-simple", lambda: RNN(SimpleRNNCell(3, activity_regularizer="l2"), return_sequences=True), (3, 4)),
    Row("rnn-gru", lambda: RNN(GRUCell(3, reset_after=False, name="own"), unroll=True), (3, 4)),
    Row("rnn-frozen-part", lambda: RNN([LSTMCell(2, trainable=False), LSTMCell(3, "relu")]), (3, 4)),
    Row("bidirectional-rnn", lambda: Bidirectional(RNN([GRUCell(2), LSTMCell(3)]), "ave"), (3, 4)),
    Row("bidirectional-none", lambda: Bidirectional(LSTM(2, return_sequences=True, name="two"), None), (3, 4)),
    Row(
        "bidirectional-different",
        lambda: Bidirectional(SimpleRNN(3), "mul", SimpleRNN(3, "relu", go_backwards=True), trainable=False),
        (3, 4),
    ),
]
