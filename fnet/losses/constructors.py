"""Constructors of configured losses: ``BinaryCrossentropy(from_logits=True)`` is a `Loss` too."""

from fnet.losses.crossentropy import (
    binary_crossentropy,
    categorical_crossentropy,
    crossentropy,
    sparse_categorical_crossentropy,
)
from fnet.losses.ctc import ctc
from fnet.losses.focal import binary_focal_crossentropy, categorical_focal_crossentropy
from fnet.losses.hinge import categorical_hinge, hinge, squared_hinge
from fnet.losses.overlap import dice, tversky
from fnet.losses.probabilistic import gaussian_nll, kl_divergence, poisson
from fnet.losses.regression import (
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from fnet.losses.similarity import circle, contrastive, triplet, triplet_semihard

MeanSquaredError = mean_squared_error.configured
MeanAbsoluteError = mean_absolute_error.configured
MeanAbsolutePercentageError = mean_absolute_percentage_error.configured
MeanSquaredLogarithmicError = mean_squared_logarithmic_error.configured
Huber = huber.configured
LogCosh = log_cosh.configured
CosineSimilarity = cosine_similarity.configured
KLDivergence = kl_divergence.configured
Poisson = poisson.configured
GaussianNLL = gaussian_nll.configured
BinaryCrossentropy = binary_crossentropy.configured
CategoricalCrossentropy = categorical_crossentropy.configured
SparseCategoricalCrossentropy = sparse_categorical_crossentropy.configured
Crossentropy = crossentropy.configured
BinaryFocalCrossentropy = binary_focal_crossentropy.configured
CategoricalFocalCrossentropy = categorical_focal_crossentropy.configured
Hinge = hinge.configured
SquaredHinge = squared_hinge.configured
CategoricalHinge = categorical_hinge.configured
Dice = dice.configured
Tversky = tversky.configured
Contrastive = contrastive.configured
Triplet = triplet.configured
TripletSemiHard = triplet_semihard.configured
Circle = circle.configured
CTC = ctc.configured
