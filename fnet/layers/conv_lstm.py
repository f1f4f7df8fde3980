"""ConvLSTM: recurrent layers over sequences of images, with convolutions for products."""

from __future__ import annotations

from fnet.activations import ActivationLike
from fnet.constraints import ConstraintLike
from fnet.initializers import InitializerLike
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.layers.conv_recurrence import AXES, ConvRecurrence
from fnet.layers.sequence import Manner, recurrent_layer
from fnet.layers.window import Window
from fnet.ops.window import Sizes
from fnet.regularizers import RegularizerLike


@LAYERS.named()
@layer_constructor(masks="used", several=True, kernel="kernel", recurrent="recurrent_kernel", bias="bias")
def ConvLSTM1D(
    filters: int,
    kernel_size: Sizes,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
    activation: ActivationLike = "tanh",
    recurrent_activation: ActivationLike = "sigmoid",
    use_bias: bool = True,
    kernel_initializer: InitializerLike = "glorot_uniform",
    recurrent_initializer: InitializerLike = "orthogonal",
    bias_initializer: InitializerLike = "zeros",
    unit_forget_bias: bool = True,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    return_sequences: bool = False,
    return_state: bool = False,
    go_backwards: bool = False,
    stateful: bool = False,
    batch_size: int | None = None,
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
    """``c_t = f c_{t-1} + i g`` and ``h_t = o activation(c_t)`` for images of one axis, the last h or all of them.

    The gates i, f, o are recurrent_activation and the candidate g is activation of ``x_t * K + h_{t-1} * R + b``, in
    which ``*`` is a convolution, and whose blocks of filters are i, f, g, o. `strides`, `padding` and `dilation_rate`
    are those of ``x_t * K``, as in `Conv1D`; ``h * R`` has strides of 1 and padding "same".
    x: (N, T, S, C), or a tuple (x, h_0, c_0) with images (N, S', filters), zeros by default -> (N, S', filters), or
    with `return_sequences` (N, T, S', filters); with `return_state` the tuple of that, h and c.
    Params: ``kernel: (kernel_size, C, 4 filters)``, ``recurrent_kernel: (kernel_size, filters, 4 filters)`` and with
    `use_bias` ``bias: (4 filters,)``; with `unit_forget_bias` that of f is 1 at first.
    dropout, recurrent_dropout: fractions of the numbers of x_t and of h_{t-1} that are 0 in training: for each gate
    others, the same ones in every step. The other arguments, and what a masked x (N, T) does, are those of `RNN`.
    The convolutions of all x_t are one, the steps are one after the other: the graph grows with T.
    Raises `ShapeError` for other shapes. Source: X. Shi et al. 2015 (Keras ``ConvLSTM1D``).

    >>> ConvLSTM1D(3, 2).out_shape((5, 8, 4)), ConvLSTM1D(3, 2, return_sequences=True).out_shape((5, 8, 4))
    ((7, 3), (5, 7, 3))
    """
    window = Window("ConvLSTM1D", 1, kernel_size, strides, padding, dilation_rate, data_format=data_format)
    recurrence = ConvRecurrence(
        "ConvLSTM1D", filters, window, activation, recurrent_activation, use_bias, kernel_initializer,
        recurrent_initializer, bias_initializer, unit_forget_bias, dropout, recurrent_dropout,
    )  # fmt: skip
    manner = Manner(return_sequences, return_state, go_backwards, stateful, batch_size, True, zero_output_for_mask)
    return recurrent_layer("ConvLSTM1D", recurrence.init, recurrence, manner, AXES[1])


@LAYERS.named()
@layer_constructor(masks="used", several=True, kernel="kernel", recurrent="recurrent_kernel", bias="bias")
def ConvLSTM2D(
    filters: int,
    kernel_size: Sizes,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
    activation: ActivationLike = "tanh",
    recurrent_activation: ActivationLike = "sigmoid",
    use_bias: bool = True,
    kernel_initializer: InitializerLike = "glorot_uniform",
    recurrent_initializer: InitializerLike = "orthogonal",
    bias_initializer: InitializerLike = "zeros",
    unit_forget_bias: bool = True,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    return_sequences: bool = False,
    return_state: bool = False,
    go_backwards: bool = False,
    stateful: bool = False,
    batch_size: int | None = None,
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
    """As `ConvLSTM1D` for images of two axes: x is (N, T, H, W, C), a state (N, H', W', filters).

    Params: ``kernel: (*kernel_size, C, 4 filters)``, ``recurrent_kernel: (*kernel_size, filters, 4 filters)``,
    ``bias: (4 filters,)``. Raises as there. Source: X. Shi et al. 2015 (Keras ``ConvLSTM2D``).

    >>> ConvLSTM2D(3, (3, 2), padding="same", return_state=True).out_shape((5, 8, 6, 1))
    ((8, 6, 3), (8, 6, 3), (8, 6, 3))
    """
    window = Window("ConvLSTM2D", 2, kernel_size, strides, padding, dilation_rate, data_format=data_format)
    recurrence = ConvRecurrence(
        "ConvLSTM2D", filters, window, activation, recurrent_activation, use_bias, kernel_initializer,
        recurrent_initializer, bias_initializer, unit_forget_bias, dropout, recurrent_dropout,
    )  # fmt: skip
    manner = Manner(return_sequences, return_state, go_backwards, stateful, batch_size, True, zero_output_for_mask)
    return recurrent_layer("ConvLSTM2D", recurrence.init, recurrence, manner, AXES[2])


@LAYERS.named()
@layer_constructor(masks="used", several=True, kernel="kernel", recurrent="recurrent_kernel", bias="bias")
def ConvLSTM3D(
    filters: int,
    kernel_size: Sizes,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
    activation: ActivationLike = "tanh",
    recurrent_activation: ActivationLike = "sigmoid",
    use_bias: bool = True,
    kernel_initializer: InitializerLike = "glorot_uniform",
    recurrent_initializer: InitializerLike = "orthogonal",
    bias_initializer: InitializerLike = "zeros",
    unit_forget_bias: bool = True,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    return_sequences: bool = False,
    return_state: bool = False,
    go_backwards: bool = False,
    stateful: bool = False,
    batch_size: int | None = None,
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
    """As `ConvLSTM1D` for images of three axes: x is (N, T, D, H, W, C), a state (N, D', H', W', filters).

    Params as for `ConvLSTM2D`. Raises as `ConvLSTM1D`. Source: X. Shi et al. 2015 (Keras ``ConvLSTM3D``).
    """
    window = Window("ConvLSTM3D", 3, kernel_size, strides, padding, dilation_rate, data_format=data_format)
    recurrence = ConvRecurrence(
        "ConvLSTM3D", filters, window, activation, recurrent_activation, use_bias, kernel_initializer,
        recurrent_initializer, bias_initializer, unit_forget_bias, dropout, recurrent_dropout,
    )  # fmt: skip
    manner = Manner(return_sequences, return_state, go_backwards, stateful, batch_size, True, zero_output_for_mask)
    return recurrent_layer("ConvLSTM3D", recurrence.init, recurrence, manner, AXES[3])
