from fnet.losses.combine import CombinedLoss as CombinedLoss
from fnet.losses.combine import combine as combine
from fnet.losses.crossentropy import BinaryCrossentropy as BinaryCrossentropy
from fnet.losses.crossentropy import CategoricalCrossentropy as CategoricalCrossentropy
from fnet.losses.crossentropy import Crossentropy as Crossentropy
from fnet.losses.crossentropy import SparseCategoricalCrossentropy as SparseCategoricalCrossentropy
from fnet.losses.crossentropy import binary_crossentropy as binary_crossentropy
from fnet.losses.crossentropy import categorical_crossentropy as categorical_crossentropy
from fnet.losses.crossentropy import crossentropy as crossentropy
from fnet.losses.crossentropy import sparse_categorical_crossentropy as sparse_categorical_crossentropy
from fnet.losses.ctc import CTC as CTC
from fnet.losses.ctc import ctc as ctc
from fnet.losses.ctc import ctc_batch_cost as ctc_batch_cost
from fnet.losses.ctc import ctc_decode as ctc_decode
from fnet.losses.define import LOSSES as LOSSES
from fnet.losses.define import Loss as Loss
from fnet.losses.define import define_loss as define_loss
from fnet.losses.define import from_function as from_function
from fnet.losses.focal import BinaryFocalCrossentropy as BinaryFocalCrossentropy
from fnet.losses.focal import CategoricalFocalCrossentropy as CategoricalFocalCrossentropy
from fnet.losses.focal import binary_focal_crossentropy as binary_focal_crossentropy
from fnet.losses.focal import categorical_focal_crossentropy as categorical_focal_crossentropy
from fnet.losses.hinge import CategoricalHinge as CategoricalHinge
from fnet.losses.hinge import Hinge as Hinge
from fnet.losses.hinge import SquaredHinge as SquaredHinge
from fnet.losses.hinge import categorical_hinge as categorical_hinge
from fnet.losses.hinge import hinge as hinge
from fnet.losses.hinge import squared_hinge as squared_hinge
from fnet.losses.names import get as get
from fnet.losses.overlap import Dice as Dice
from fnet.losses.overlap import Tversky as Tversky
from fnet.losses.overlap import dice as dice
from fnet.losses.overlap import tversky as tversky
from fnet.losses.probabilistic import GaussianNLL as GaussianNLL
from fnet.losses.probabilistic import KLDivergence as KLDivergence
from fnet.losses.probabilistic import Poisson as Poisson
from fnet.losses.probabilistic import gaussian_nll as gaussian_nll
from fnet.losses.probabilistic import kl_divergence as kl_divergence
from fnet.losses.probabilistic import poisson as poisson
from fnet.losses.regression import CosineSimilarity as CosineSimilarity
from fnet.losses.regression import Huber as Huber
from fnet.losses.regression import LogCosh as LogCosh
from fnet.losses.regression import MeanAbsoluteError as MeanAbsoluteError
from fnet.losses.regression import MeanAbsolutePercentageError as MeanAbsolutePercentageError
from fnet.losses.regression import MeanSquaredError as MeanSquaredError
from fnet.losses.regression import MeanSquaredLogarithmicError as MeanSquaredLogarithmicError
from fnet.losses.regression import cosine_similarity as cosine_similarity
from fnet.losses.regression import huber as huber
from fnet.losses.regression import log_cosh as log_cosh
from fnet.losses.regression import mean_absolute_error as mean_absolute_error
from fnet.losses.regression import mean_absolute_percentage_error as mean_absolute_percentage_error
from fnet.losses.regression import mean_squared_error as mean_squared_error
from fnet.losses.regression import mean_squared_logarithmic_error as mean_squared_logarithmic_error
from fnet.losses.similarity import Circle as Circle
from fnet.losses.similarity import Contrastive as Contrastive
from fnet.losses.similarity import Triplet as Triplet
from fnet.losses.similarity import TripletSemiHard as TripletSemiHard
from fnet.losses.similarity import circle as circle
from fnet.losses.similarity import contrastive as contrastive
from fnet.losses.similarity import triplet as triplet
from fnet.losses.similarity import triplet_semihard as triplet_semihard
from fnet.losses.weights import class_weights as class_weights

mse = mean_squared_error
mae = mean_absolute_error
mape = mean_absolute_percentage_error
msle = mean_squared_logarithmic_error
kld = kl_divergence
