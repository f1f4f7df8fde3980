# Written by tests/public_types/keras_layers.py.
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, Literal, TypedDict, Unpack

from fnet.activations import ActivationLike
from fnet.constraints import ConstraintLike
from fnet.initializers import InitializerLike
from fnet.keras.directions import BidirectionalLayer
from fnet.keras.embedded import EmbeddingLayer
from fnet.keras.image_layer import ImageLayer, PipelineLayer
from fnet.keras.input import Input as Input
from fnet.keras.input import InputLayer as InputLayer
from fnet.keras.input_spec import InputSpec as InputSpec
from fnet.keras.lambdas import LambdaLayer
from fnet.keras.layer import Layer as Layer
from fnet.keras.learned import DiscretizationLayer, NormalizationLayer, VocabularyLayer
from fnet.keras.own_cells import OwnCells
from fnet.keras.reversible import ReversibleLayer
from fnet.keras.spectral_normalization import NormalizedLayer
from fnet.keras.stateful import StatefulLayer
from fnet.keras.time_distributed import TimeDistributed as TimeDistributed
from fnet.keras.wrapper import Wrapper as Wrapper
from fnet.layers.augmentation import Factor
from fnet.layers.bounding_boxes import BoxFormat
from fnet.layers.categories import Mode, VectorMode
from fnet.layers.hashing import CrossMode
from fnet.layers.integer_lookup import OovMethod
from fnet.layers.resample import Sides
from fnet.layers.resizing import Method
from fnet.layers.string_lookup import OutputMode
from fnet.layers.text_vectorization import Split, Standard
from fnet.layers.warp import FillMode, Interpolation
from fnet.ops.window import Sizes
from fnet.regularizers import RegularizerLike
from fnet.spectra import WindowLike

class Options(TypedDict, total=False):
    dtype: str | None
    input_shape: Sequence[int | None] | None
    batch_input_shape: Sequence[int | None] | None
    batch_shape: Sequence[int | None] | None

class OptionsAndWidth(Options, total=False):
    input_dim: int | None

class Activation(Layer):
    r"""``activation(x)``, for a name known to `fnet.activations` or a function."""

    def __init__(
        self,
        activation: ActivationLike,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class ActivityRegularization(Layer):
    r"""``x``, with the penalty ``(l1 sum |x| + l2 sum x^2) / N`` on it, see `fnet.apply_with_penalty`."""

    def __init__(
        self,
        l1: float = ...,
        l2: float = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class AdaptiveAveragePooling1D(Layer):
    r"""The means over `output_size` windows, ``x[floor(i T / output_size) : ceil((i + 1) T / output_size)]``."""

    def __init__(
        self,
        output_size: Sizes,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class AdaptiveAveragePooling2D(Layer):
    r"""The means over windows: (N, H, W, C) -> (N, *output_size, C), one size or one for each axis."""

    def __init__(
        self,
        output_size: Sizes,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class AdaptiveAveragePooling3D(Layer):
    r"""The means over windows: (N, D, H, W, C) -> (N, *output_size, C), one size or one for each axis."""

    def __init__(
        self,
        output_size: Sizes,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class AdaptiveMaxPooling1D(Layer):
    r"""The largest in each of `output_size` windows, NaN where there is one."""

    def __init__(
        self,
        output_size: Sizes,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class AdaptiveMaxPooling2D(Layer):
    r"""The largest in each window: (N, H, W, C) -> (N, *output_size, C), one size or one for each axis."""

    def __init__(
        self,
        output_size: Sizes,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class AdaptiveMaxPooling3D(Layer):
    r"""The largest in each window: (N, D, H, W, C) -> (N, *output_size, C), one size or one for each axis."""

    def __init__(
        self,
        output_size: Sizes,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Add(Layer):
    r"""``x_1 + x_2 + ...`` of a tuple of inputs."""

    def __init__(
        self,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class AdditiveAttention(Layer):
    r"""As `Attention`, with ``score[t, s] = sum over features d of scale[d] tanh(query[t, d] + key[s, d])``."""

    def __init__(
        self,
        use_scale: bool = ...,
        dropout: float = ...,
        seed: int | None = ...,
        causal: bool = ...,
        return_attention_scores: bool = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class AlphaDropout(Layer):
    r"""In training, each element is replaced by selu's limit at -inf, s, with probability `rate`, and all are rescaled."""

    def __init__(
        self,
        rate: float,
        seed: int | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Attention(Layer):
    r"""``y[t] = sum over s of softmax_s(score[t, s]) value[s]`` with ``score[t, s] = scale query[t] . key[s]``."""

    def __init__(
        self,
        use_scale: bool = ...,
        score_mode: str = ...,
        dropout: float = ...,
        seed: int | None = ...,
        causal: bool = ...,
        return_attention_scores: bool = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class AugMix(ImageLayer):
    r"""In training, each image is mixed with `num_chains` of itself that went through up to `chain_depth` layers each."""

    def __init__(
        self,
        value_range: Sequence[float] = ...,
        num_chains: int = ...,
        chain_depth: int = ...,
        factor: Factor = ...,
        alpha: float = ...,
        all_ops: bool = ...,
        interpolation: Interpolation = ...,
        seed: int | None = ...,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class AutoContrast(ImageLayer):
    r"""Each channel of each image is stretched over the whole range of values, in training and in inference."""

    def __init__(
        self,
        value_range: Sequence[float] = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Average(Layer):
    r"""``(x_1 + ... + x_k) / k`` of a tuple of inputs."""

    def __init__(
        self,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class AveragePooling1D(Layer):
    r"""The mean of `pool_size` steps; padding is not counted."""

    def __init__(
        self,
        pool_size: Sizes = ...,
        strides: Sizes | None = ...,
        padding: str = ...,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class AveragePooling2D(Layer):
    r"""The mean of the pixels in each window; padding is not counted."""

    def __init__(
        self,
        pool_size: Sizes = ...,
        strides: Sizes | None = ...,
        padding: str = ...,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class AveragePooling3D(Layer):
    r"""The mean of the voxels in each window; padding is not counted."""

    def __init__(
        self,
        pool_size: Sizes = ...,
        strides: Sizes | None = ...,
        padding: str = ...,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class BatchNormalization(Layer):
    r"""``y = (x - mean) gamma / sqrt(variance + epsilon) + beta`` with one mean and variance for each entry of `axis`."""

    def __init__(
        self,
        axis: int = ...,
        momentum: float = ...,
        epsilon: float = ...,
        center: bool = ...,
        scale: bool = ...,
        beta_initializer: InitializerLike = ...,
        gamma_initializer: InitializerLike = ...,
        moving_mean_initializer: InitializerLike = ...,
        moving_variance_initializer: InitializerLike = ...,
        *,
        beta_regularizer: RegularizerLike = ...,
        gamma_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        beta_constraint: ConstraintLike = ...,
        gamma_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Bidirectional(BidirectionalLayer):
    r"""`layer` from the beginning and another of its kind from the end, their outputs merged."""

    def __init__(
        self,
        layer: Layer,
        merge_mode: str | None = ...,
        backward_layer: Layer | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class CategoryEncoding(Layer):
    r"""Vectors of `num_tokens` numbers for integers from 0 to ``num_tokens - 1``."""

    def __init__(
        self,
        num_tokens: int,
        output_mode: VectorMode = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class CenterCrop(ImageLayer):
    r"""The middle of images: x: (N, H, W, C) -> (N, height, width, C)."""

    def __init__(
        self,
        height: int,
        width: int,
        data_format: str | None = ...,
        bounding_box_format: BoxFormat | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Concatenate(Layer):
    r"""A tuple of inputs joined along `axis`, which counts the batch axis; the other sizes must be equal."""

    def __init__(
        self,
        axis: int = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class ContrastLimitedAdaptiveHistogramEqualization(ImageLayer):
    r"""The values around each pixel become about equally frequent, in training and in inference."""

    def __init__(
        self,
        value_range: Sequence[float] = ...,
        clip_limit: float = ...,
        tile_grid_size: Sequence[int] = ...,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Conv1D(Layer):
    r"""``y[n, i, f] = activation(sum over t, c of x[n, i strides + t dilation_rate, c] K[t, c, f] + b[f])``."""

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = ...,
        padding: str = ...,
        data_format: str | None = ...,
        dilation_rate: Sizes = ...,
        groups: int = ...,
        activation: ActivationLike = ...,
        use_bias: bool = ...,
        kernel_initializer: InitializerLike = ...,
        bias_initializer: InitializerLike = ...,
        *,
        kernel_regularizer: RegularizerLike = ...,
        bias_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        kernel_constraint: ConstraintLike = ...,
        bias_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Conv1DTranspose(Layer):
    r"""``activation(y + b)`` with ``y[n, i strides + t dilation_rate - before, f] += x[n, i, c] K[t, f, c]``."""

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = ...,
        padding: str = ...,
        output_padding: Sizes | None = ...,
        data_format: str | None = ...,
        dilation_rate: Sizes = ...,
        activation: ActivationLike = ...,
        use_bias: bool = ...,
        kernel_initializer: InitializerLike = ...,
        bias_initializer: InitializerLike = ...,
        *,
        kernel_regularizer: RegularizerLike = ...,
        bias_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        kernel_constraint: ConstraintLike = ...,
        bias_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Conv2D(Layer):
    r"""``y[n, i, j, f] = activation(sum over s, t, c of x[n, i + s, j + t, c] K[s, t, c, f] + b[f])``."""

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = ...,
        padding: str = ...,
        data_format: str | None = ...,
        dilation_rate: Sizes = ...,
        groups: int = ...,
        activation: ActivationLike = ...,
        use_bias: bool = ...,
        kernel_initializer: InitializerLike = ...,
        bias_initializer: InitializerLike = ...,
        *,
        kernel_regularizer: RegularizerLike = ...,
        bias_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        kernel_constraint: ConstraintLike = ...,
        bias_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Conv2DTranspose(Layer):
    r"""The transpose of a convolution over height and width."""

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = ...,
        padding: str = ...,
        output_padding: Sizes | None = ...,
        data_format: str | None = ...,
        dilation_rate: Sizes = ...,
        activation: ActivationLike = ...,
        use_bias: bool = ...,
        kernel_initializer: InitializerLike = ...,
        bias_initializer: InitializerLike = ...,
        *,
        kernel_regularizer: RegularizerLike = ...,
        bias_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        kernel_constraint: ConstraintLike = ...,
        bias_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Conv3D(Layer):
    r"""``y = activation(x * K + b)`` over depth, height and width."""

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = ...,
        padding: str = ...,
        data_format: str | None = ...,
        dilation_rate: Sizes = ...,
        groups: int = ...,
        activation: ActivationLike = ...,
        use_bias: bool = ...,
        kernel_initializer: InitializerLike = ...,
        bias_initializer: InitializerLike = ...,
        *,
        kernel_regularizer: RegularizerLike = ...,
        bias_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        kernel_constraint: ConstraintLike = ...,
        bias_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Conv3DTranspose(Layer):
    r"""The transpose of a convolution over depth, height and width."""

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = ...,
        padding: str = ...,
        output_padding: Sizes | None = ...,
        data_format: str | None = ...,
        dilation_rate: Sizes = ...,
        activation: ActivationLike = ...,
        use_bias: bool = ...,
        kernel_initializer: InitializerLike = ...,
        bias_initializer: InitializerLike = ...,
        *,
        kernel_regularizer: RegularizerLike = ...,
        bias_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        kernel_constraint: ConstraintLike = ...,
        bias_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class ConvLSTM1D(Layer):
    r"""``c_t = f c_{t-1} + i g`` and ``h_t = o activation(c_t)`` for images of one axis, the last h or all of them."""

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = ...,
        padding: str = ...,
        data_format: str | None = ...,
        dilation_rate: Sizes = ...,
        activation: ActivationLike = ...,
        recurrent_activation: ActivationLike = ...,
        use_bias: bool = ...,
        kernel_initializer: InitializerLike = ...,
        recurrent_initializer: InitializerLike = ...,
        bias_initializer: InitializerLike = ...,
        unit_forget_bias: bool = ...,
        dropout: float = ...,
        recurrent_dropout: float = ...,
        return_sequences: bool = ...,
        return_state: bool = ...,
        go_backwards: bool = ...,
        stateful: bool = ...,
        batch_size: int | None = ...,
        zero_output_for_mask: bool = ...,
        *,
        kernel_regularizer: RegularizerLike = ...,
        recurrent_regularizer: RegularizerLike = ...,
        bias_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        kernel_constraint: ConstraintLike = ...,
        recurrent_constraint: ConstraintLike = ...,
        bias_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class ConvLSTM2D(Layer):
    r"""As `ConvLSTM1D` for images of two axes: x is (N, T, H, W, C), a state (N, H', W', filters)."""

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = ...,
        padding: str = ...,
        data_format: str | None = ...,
        dilation_rate: Sizes = ...,
        activation: ActivationLike = ...,
        recurrent_activation: ActivationLike = ...,
        use_bias: bool = ...,
        kernel_initializer: InitializerLike = ...,
        recurrent_initializer: InitializerLike = ...,
        bias_initializer: InitializerLike = ...,
        unit_forget_bias: bool = ...,
        dropout: float = ...,
        recurrent_dropout: float = ...,
        return_sequences: bool = ...,
        return_state: bool = ...,
        go_backwards: bool = ...,
        stateful: bool = ...,
        batch_size: int | None = ...,
        zero_output_for_mask: bool = ...,
        *,
        kernel_regularizer: RegularizerLike = ...,
        recurrent_regularizer: RegularizerLike = ...,
        bias_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        kernel_constraint: ConstraintLike = ...,
        recurrent_constraint: ConstraintLike = ...,
        bias_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class ConvLSTM3D(Layer):
    r"""As `ConvLSTM1D` for images of three axes: x is (N, T, D, H, W, C), a state (N, D', H', W', filters)."""

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = ...,
        padding: str = ...,
        data_format: str | None = ...,
        dilation_rate: Sizes = ...,
        activation: ActivationLike = ...,
        recurrent_activation: ActivationLike = ...,
        use_bias: bool = ...,
        kernel_initializer: InitializerLike = ...,
        recurrent_initializer: InitializerLike = ...,
        bias_initializer: InitializerLike = ...,
        unit_forget_bias: bool = ...,
        dropout: float = ...,
        recurrent_dropout: float = ...,
        return_sequences: bool = ...,
        return_state: bool = ...,
        go_backwards: bool = ...,
        stateful: bool = ...,
        batch_size: int | None = ...,
        zero_output_for_mask: bool = ...,
        *,
        kernel_regularizer: RegularizerLike = ...,
        recurrent_regularizer: RegularizerLike = ...,
        bias_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        kernel_constraint: ConstraintLike = ...,
        recurrent_constraint: ConstraintLike = ...,
        bias_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Cropping1D(Layer):
    r"""Without the first and the last steps: (N, T, C) -> (N, T - before - after, C)."""

    def __init__(
        self,
        cropping: Sides = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Cropping2D(Layer):
    r"""The inside of an image: (N, H, W, C) -> (N, H - top - bottom, W - left - right, C)."""

    def __init__(
        self,
        cropping: Sides = ...,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Cropping3D(Layer):
    r"""The inside of a volume, (N, D, H, W, C); `cropping` as for `Cropping2D`."""

    def __init__(
        self,
        cropping: Sides = ...,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class CutMix(ImageLayer):
    r"""In training, a patch of each image is that of another one of the batch, and labels are mixed like the areas."""

    def __init__(
        self,
        factor: Factor = ...,
        seed: int | None = ...,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Dense(Layer):
    r"""``y = activation(x K + b)`` on the last axis."""

    def __init__(
        self,
        units: int,
        activation: ActivationLike = ...,
        use_bias: bool = ...,
        kernel_initializer: InitializerLike = ...,
        bias_initializer: InitializerLike = ...,
        *,
        kernel_regularizer: RegularizerLike = ...,
        bias_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        kernel_constraint: ConstraintLike = ...,
        bias_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class DepthwiseConv1D(Layer):
    r"""``y[n, i, c M + m] = activation(sum over t of x[n, i strides + t dilation_rate, c] K[t, c, m] + b[c M + m])``."""

    def __init__(
        self,
        kernel_size: Sizes,
        strides: Sizes = ...,
        padding: str = ...,
        depth_multiplier: int = ...,
        data_format: str | None = ...,
        dilation_rate: Sizes = ...,
        activation: ActivationLike = ...,
        use_bias: bool = ...,
        depthwise_initializer: InitializerLike = ...,
        bias_initializer: InitializerLike = ...,
        *,
        depthwise_regularizer: RegularizerLike = ...,
        bias_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        depthwise_constraint: ConstraintLike = ...,
        bias_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class DepthwiseConv2D(Layer):
    r"""A convolution over height and width of every channel for itself."""

    def __init__(
        self,
        kernel_size: Sizes,
        strides: Sizes = ...,
        padding: str = ...,
        depth_multiplier: int = ...,
        data_format: str | None = ...,
        dilation_rate: Sizes = ...,
        activation: ActivationLike = ...,
        use_bias: bool = ...,
        depthwise_initializer: InitializerLike = ...,
        bias_initializer: InitializerLike = ...,
        *,
        depthwise_regularizer: RegularizerLike = ...,
        bias_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        depthwise_constraint: ConstraintLike = ...,
        bias_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Discretization(DiscretizationLayer):
    r"""The number of boundaries that are not above x: its bin, from 0 to their number."""

    def __init__(
        self,
        bin_boundaries: Sequence[float] | None = ...,
        num_bins: int | None = ...,
        epsilon: float = ...,
        output_mode: Mode = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Dot(Layer):
    r"""``y[n, i, j] = sum_k a[n, i, k] b[n, j, k]``: two inputs contracted over one axis of each, sample by sample."""

    def __init__(
        self,
        axes: int | tuple[int, int],
        normalize: bool = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Dropout(Layer):
    r"""In training, each element is 0 with probability `rate`, the fraction dropped, else divided by ``1 - rate``."""

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = ...,
        seed: int | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class ELU(Layer):
    r"""``x`` where ``x >= 0``, else ``alpha (e^x - 1)``."""

    def __init__(
        self,
        alpha: float = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class EinsumDense(Layer):
    r"""``y = activation(einsum(equation, x, K) + b)``, a product of the input and a kernel summed over any axes."""

    def __init__(
        self,
        equation: str,
        output_shape: int | Sequence[int | None],
        activation: ActivationLike = ...,
        bias_axes: str | None = ...,
        kernel_initializer: InitializerLike = ...,
        bias_initializer: InitializerLike = ...,
        *,
        kernel_regularizer: RegularizerLike = ...,
        bias_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        kernel_constraint: ConstraintLike = ...,
        bias_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Embedding(EmbeddingLayer):
    r"""``y[..., :] = E[x[...]]``: row x of a table, for integers x from 0 to ``input_dim - 1``."""

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: InitializerLike = ...,
        mask_zero: bool = ...,
        weights: Any = ...,
        *,
        embeddings_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        embeddings_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[Options],
    ) -> None: ...

class Equalization(ImageLayer):
    r"""The values of each channel of each image become about equally frequent, in training and in inference."""

    def __init__(
        self,
        value_range: Sequence[float] = ...,
        bins: int = ...,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Flatten(Layer):
    r"""All axes of a sample as one, row-major: (N, ...) -> (N, D), and (N,) -> (N, 1)."""

    def __init__(
        self,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class GRU(StatefulLayer):
    r"""Gated recurrent unit: ``h_t = z h_{t-1} + (1 - z) g``, the last h or all of them."""

    def __init__(
        self,
        units: int,
        activation: ActivationLike = ...,
        recurrent_activation: ActivationLike = ...,
        use_bias: bool = ...,
        kernel_initializer: InitializerLike = ...,
        recurrent_initializer: InitializerLike = ...,
        bias_initializer: InitializerLike = ...,
        dropout: float = ...,
        recurrent_dropout: float = ...,
        implementation: int = ...,
        return_sequences: bool = ...,
        return_state: bool = ...,
        go_backwards: bool = ...,
        stateful: bool = ...,
        batch_size: int | None = ...,
        unroll: bool = ...,
        zero_output_for_mask: bool = ...,
        reset_after: bool = ...,
        *,
        kernel_regularizer: RegularizerLike = ...,
        recurrent_regularizer: RegularizerLike = ...,
        bias_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        kernel_constraint: ConstraintLike = ...,
        recurrent_constraint: ConstraintLike = ...,
        bias_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class GRUCell(Layer):
    r"""One step of `GRU`: ``(x_t, h) -> (h', h')``, x_t: (N, D), h: (N, units)."""

    def __init__(
        self,
        units: int,
        activation: ActivationLike = ...,
        recurrent_activation: ActivationLike = ...,
        use_bias: bool = ...,
        kernel_initializer: InitializerLike = ...,
        recurrent_initializer: InitializerLike = ...,
        bias_initializer: InitializerLike = ...,
        dropout: float = ...,
        recurrent_dropout: float = ...,
        reset_after: bool = ...,
        *,
        kernel_regularizer: RegularizerLike = ...,
        recurrent_regularizer: RegularizerLike = ...,
        bias_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        kernel_constraint: ConstraintLike = ...,
        recurrent_constraint: ConstraintLike = ...,
        bias_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class GaussianDropout(Layer):
    r"""In training, ``x (1 + z sqrt(rate / (1 - rate)))`` with standard normal z for each element, for a rate below 1."""

    def __init__(
        self,
        rate: float,
        seed: int | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class GaussianNoise(Layer):
    r"""In training, ``x + stddev z`` with standard normal z for each element."""

    def __init__(
        self,
        stddev: float,
        seed: int | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class GlobalAveragePooling1D(Layer):
    r"""The mean over all steps, ``mean_t x[n, t, c]``, or over those that count in the mask of x."""

    def __init__(
        self,
        data_format: str | None = ...,
        keepdims: bool = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class GlobalAveragePooling2D(Layer):
    r"""The mean over all pixels: (N, H, W, C) -> (N, C), or (N, 1, 1, C) with `keepdims`."""

    def __init__(
        self,
        data_format: str | None = ...,
        keepdims: bool = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class GlobalAveragePooling3D(Layer):
    r"""The mean over all voxels: (N, D, H, W, C) -> (N, C), or (N, 1, 1, 1, C) with `keepdims`."""

    def __init__(
        self,
        data_format: str | None = ...,
        keepdims: bool = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class GlobalMaxPooling1D(Layer):
    r"""The largest over all steps, ``max_t x[n, t, c]``; the gradient goes to the first one."""

    def __init__(
        self,
        data_format: str | None = ...,
        keepdims: bool = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class GlobalMaxPooling2D(Layer):
    r"""The largest over all pixels: (N, H, W, C) -> (N, C), or (N, 1, 1, C) with `keepdims`."""

    def __init__(
        self,
        data_format: str | None = ...,
        keepdims: bool = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class GlobalMaxPooling3D(Layer):
    r"""The largest over all voxels: (N, D, H, W, C) -> (N, C), or (N, 1, 1, 1, C) with `keepdims`."""

    def __init__(
        self,
        data_format: str | None = ...,
        keepdims: bool = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class GroupNormalization(Layer):
    r"""``y = (x - mean) gamma / sqrt(variance + epsilon) + beta``, statistics of each sample over a group of channels."""

    def __init__(
        self,
        groups: int = ...,
        axis: int = ...,
        epsilon: float = ...,
        center: bool = ...,
        scale: bool = ...,
        beta_initializer: InitializerLike = ...,
        gamma_initializer: InitializerLike = ...,
        *,
        beta_regularizer: RegularizerLike = ...,
        gamma_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        beta_constraint: ConstraintLike = ...,
        gamma_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class GroupQueryAttention(Layer):
    r"""`MultiHeadAttention` in which groups of neighbouring query heads share one head of keys and values."""

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = ...,
        use_bias: bool = ...,
        causal: bool = ...,
        masked: bool = ...,
        rotary: bool = ...,
        return_attention_scores: bool = ...,
        kernel_initializer: InitializerLike = ...,
        bias_initializer: InitializerLike = ...,
        *,
        kernel_regularizer: RegularizerLike = ...,
        bias_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        kernel_constraint: ConstraintLike = ...,
        bias_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class HashedCrossing(Layer):
    r"""Combinations of several categories in `num_bins` bins, by the hash of their hashes."""

    def __init__(
        self,
        num_bins: int,
        output_mode: CrossMode = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Hashing(Layer):
    r"""Texts or integers in `num_bins` bins: FarmHash64, or with a `salt` SipHash under it, modulo `num_bins`."""

    def __init__(
        self,
        num_bins: int,
        mask_value: int | str | None = ...,
        salt: int | Sequence[int] | None = ...,
        output_mode: Mode = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Identity(Layer):
    r"""``x``."""

    def __init__(
        self,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class IntegerLookup(VocabularyLayer):
    r"""The number of each integer in a vocabulary: `StringLookup` for integers, which also runs in compiled code."""

    def __init__(
        self,
        max_tokens: int | None = ...,
        num_oov_indices: int = ...,
        mask_token: int | None = ...,
        oov_token: int = ...,
        vocabulary: Sequence[int] | None = ...,
        idf_weights: Sequence[float] | None = ...,
        invert: bool = ...,
        output_mode: OutputMode = ...,
        pad_to_max_tokens: bool = ...,
        oov_method: OovMethod = ...,
        salt: int | Sequence[int] | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class LSTM(StatefulLayer):
    r"""Long short-term memory: ``c_t = f c_{t-1} + i g`` and ``h_t = o activation(c_t)``, the last h or all of them."""

    def __init__(
        self,
        units: int,
        activation: ActivationLike = ...,
        recurrent_activation: ActivationLike = ...,
        use_bias: bool = ...,
        kernel_initializer: InitializerLike = ...,
        recurrent_initializer: InitializerLike = ...,
        bias_initializer: InitializerLike = ...,
        unit_forget_bias: bool = ...,
        dropout: float = ...,
        recurrent_dropout: float = ...,
        implementation: int = ...,
        return_sequences: bool = ...,
        return_state: bool = ...,
        go_backwards: bool = ...,
        stateful: bool = ...,
        batch_size: int | None = ...,
        unroll: bool = ...,
        zero_output_for_mask: bool = ...,
        *,
        kernel_regularizer: RegularizerLike = ...,
        recurrent_regularizer: RegularizerLike = ...,
        bias_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        kernel_constraint: ConstraintLike = ...,
        recurrent_constraint: ConstraintLike = ...,
        bias_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class LSTMCell(Layer):
    r"""One step of `LSTM`: ``(x_t, h, c) -> (h', h', c')``, x_t: (N, D), h and c: (N, units)."""

    def __init__(
        self,
        units: int,
        activation: ActivationLike = ...,
        recurrent_activation: ActivationLike = ...,
        use_bias: bool = ...,
        kernel_initializer: InitializerLike = ...,
        recurrent_initializer: InitializerLike = ...,
        bias_initializer: InitializerLike = ...,
        unit_forget_bias: bool = ...,
        dropout: float = ...,
        recurrent_dropout: float = ...,
        *,
        kernel_regularizer: RegularizerLike = ...,
        recurrent_regularizer: RegularizerLike = ...,
        bias_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        kernel_constraint: ConstraintLike = ...,
        recurrent_constraint: ConstraintLike = ...,
        bias_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Lambda(LambdaLayer):
    r"""``function(x)``, a pure function of a batch, or of a tuple of them, written with `fnet.ops` or NumPy functions."""

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = ...,
        mask: Any = ...,
        arguments: Mapping[str, Any] | None = ...,
        **options: Any,
    ) -> None: ...

class LayerNormalization(Layer):
    r"""``y = (x - mean) gamma / sqrt(variance + epsilon) + beta`` with the statistics of each sample over `axis`."""

    def __init__(
        self,
        axis: int | Sequence[int] = ...,
        epsilon: float = ...,
        center: bool = ...,
        scale: bool = ...,
        beta_initializer: InitializerLike = ...,
        gamma_initializer: InitializerLike = ...,
        *,
        beta_regularizer: RegularizerLike = ...,
        gamma_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        beta_constraint: ConstraintLike = ...,
        gamma_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class LeakyReLU(Layer):
    r"""``x`` where positive, else ``negative_slope x``."""

    def __init__(
        self,
        negative_slope: float = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Masking(Layer):
    r"""Steps whose features all are `mask_value`, which may be NaN, do not count from here on, and are set to 0."""

    def __init__(
        self,
        mask_value: float = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class MaxNumBoundingBoxes(ImageLayer):
    r"""Each image has `max_number` bounding boxes: those behind are left out, missing ones are of `fill_value`."""

    def __init__(
        self,
        max_number: int,
        fill_value: int = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class MaxPooling1D(Layer):
    r"""The largest of `pool_size` steps, ``y[n, i, c] = max_p x[n, i strides + p, c]``, NaN where there is one."""

    def __init__(
        self,
        pool_size: Sizes = ...,
        strides: Sizes | None = ...,
        padding: str = ...,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class MaxPooling2D(Layer):
    r"""The largest of the pixels in each window, NaN where there is one."""

    def __init__(
        self,
        pool_size: Sizes = ...,
        strides: Sizes | None = ...,
        padding: str = ...,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class MaxPooling3D(Layer):
    r"""The largest of the voxels in each window, NaN where there is one."""

    def __init__(
        self,
        pool_size: Sizes = ...,
        strides: Sizes | None = ...,
        padding: str = ...,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Maximum(Layer):
    r"""The largest of a tuple of inputs, element by element; NaN where one of them is; masked entries do not count."""

    def __init__(
        self,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class MelSpectrogram(Layer):
    r"""Sounds as the power in bands of the mel scale over time, ``sum_f |X[n, t, f]|^mag_exp M[f, m]``, in decibels."""

    def __init__(
        self,
        fft_length: int = ...,
        sequence_stride: int = ...,
        sequence_length: int | None = ...,
        window: WindowLike = ...,
        sampling_rate: int = ...,
        num_mel_bins: int = ...,
        min_freq: float = ...,
        max_freq: float | None = ...,
        power_to_db: bool = ...,
        top_db: float = ...,
        mag_exp: float = ...,
        min_power: float = ...,
        ref_power: float = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Minimum(Layer):
    r"""The smallest of a tuple of inputs, element by element; NaN where one of them is; masked entries do not count."""

    def __init__(
        self,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class MixUp(ImageLayer):
    r"""In training, each image and its label are ``w a + (1 - w) b`` with another one of the batch."""

    def __init__(
        self,
        alpha: float = ...,
        data_format: str | None = ...,
        seed: int | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class MultiHeadAttention(Layer):
    r"""Every position of the query gathers values from the positions whose keys resemble it, once for each head."""

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = ...,
        dropout: float = ...,
        use_bias: bool = ...,
        output_shape: int | Sequence[int] | None = ...,
        causal: bool = ...,
        masked: bool = ...,
        rotary: bool = ...,
        return_attention_scores: bool = ...,
        kernel_initializer: InitializerLike = ...,
        bias_initializer: InitializerLike = ...,
        *,
        kernel_regularizer: RegularizerLike = ...,
        bias_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        kernel_constraint: ConstraintLike = ...,
        bias_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Multiply(Layer):
    r"""``x_1 x_2 ...`` of a tuple of inputs, element by element; a masked entry is a factor of 1."""

    def __init__(
        self,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Normalization(NormalizationLayer):
    r"""``y = (x - mean) / max(sqrt(variance), 1e-7)`` with a mean and a variance for each entry of `axis`."""

    def __init__(
        self,
        axis: int | Sequence[int] | None = ...,
        mean: float | Sequence[float] | None = ...,
        variance: float | Sequence[float] | None = ...,
        invert: bool = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class PReLU(Layer):
    r"""``x`` where positive, else ``alpha x``, with a learned ``alpha`` for every element of a sample."""

    def __init__(
        self,
        alpha_initializer: InitializerLike = ...,
        shared_axes: int | Sequence[int] | None = ...,
        *,
        alpha_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        alpha_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Permute(Layer):
    r"""The axes of each sample in another order: axis i of the result is axis ``dims[i]`` of x, counted from 1."""

    def __init__(
        self,
        dims: Sequence[int],
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Pipeline(PipelineLayer):
    r"""Layers one behind the other, mostly of images: `fnet.serial` under Keras' name."""

    def __init__(
        self,
        layers: Sequence[Any],
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class PositionEmbedding(Layer):
    r"""A learnt vector for each position: ``y[n, t] = E[t]``, to be added: ``residual(PositionEmbedding(length))``."""

    def __init__(
        self,
        sequence_length: int,
        initializer: InitializerLike = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class RMSNormalization(Layer):
    r"""``y = x scale / sqrt(mean(x^2) + epsilon)`` with the mean over `axis` of each sample."""

    def __init__(
        self,
        axis: int | Sequence[int] = ...,
        epsilon: float = ...,
        *,
        scale_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        scale_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class RNN(OwnCells):
    r"""``(y_t, *states) = cell((x_t, *states))`` for every step of a sequence, the last y or all of them."""

    def __init__(
        self,
        cell: Layer | Sequence[Layer],
        return_sequences: bool = ...,
        return_state: bool = ...,
        go_backwards: bool = ...,
        stateful: bool = ...,
        batch_size: int | None = ...,
        unroll: bool = ...,
        zero_output_for_mask: bool = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class RandAugment(ImageLayer):
    r"""In training, each image goes through `num_ops` of 11 layers, picked for each image by chance."""

    def __init__(
        self,
        value_range: Sequence[float] = ...,
        num_ops: int = ...,
        factor: Factor = ...,
        interpolation: Interpolation = ...,
        seed: int | None = ...,
        data_format: str | None = ...,
        bounding_box_format: BoxFormat | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class RandomBrightness(ImageLayer):
    r"""In training, `factor` times the range of values is added to each image, which stays within `value_range`."""

    def __init__(
        self,
        factor: Factor,
        value_range: Sequence[float] = ...,
        seed: int | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class RandomColorDegeneration(ImageLayer):
    r"""In training, ``y = x + f (grey - x)`` with the luminance of the image: colours become duller."""

    def __init__(
        self,
        factor: Factor,
        value_range: Sequence[float] = ...,
        data_format: str | None = ...,
        seed: int | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class RandomColorJitter(ImageLayer):
    r"""`RandomBrightness`, `RandomContrast`, `RandomSaturation` and `RandomHue`, of which a factor is given."""

    def __init__(
        self,
        value_range: Sequence[float] = ...,
        brightness_factor: Factor | None = ...,
        contrast_factor: Factor | None = ...,
        saturation_factor: Factor | None = ...,
        hue_factor: Factor | None = ...,
        seed: int | None = ...,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class RandomContrast(ImageLayer):
    r"""In training, ``y = mean + f (x - mean)`` with the mean of each channel of each image, within `value_range`."""

    def __init__(
        self,
        factor: Factor,
        value_range: Sequence[float] = ...,
        seed: int | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class RandomCrop(ImageLayer):
    r"""In training, a part of each image of `height` rows and `width` columns."""

    def __init__(
        self,
        height: int,
        width: int,
        seed: int | None = ...,
        data_format: str | None = ...,
        bounding_box_format: BoxFormat | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class RandomElasticTransform(ImageLayer):
    r"""In training, with a probability, pixels of each image are moved, near ones alike: by smooth noise."""

    def __init__(
        self,
        factor: Factor = ...,
        scale: Factor = ...,
        interpolation: Interpolation = ...,
        fill_mode: FillMode = ...,
        fill_value: float = ...,
        value_range: tuple[float, float] = ...,
        seed: int | None = ...,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class RandomErasing(ImageLayer):
    r"""In training, with a probability, a patch of each image becomes noise, or `fill_value`."""

    def __init__(
        self,
        factor: Factor = ...,
        scale: Factor = ...,
        fill_value: float | Sequence[float] | None = ...,
        value_range: Sequence[float] = ...,
        seed: int | None = ...,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class RandomFlip(ImageLayer):
    r"""In training, each image is mirrored with probability 1/2: left to right, top to bottom, or each by itself."""

    def __init__(
        self,
        mode: Literal["horizontal", "vertical", "horizontal_and_vertical"] = ...,
        seed: int | None = ...,
        data_format: str | None = ...,
        bounding_box_format: BoxFormat | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class RandomGaussianBlur(ImageLayer):
    r"""In training, with a probability, each image is blurred by a Gaussian kernel; beyond the edges are zeros."""

    def __init__(
        self,
        factor: Factor = ...,
        kernel_size: int | Sequence[int] = ...,
        sigma: Factor = ...,
        value_range: Sequence[float] = ...,
        data_format: str | None = ...,
        seed: int | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class RandomGrayscale(ImageLayer):
    r"""In training, all channels of an image are its luminance, with probability `factor`."""

    def __init__(
        self,
        factor: float = ...,
        data_format: str | None = ...,
        seed: int | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class RandomHue(ImageLayer):
    r"""In training, the hue of each image is turned by half of `factor` of a full circle, to one side or the other."""

    def __init__(
        self,
        factor: Factor,
        value_range: Sequence[float] = ...,
        data_format: str | None = ...,
        seed: int | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class RandomInvert(ImageLayer):
    r"""In training, ``y = least + largest - x`` for each image with a probability."""

    def __init__(
        self,
        factor: Factor = ...,
        value_range: Sequence[float] = ...,
        seed: int | None = ...,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class RandomPerspective(ImageLayer):
    r"""In training, with a probability, each image is seen from aside: its right and lower corners are moved."""

    def __init__(
        self,
        factor: Factor = ...,
        scale: float = ...,
        interpolation: Interpolation = ...,
        fill_value: float = ...,
        seed: int | None = ...,
        data_format: str | None = ...,
        bounding_box_format: BoxFormat | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class RandomPosterization(ImageLayer):
    r"""In training, of the 8 bits of each value the highest `factor` are kept."""

    def __init__(
        self,
        factor: int | Sequence[int],
        value_range: Sequence[float] = ...,
        data_format: str | None = ...,
        seed: int | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class RandomRotation(ImageLayer):
    r"""In training, each image is turned about its middle by an angle of `factor` times a full turn."""

    def __init__(
        self,
        factor: Factor,
        fill_mode: FillMode = ...,
        interpolation: Interpolation = ...,
        seed: int | None = ...,
        fill_value: float = ...,
        data_format: str | None = ...,
        bounding_box_format: BoxFormat | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class RandomSaturation(ImageLayer):
    r"""In training, the saturation of each image is multiplied by ``f / (1 - f)``, up to 1: 0.5 changes nothing."""

    def __init__(
        self,
        factor: Factor,
        value_range: Sequence[float] = ...,
        data_format: str | None = ...,
        seed: int | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class RandomSharpness(ImageLayer):
    r"""In training, ``y = x + (1 - 2 f) (smooth - x)``: 0 gives smooth images, 0.5 changes nothing, 1 sharpens."""

    def __init__(
        self,
        factor: Factor,
        value_range: Sequence[float] = ...,
        data_format: str | None = ...,
        seed: int | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class RandomShear(ImageLayer):
    r"""In training, rows of each image are moved by `x_factor` a row, and columns by `y_factor` a column, or back."""

    def __init__(
        self,
        x_factor: Factor = ...,
        y_factor: Factor = ...,
        interpolation: Interpolation = ...,
        fill_mode: FillMode = ...,
        fill_value: float = ...,
        data_format: str | None = ...,
        seed: int | None = ...,
        bounding_box_format: BoxFormat | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class RandomTranslation(ImageLayer):
    r"""In training, each image is moved down by `height_factor` of its height and right by `width_factor` of its width."""

    def __init__(
        self,
        height_factor: Factor,
        width_factor: Factor,
        fill_mode: FillMode = ...,
        interpolation: Interpolation = ...,
        seed: int | None = ...,
        fill_value: float = ...,
        data_format: str | None = ...,
        bounding_box_format: BoxFormat | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class RandomZoom(ImageLayer):
    r"""In training, each image shows ``1 + height_factor`` times as many rows: above 0 it looks smaller, below 0 larger."""

    def __init__(
        self,
        height_factor: Factor,
        width_factor: Factor | None = ...,
        fill_mode: FillMode = ...,
        interpolation: Interpolation = ...,
        seed: int | None = ...,
        fill_value: float = ...,
        data_format: str | None = ...,
        bounding_box_format: BoxFormat | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class ReLU(Layer):
    r"""`max_value` from there on, ``x`` above `threshold`, else ``negative_slope (x - threshold)``."""

    def __init__(
        self,
        max_value: float | None = ...,
        negative_slope: float = ...,
        threshold: float = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class RepeatVector(Layer):
    r"""Each sample `n` times, as steps: (N, D) -> (N, n, D)."""

    def __init__(
        self,
        n: int,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Rescaling(Layer):
    r"""``y = x scale + offset``, as for bytes of images in [0, 1]: ``Rescaling(1 / 255)``."""

    def __init__(
        self,
        scale: float | Sequence[float],
        offset: float | Sequence[float] = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Reshape(Layer):
    r"""Each sample in another shape, row-major: (N, ...) -> (N, *target_shape); one size may be -1."""

    def __init__(
        self,
        target_shape: Sequence[int],
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Resizing(ImageLayer):
    r"""Images of `height` rows and `width` columns: x: (N, H, W, C) -> (N, height, width, C)."""

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: Method = ...,
        crop_to_aspect_ratio: bool = ...,
        pad_to_aspect_ratio: bool = ...,
        fill_mode: Literal["constant"] = ...,
        fill_value: float = ...,
        antialias: bool = ...,
        data_format: str | None = ...,
        bounding_box_format: BoxFormat | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class ReversibleEmbedding(ReversibleLayer):
    r"""``y = E[x]`` for integers x, and ``y = h E'`` for vectors h in a dict, ``{"reverse": h}``: one table, both ways."""

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        tie_weights: bool = ...,
        embeddings_initializer: InitializerLike = ...,
        mask_zero: bool = ...,
        reverse_dtype: Any = ...,
        logit_soft_cap: float | None = ...,
        *,
        embeddings_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        embeddings_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[Options],
    ) -> None: ...

class RotaryEmbedding(Layer):
    r"""Features rotated by the position, see `rotate_by_position`: (N, T, ..., F) -> (N, T, ..., F), F even."""

    def __init__(
        self,
        max_wavelength: float = ...,
        scaling_factor: float = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class STFTSpectrogram(Layer):
    r"""The short-time Fourier transform X of each channel, ``X[n, t, f] = sum_s x[n, t frame_step + s] K[s, f]``."""

    def __init__(
        self,
        mode: str = ...,
        frame_length: int = ...,
        frame_step: int | None = ...,
        fft_length: int | None = ...,
        window: WindowLike = ...,
        periodic: bool = ...,
        scaling: str | None = ...,
        padding: str = ...,
        expand_dims: bool = ...,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class SeparableConv1D(Layer):
    r"""A depthwise convolution, then a product with a matrix at every step: ``activation(depthwise(x, K) P + b)``."""

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = ...,
        padding: str = ...,
        data_format: str | None = ...,
        dilation_rate: Sizes = ...,
        depth_multiplier: int = ...,
        activation: ActivationLike = ...,
        use_bias: bool = ...,
        depthwise_initializer: InitializerLike = ...,
        pointwise_initializer: InitializerLike = ...,
        bias_initializer: InitializerLike = ...,
        *,
        depthwise_regularizer: RegularizerLike = ...,
        pointwise_regularizer: RegularizerLike = ...,
        bias_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        depthwise_constraint: ConstraintLike = ...,
        pointwise_constraint: ConstraintLike = ...,
        bias_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class SeparableConv2D(Layer):
    r"""A depthwise convolution over height and width, then a product with a matrix at every pixel."""

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = ...,
        padding: str = ...,
        data_format: str | None = ...,
        dilation_rate: Sizes = ...,
        depth_multiplier: int = ...,
        activation: ActivationLike = ...,
        use_bias: bool = ...,
        depthwise_initializer: InitializerLike = ...,
        pointwise_initializer: InitializerLike = ...,
        bias_initializer: InitializerLike = ...,
        *,
        depthwise_regularizer: RegularizerLike = ...,
        pointwise_regularizer: RegularizerLike = ...,
        bias_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        depthwise_constraint: ConstraintLike = ...,
        pointwise_constraint: ConstraintLike = ...,
        bias_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class SimpleRNN(StatefulLayer):
    r"""``h_t = activation(x_t K + h_{t-1} R + b)``, the last h or all of them."""

    def __init__(
        self,
        units: int,
        activation: ActivationLike = ...,
        use_bias: bool = ...,
        kernel_initializer: InitializerLike = ...,
        recurrent_initializer: InitializerLike = ...,
        bias_initializer: InitializerLike = ...,
        dropout: float = ...,
        recurrent_dropout: float = ...,
        return_sequences: bool = ...,
        return_state: bool = ...,
        go_backwards: bool = ...,
        stateful: bool = ...,
        batch_size: int | None = ...,
        unroll: bool = ...,
        zero_output_for_mask: bool = ...,
        *,
        kernel_regularizer: RegularizerLike = ...,
        recurrent_regularizer: RegularizerLike = ...,
        bias_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        kernel_constraint: ConstraintLike = ...,
        recurrent_constraint: ConstraintLike = ...,
        bias_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class SimpleRNNCell(Layer):
    r"""One step of `SimpleRNN`: ``(x_t, h) -> (h', h')``, x_t: (N, D), h: (N, units)."""

    def __init__(
        self,
        units: int,
        activation: ActivationLike = ...,
        use_bias: bool = ...,
        kernel_initializer: InitializerLike = ...,
        recurrent_initializer: InitializerLike = ...,
        bias_initializer: InitializerLike = ...,
        dropout: float = ...,
        recurrent_dropout: float = ...,
        *,
        kernel_regularizer: RegularizerLike = ...,
        recurrent_regularizer: RegularizerLike = ...,
        bias_regularizer: RegularizerLike = ...,
        activity_regularizer: RegularizerLike = ...,
        kernel_constraint: ConstraintLike = ...,
        recurrent_constraint: ConstraintLike = ...,
        bias_constraint: ConstraintLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class SinePositionEncoding(Layer):
    r"""Waves of the position, to be added: ``y[n, t, 2i] = sin(t / w^(2i/F))`` and ``y[n, t, 2i+1] = cos`` of the same."""

    def __init__(
        self,
        max_wavelength: float = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Softmax(Layer):
    r"""``e^x / sum(e^x)`` with the sum over `axis`, which counts the batch axis."""

    def __init__(
        self,
        axis: int | Sequence[int] = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Solarization(ImageLayer):
    r"""In training, values from a threshold on are inverted: ``y = least + largest - x``."""

    def __init__(
        self,
        addition_factor: Factor = ...,
        threshold_factor: Factor = ...,
        value_range: Sequence[float] = ...,
        seed: int | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class SpatialDropout1D(Layer):
    r"""In training, each channel of a sample is 0 in all steps with probability `rate`, else divided by ``1 - rate``."""

    def __init__(
        self,
        rate: float,
        seed: int | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class SpatialDropout2D(Layer):
    r"""In training, each channel of a sample is 0 in all pixels with probability `rate`, else divided by ``1 - rate``."""

    def __init__(
        self,
        rate: float,
        seed: int | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class SpatialDropout3D(Layer):
    r"""In training, each channel of a sample is 0 in all voxels with probability `rate`, else divided by ``1 - rate``."""

    def __init__(
        self,
        rate: float,
        seed: int | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class SpectralNormalization(NormalizedLayer):
    r"""`layer` with the kernel ``W / sigma`` in training; ``sigma = v W u^T`` estimates its largest singular value."""

    def __init__(
        self,
        layer: Layer,
        power_iterations: int = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class StackedRNNCells(Layer):
    r"""Cells on top of each other as one: each gets the output of the one before as its x_t."""

    def __init__(
        self,
        cells: Sequence[Layer],
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class StringLookup(VocabularyLayer):
    r"""The number of each text in a vocabulary."""

    def __init__(
        self,
        max_tokens: int | None = ...,
        num_oov_indices: int = ...,
        mask_token: str | None = ...,
        oov_token: str = ...,
        vocabulary: Sequence[str] | str | PathLike[str] | None = ...,
        idf_weights: Sequence[float] | None = ...,
        invert: bool = ...,
        output_mode: OutputMode = ...,
        pad_to_max_tokens: bool = ...,
        encoding: str = ...,
        salt: int | Sequence[int] | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class Subtract(Layer):
    r"""``x_1 - x_2`` of two inputs."""

    def __init__(
        self,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class TextVectorization(VocabularyLayer):
    r"""The numbers of the tokens of each text: 0 where it has ended, 1 for tokens not in the vocabulary, then these."""

    def __init__(
        self,
        max_tokens: int | None = ...,
        standardize: Standard = ...,
        split: Split = ...,
        ngrams: int | Sequence[int] | None = ...,
        output_mode: OutputMode = ...,
        output_sequence_length: int | None = ...,
        pad_to_max_tokens: bool = ...,
        vocabulary: Sequence[str] | str | PathLike[str] | None = ...,
        idf_weights: Sequence[float] | None = ...,
        ragged: bool = ...,
        encoding: str = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class UnitNormalization(Layer):
    r"""``y = x / sqrt(max(sum(x^2), 1e-24))`` with the sum over `axis` of each sample, so that vectors have length 1."""

    def __init__(
        self,
        axis: int | Sequence[int] = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class UpSampling1D(Layer):
    r"""Each step `size` times in a row: (N, T, C) -> (N, size T, C)."""

    def __init__(
        self,
        size: Sizes = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class UpSampling2D(Layer):
    r"""An image of more pixels: (N, H, W, C) -> (N, size H, size W, C), with one size or one for each axis."""

    def __init__(
        self,
        size: Sizes = ...,
        data_format: str | None = ...,
        interpolation: str = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class UpSampling3D(Layer):
    r"""Each voxel repeated on every axis: (N, D, H, W, C) -> (N, size D, size H, size W, C)."""

    def __init__(
        self,
        size: Sizes = ...,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class ZeroPadding1D(Layer):
    r"""Zeros before and after the steps: (N, T, C) -> (N, before + T + after, C)."""

    def __init__(
        self,
        padding: Sides = ...,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class ZeroPadding2D(Layer):
    r"""Zeros around an image: (N, H, W, C) -> (N, top + H + bottom, left + W + right, C)."""

    def __init__(
        self,
        padding: Sides = ...,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

class ZeroPadding3D(Layer):
    r"""Zeros around a volume, (N, D, H, W, C); `padding` as for `ZeroPadding2D`."""

    def __init__(
        self,
        padding: Sides = ...,
        data_format: str | None = ...,
        *,
        activity_regularizer: RegularizerLike = ...,
        trainable: bool = ...,
        name: str | None = ...,
        **options: Unpack[OptionsAndWidth],
    ) -> None: ...

def add(
    inputs: Sequence[Any],
    *,
    activity_regularizer: RegularizerLike = ...,
    trainable: bool = ...,
    name: str | None = ...,
) -> Any: ...
def average(
    inputs: Sequence[Any],
    *,
    activity_regularizer: RegularizerLike = ...,
    trainable: bool = ...,
    name: str | None = ...,
) -> Any: ...
def concatenate(
    inputs: Sequence[Any],
    axis: int = ...,
    *,
    activity_regularizer: RegularizerLike = ...,
    trainable: bool = ...,
    name: str | None = ...,
) -> Any: ...
def dot(
    inputs: Sequence[Any],
    axes: int | tuple[int, int],
    normalize: bool = ...,
    *,
    activity_regularizer: RegularizerLike = ...,
    trainable: bool = ...,
    name: str | None = ...,
) -> Any: ...
def maximum(
    inputs: Sequence[Any],
    *,
    activity_regularizer: RegularizerLike = ...,
    trainable: bool = ...,
    name: str | None = ...,
) -> Any: ...
def minimum(
    inputs: Sequence[Any],
    *,
    activity_regularizer: RegularizerLike = ...,
    trainable: bool = ...,
    name: str | None = ...,
) -> Any: ...
def multiply(
    inputs: Sequence[Any],
    *,
    activity_regularizer: RegularizerLike = ...,
    trainable: bool = ...,
    name: str | None = ...,
) -> Any: ...
def subtract(
    inputs: Sequence[Any],
    *,
    activity_regularizer: RegularizerLike = ...,
    trainable: bool = ...,
    name: str | None = ...,
) -> Any: ...

AvgPool1D = AveragePooling1D
AvgPool2D = AveragePooling2D
AvgPool3D = AveragePooling3D
Convolution1D = Conv1D
Convolution1DTranspose = Conv1DTranspose
Convolution2D = Conv2D
Convolution2DTranspose = Conv2DTranspose
Convolution3D = Conv3D
Convolution3DTranspose = Conv3DTranspose
GlobalAvgPool1D = GlobalAveragePooling1D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
GlobalMaxPool1D = GlobalMaxPooling1D
GlobalMaxPool2D = GlobalMaxPooling2D
GlobalMaxPool3D = GlobalMaxPooling3D
MaxPool1D = MaxPooling1D
MaxPool2D = MaxPooling2D
MaxPool3D = MaxPooling3D
SeparableConvolution1D = SeparableConv1D
SeparableConvolution2D = SeparableConv2D
