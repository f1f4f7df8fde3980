from fnet.layers.activation import Activation as Activation
from fnet.layers.activation import ActivityRegularization as ActivityRegularization
from fnet.layers.activation import Identity as Identity
from fnet.layers.activation import Lambda as Lambda
from fnet.layers.adaptive_pooling import AdaptiveAveragePooling1D as AdaptiveAveragePooling1D
from fnet.layers.adaptive_pooling import AdaptiveAveragePooling2D as AdaptiveAveragePooling2D
from fnet.layers.adaptive_pooling import AdaptiveAveragePooling3D as AdaptiveAveragePooling3D
from fnet.layers.adaptive_pooling import AdaptiveMaxPooling1D as AdaptiveMaxPooling1D
from fnet.layers.adaptive_pooling import AdaptiveMaxPooling2D as AdaptiveMaxPooling2D
from fnet.layers.adaptive_pooling import AdaptiveMaxPooling3D as AdaptiveMaxPooling3D
from fnet.layers.advanced_activations import ELU as ELU
from fnet.layers.advanced_activations import LeakyReLU as LeakyReLU
from fnet.layers.advanced_activations import PReLU as PReLU
from fnet.layers.advanced_activations import ReLU as ReLU
from fnet.layers.advanced_activations import Softmax as Softmax
from fnet.layers.attention import GroupQueryAttention as GroupQueryAttention
from fnet.layers.attention import MultiHeadAttention as MultiHeadAttention
from fnet.layers.attention import decode_step as decode_step
from fnet.layers.attention import key_value_cache as key_value_cache
from fnet.layers.augmentation_policies import AugMix as AugMix
from fnet.layers.augmentation_policies import RandAugment as RandAugment
from fnet.layers.bidirectional import Bidirectional as Bidirectional
from fnet.layers.bounding_boxes import MaxNumBoundingBoxes as MaxNumBoundingBoxes
from fnet.layers.category_encoding import CategoryEncoding as CategoryEncoding
from fnet.layers.cells import GRUCell as GRUCell
from fnet.layers.cells import LSTMCell as LSTMCell
from fnet.layers.cells import SimpleRNNCell as SimpleRNNCell
from fnet.layers.cells import StackedRNNCells as StackedRNNCells
from fnet.layers.constructor import LAYERS as LAYERS
from fnet.layers.constructor import layer_constructor as layer_constructor
from fnet.layers.conv import Conv1D as Conv1D
from fnet.layers.conv import Conv2D as Conv2D
from fnet.layers.conv import Conv3D as Conv3D
from fnet.layers.conv_lstm import ConvLSTM1D as ConvLSTM1D
from fnet.layers.conv_lstm import ConvLSTM2D as ConvLSTM2D
from fnet.layers.conv_lstm import ConvLSTM3D as ConvLSTM3D
from fnet.layers.conv_transpose import Conv1DTranspose as Conv1DTranspose
from fnet.layers.conv_transpose import Conv2DTranspose as Conv2DTranspose
from fnet.layers.conv_transpose import Conv3DTranspose as Conv3DTranspose
from fnet.layers.dense import Dense as Dense
from fnet.layers.depthwise import DepthwiseConv1D as DepthwiseConv1D
from fnet.layers.depthwise import DepthwiseConv2D as DepthwiseConv2D
from fnet.layers.depthwise import SeparableConv1D as SeparableConv1D
from fnet.layers.depthwise import SeparableConv2D as SeparableConv2D
from fnet.layers.discretization import Discretization as Discretization
from fnet.layers.dropout import Dropout as Dropout
from fnet.layers.einsum_dense import EinsumDense as EinsumDense
from fnet.layers.embedding import Embedding as Embedding
from fnet.layers.hashing import HashedCrossing as HashedCrossing
from fnet.layers.hashing import Hashing as Hashing
from fnet.layers.histograms import AutoContrast as AutoContrast
from fnet.layers.histograms import (
    ContrastLimitedAdaptiveHistogramEqualization as ContrastLimitedAdaptiveHistogramEqualization,
)
from fnet.layers.histograms import Equalization as Equalization
from fnet.layers.integer_lookup import IntegerLookup as IntegerLookup
from fnet.layers.learned_scale import Normalization as Normalization
from fnet.layers.masking import Masking as Masking
from fnet.layers.merge import Add as Add
from fnet.layers.merge import Average as Average
from fnet.layers.merge import Concatenate as Concatenate
from fnet.layers.merge import Dot as Dot
from fnet.layers.merge import Maximum as Maximum
from fnet.layers.merge import Minimum as Minimum
from fnet.layers.merge import Multiply as Multiply
from fnet.layers.merge import Subtract as Subtract
from fnet.layers.merge import add as add
from fnet.layers.merge import average as average
from fnet.layers.merge import concatenate as concatenate
from fnet.layers.merge import dot as dot
from fnet.layers.merge import maximum as maximum
from fnet.layers.merge import minimum as minimum
from fnet.layers.merge import multiply as multiply
from fnet.layers.merge import subtract as subtract
from fnet.layers.noise import AlphaDropout as AlphaDropout
from fnet.layers.noise import GaussianDropout as GaussianDropout
from fnet.layers.noise import GaussianNoise as GaussianNoise
from fnet.layers.noise import SpatialDropout1D as SpatialDropout1D
from fnet.layers.noise import SpatialDropout2D as SpatialDropout2D
from fnet.layers.noise import SpatialDropout3D as SpatialDropout3D
from fnet.layers.normalization import BatchNormalization as BatchNormalization
from fnet.layers.normalization import GroupNormalization as GroupNormalization
from fnet.layers.normalization import LayerNormalization as LayerNormalization
from fnet.layers.normalization import RMSNormalization as RMSNormalization
from fnet.layers.normalization import UnitNormalization as UnitNormalization
from fnet.layers.pipeline import Pipeline as Pipeline
from fnet.layers.plain_attention import AdditiveAttention as AdditiveAttention
from fnet.layers.plain_attention import Attention as Attention
from fnet.layers.pooling import AveragePooling1D as AveragePooling1D
from fnet.layers.pooling import AveragePooling2D as AveragePooling2D
from fnet.layers.pooling import AveragePooling3D as AveragePooling3D
from fnet.layers.pooling import GlobalAveragePooling1D as GlobalAveragePooling1D
from fnet.layers.pooling import GlobalAveragePooling2D as GlobalAveragePooling2D
from fnet.layers.pooling import GlobalAveragePooling3D as GlobalAveragePooling3D
from fnet.layers.pooling import GlobalMaxPooling1D as GlobalMaxPooling1D
from fnet.layers.pooling import GlobalMaxPooling2D as GlobalMaxPooling2D
from fnet.layers.pooling import GlobalMaxPooling3D as GlobalMaxPooling3D
from fnet.layers.pooling import MaxPooling1D as MaxPooling1D
from fnet.layers.pooling import MaxPooling2D as MaxPooling2D
from fnet.layers.pooling import MaxPooling3D as MaxPooling3D
from fnet.layers.position import PositionEmbedding as PositionEmbedding
from fnet.layers.position import RotaryEmbedding as RotaryEmbedding
from fnet.layers.position import SinePositionEncoding as SinePositionEncoding
from fnet.layers.random_blur import RandomGaussianBlur as RandomGaussianBlur
from fnet.layers.random_blur import RandomSharpness as RandomSharpness
from fnet.layers.random_colors import RandomBrightness as RandomBrightness
from fnet.layers.random_colors import RandomColorDegeneration as RandomColorDegeneration
from fnet.layers.random_colors import RandomContrast as RandomContrast
from fnet.layers.random_colors import RandomGrayscale as RandomGrayscale
from fnet.layers.random_colors import RandomInvert as RandomInvert
from fnet.layers.random_colors import RandomPosterization as RandomPosterization
from fnet.layers.random_colors import Solarization as Solarization
from fnet.layers.random_distortion import RandomElasticTransform as RandomElasticTransform
from fnet.layers.random_distortion import RandomPerspective as RandomPerspective
from fnet.layers.random_geometry import RandomCrop as RandomCrop
from fnet.layers.random_geometry import RandomFlip as RandomFlip
from fnet.layers.random_geometry import RandomRotation as RandomRotation
from fnet.layers.random_geometry import RandomShear as RandomShear
from fnet.layers.random_geometry import RandomTranslation as RandomTranslation
from fnet.layers.random_geometry import RandomZoom as RandomZoom
from fnet.layers.random_hues import RandomColorJitter as RandomColorJitter
from fnet.layers.random_hues import RandomHue as RandomHue
from fnet.layers.random_hues import RandomSaturation as RandomSaturation
from fnet.layers.random_patches import CutMix as CutMix
from fnet.layers.random_patches import MixUp as MixUp
from fnet.layers.random_patches import RandomErasing as RandomErasing
from fnet.layers.recurrent import GRU as GRU
from fnet.layers.recurrent import LSTM as LSTM
from fnet.layers.recurrent import SimpleRNN as SimpleRNN
from fnet.layers.resample import Cropping1D as Cropping1D
from fnet.layers.resample import Cropping2D as Cropping2D
from fnet.layers.resample import Cropping3D as Cropping3D
from fnet.layers.resample import UpSampling1D as UpSampling1D
from fnet.layers.resample import UpSampling2D as UpSampling2D
from fnet.layers.resample import UpSampling3D as UpSampling3D
from fnet.layers.resample import ZeroPadding1D as ZeroPadding1D
from fnet.layers.resample import ZeroPadding2D as ZeroPadding2D
from fnet.layers.resample import ZeroPadding3D as ZeroPadding3D
from fnet.layers.rescaling import Rescaling as Rescaling
from fnet.layers.reshape import Flatten as Flatten
from fnet.layers.reshape import Permute as Permute
from fnet.layers.reshape import RepeatVector as RepeatVector
from fnet.layers.reshape import Reshape as Reshape
from fnet.layers.resizing import CenterCrop as CenterCrop
from fnet.layers.resizing import Resizing as Resizing
from fnet.layers.reversible_embedding import ReversibleEmbedding as ReversibleEmbedding
from fnet.layers.rnn import RNN as RNN
from fnet.layers.sequence import reset_state as reset_state
from fnet.layers.spectral_normalization import SpectralNormalization as SpectralNormalization
from fnet.layers.spectrogram import MelSpectrogram as MelSpectrogram
from fnet.layers.spectrogram import STFTSpectrogram as STFTSpectrogram
from fnet.layers.string_lookup import StringLookup as StringLookup
from fnet.layers.text_vectorization import TextVectorization as TextVectorization
from fnet.layers.time_distributed import TimeDistributed as TimeDistributed
from fnet.networks.graph import Input as Input

# Other names, as in Keras.
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
