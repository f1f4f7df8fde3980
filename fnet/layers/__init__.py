"""Layers: functions that take a configuration and return a `fnet.Layer`, under Keras' names.

=====================  ============================================================================================
data, N samples        layers
=====================  ============================================================================================
(N, features)          Dense and what follows it: Activation, Dropout, BatchNormalization, ...
(N, ...) integers      Embedding, to (N, ..., features)
(N, steps, features)   SimpleRNN, LSTM, GRU, MultiHeadAttention, Conv1D and pooling over steps; Dense at every step
(N, height, width, C)  Conv2D, DepthwiseConv2D, pooling, UpSampling2D, ...; Flatten or Global... pooling to (N, D)
(N, D, H, W, C)        Conv3D and pooling over volumes
=====================  ============================================================================================

Dense works on the last axis and never flattens: (N, 28, 28) -> (N, 28, units). Another number of axes than a layer
takes raises a `ShapeError` that says which it takes.
"""

from fnet.first_use import on_first_use as _on_first_use

__getattr__, __dir__, __all__ = _on_first_use(__name__, "layer")
