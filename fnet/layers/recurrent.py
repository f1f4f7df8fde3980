"""Recurrent layers: SimpleRNN, LSTM and GRU over sequences (N, T, D)."""

from __future__ import annotations

from fnet.activations import ActivationLike
from fnet.constraints import ConstraintLike
from fnet.initializers import InitializerLike
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.layers.recurrence import Recurrence
from fnet.layers.sequence import Manner, recurrent_layer
from fnet.regularizers import RegularizerLike


@LAYERS.named()
@layer_constructor(masks="used", several=True, kernel="kernel", recurrent="recurrent_kernel", bias="bias")
def SimpleRNN(
    units: int,
    activation: ActivationLike = "tanh",
    use_bias: bool = True,
    kernel_initializer: InitializerLike = "glorot_uniform",
    recurrent_initializer: InitializerLike = "orthogonal",
    bias_initializer: InitializerLike = "zeros",
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    return_sequences: bool = False,
    return_state: bool = False,
    go_backwards: bool = False,
    stateful: bool = False,
    batch_size: int | None = None,
    unroll: bool = False,
    zero_output_for_mask: bool = False,
    *,
    kernel_regularizer: RegularizerLike = None,
    recurrent_regularizer: RegularizerLike = None,
    bias_regularizer: RegularizerLike = None,
    activity_regularizer: RegularizerLike = None,
    kernel_constraint: ConstraintLike = None,
    recurrent_constraint: ConstraintLike = None,
    bias_constraint: ConstraintLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """``h_t = activation(x_t K + h_{t-1} R + b)``, the last h or all of them.

    x: (N, T, D), or a tuple (x, h_0) with the initial state (N, units), zeros by default -> (N, units), or with
    `return_sequences` (N, T, units); with `return_state` the tuple of that and the last state.
    Params: ``kernel: (D, units)``, ``recurrent_kernel: (units, units)`` and with `use_bias` ``bias: (units,)``.
    dropout, recurrent_dropout: fractions of the features of x_t and of h_{t-1} that are 0 in training, the same ones in
    every step. The other arguments, and what a masked x does, are those of `RNN`: a masked step changes nothing, and
    the sequence returned has the mask of x.
    Raises `ShapeError` for other shapes. Source: J. Elman 1990 (Keras ``SimpleRNN``).

    >>> SimpleRNN(3).out_shape((None, 4)), SimpleRNN(3, return_sequences=True).out_shape((None, 4))
    ((3,), (None, 3))
    """
    recurrence = Recurrence(
        "SimpleRNN", units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
        dropout, recurrent_dropout,
    )  # fmt: skip
    manner = Manner(return_sequences, return_state, go_backwards, stateful, batch_size, unroll, zero_output_for_mask)
    return recurrent_layer("SimpleRNN", recurrence.init, recurrence, manner)


@LAYERS.named()
@layer_constructor(masks="used", several=True, kernel="kernel", recurrent="recurrent_kernel", bias="bias")
def LSTM(
    units: int,
    activation: ActivationLike = "tanh",
    recurrent_activation: ActivationLike = "sigmoid",
    use_bias: bool = True,
    kernel_initializer: InitializerLike = "glorot_uniform",
    recurrent_initializer: InitializerLike = "orthogonal",
    bias_initializer: InitializerLike = "zeros",
    unit_forget_bias: bool = True,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    implementation: int = 2,
    return_sequences: bool = False,
    return_state: bool = False,
    go_backwards: bool = False,
    stateful: bool = False,
    batch_size: int | None = None,
    unroll: bool = False,
    zero_output_for_mask: bool = False,
    *,
    kernel_regularizer: RegularizerLike = None,
    recurrent_regularizer: RegularizerLike = None,
    bias_regularizer: RegularizerLike = None,
    activity_regularizer: RegularizerLike = None,
    kernel_constraint: ConstraintLike = None,
    recurrent_constraint: ConstraintLike = None,
    bias_constraint: ConstraintLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """Long short-term memory: ``c_t = f c_{t-1} + i g`` and ``h_t = o activation(c_t)``, the last h or all of them.

    The gates i, f, o are recurrent_activation and the candidate g is activation of ``x_t K + h_{t-1} R + b``, whose
    column blocks are i, f, g, o. With `unit_forget_bias` the bias of f is 1 at first, whatever `bias_initializer` says.
    x: (N, T, D), or (x, h_0, c_0) -> as `SimpleRNN`; the states are h and c.
    Params: ``kernel: (D, 4 units)``, ``recurrent_kernel: (units, 4 units)``, ``bias: (4 units,)``.
    implementation: Keras' choice between equal computations, of no effect. The other arguments as in `SimpleRNN`.
    Source: S. Hochreiter and J. Schmidhuber 1997, F. Gers et al. 2000 (Keras ``LSTM``).

    >>> LSTM(3, return_state=True).out_shape((5, 4))
    ((3,), (3,), (3,))
    """
    recurrence = Recurrence(
        "LSTM", units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
        dropout, recurrent_dropout, recurrent_activation, unit_forget_bias=unit_forget_bias,
    )  # fmt: skip
    manner = Manner(return_sequences, return_state, go_backwards, stateful, batch_size, unroll, zero_output_for_mask)
    return recurrent_layer("LSTM", recurrence.init, recurrence, manner)


@LAYERS.named()
@layer_constructor(masks="used", several=True, kernel="kernel", recurrent="recurrent_kernel", bias="bias")
def GRU(
    units: int,
    activation: ActivationLike = "tanh",
    recurrent_activation: ActivationLike = "sigmoid",
    use_bias: bool = True,
    kernel_initializer: InitializerLike = "glorot_uniform",
    recurrent_initializer: InitializerLike = "orthogonal",
    bias_initializer: InitializerLike = "zeros",
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    implementation: int = 2,
    return_sequences: bool = False,
    return_state: bool = False,
    go_backwards: bool = False,
    stateful: bool = False,
    batch_size: int | None = None,
    unroll: bool = False,
    zero_output_for_mask: bool = False,
    reset_after: bool = True,
    *,
    kernel_regularizer: RegularizerLike = None,
    recurrent_regularizer: RegularizerLike = None,
    bias_regularizer: RegularizerLike = None,
    activity_regularizer: RegularizerLike = None,
    kernel_constraint: ConstraintLike = None,
    recurrent_constraint: ConstraintLike = None,
    bias_constraint: ConstraintLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """Gated recurrent unit: ``h_t = z h_{t-1} + (1 - z) g``, the last h or all of them.

    The gates z, r are recurrent_activation of ``x_t K + h_{t-1} R + b``; the candidate g is the activation of
    ``x_t K_g + b_g + r (h_{t-1} R_g + b'_g)``, or with ``reset_after=False`` of ``x_t K_g + b_g + (r h_{t-1}) R_g``.
    x: (N, T, D), or (x, h_0) -> as `SimpleRNN`.
    Params, in column blocks z, r, g: ``kernel: (D, 3 units)``, ``recurrent_kernel: (units, 3 units)`` and ``bias:
    (2, 3 units)``, of x_t and of h_{t-1}, or (3 units,) with ``reset_after=False``, which runs slower, step by step.
    The other arguments as in `LSTM`. Source: K. Cho et al. 2014 (Keras ``GRU``).

    >>> GRU(3, return_sequences=True).out_shape((5, 4))
    (5, 3)
    """
    recurrence = Recurrence(
        "GRU", units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
        dropout, recurrent_dropout, recurrent_activation, reset_after=reset_after,
    )  # fmt: skip
    manner = Manner(return_sequences, return_state, go_backwards, stateful, batch_size, unroll, zero_output_for_mask)
    return recurrent_layer("GRU", recurrence.init, recurrence, manner)
