"""Losses: ``loss(y_true, y_pred, *, sample_weight=None, reduction="mean", ...)``, with Keras' names and formulas.

Which loss for which task, and how the network ends:

=============================================  =====================================  ================================
task                                           loss                                   last layer
=============================================  =====================================  ================================
a real number                                  ``mean_squared_error``                 ``Dense(D)``
... with outliers                              ``mean_absolute_error``, ``huber``,    ``Dense(D)``
                                               ``log_cosh``
... of many magnitudes                         ``mean_squared_logarithmic_error``,    ``Dense(D, "softplus")``
                                               ``mean_absolute_percentage_error``
... with its uncertainty                       ``gaussian_nll``                       ``Dense(2 * D)``
a count                                        ``poisson``                            ``Dense(D, "exponential")``
a direction, an embedding                      ``cosine_similarity``                  ``Dense(D)``
yes or no, several independent labels          ``binary_crossentropy``                ``Dense(D, "sigmoid")`` or logits
... very unbalanced                            ``binary_focal_crossentropy``          ``Dense(D, "sigmoid")`` or logits
... with a margin                              ``hinge``, ``squared_hinge``           ``Dense(D)``
one of C classes, targets one-hot              ``categorical_crossentropy``           ``Dense(C, "softmax")`` or logits
one of C classes, targets are labels           ``sparse_categorical_crossentropy``    ``Dense(C, "softmax")`` or logits
... with a margin                              ``categorical_hinge``                  ``Dense(C)``
a distribution over C classes                  ``kl_divergence``                      ``Dense(C, "softmax")``
a mask of pixels (segmentation)                ``dice``, ``tversky``                  one map, sigmoid
a label for each step of a sequence            ``sparse_categorical_crossentropy``    (B, T, C); padding: a mask, or
                                                                                      ``ignore_class``
a sequence without an alignment (speech)       ``ctc``                                (B, T, C) logits with the blank
what is alike (retrieval, verification)        ``contrastive``, ``triplet``,          embeddings or distances
                                               ``triplet_semihard``, ``circle``
=============================================  =====================================  ================================

With ``from_logits=True`` a cross-entropy takes the numbers before softmax or sigmoid, which is exact for any logit.
Given the probabilities that `fnet.ops.softmax` or `fnet.ops.sigmoid` just made, as by a last layer
``Dense(1, "sigmoid")``, it finds these numbers by itself, in the `Trainer` and in steps of your own, eagerly and under
every transform, so that both forms train alike. All other probabilities it clips to [1e-7, 1 - 1e-7].

Maximum likelihood is the idea behind most of them: the network gives the parameters of a distribution of the target,
and the loss is minus the logarithm of the likelihood, up to a constant. ``mean_squared_error`` is that of a normal
distribution with a fixed variance, ``gaussian_nll`` with a predicted one, ``mean_absolute_error`` of a Laplace
distribution, ``poisson`` of counts, ``binary_crossentropy`` of a Bernoulli and ``categorical_crossentropy`` of a
categorical distribution, ``ctc`` of a label sequence over all its alignments.

>>> y, p = [1, 0], [[0.25, 0.75], [0.5, 0.5]]
>>> round(float(get("sparse_categorical_crossentropy")(y, p)), 4)  # -(log 0.75 + log 0.5) / 2
0.4904
>>> SparseCategoricalCrossentropy(from_logits=True)
SparseCategoricalCrossentropy(from_logits=True)
"""

from __future__ import annotations

from fnet.losses.combine import CombinedLoss as CombinedLoss
from fnet.losses.combine import combine as combine
from fnet.losses.crossentropy import binary_crossentropy as binary_crossentropy
from fnet.losses.crossentropy import categorical_crossentropy as categorical_crossentropy
from fnet.losses.crossentropy import crossentropy as crossentropy
from fnet.losses.crossentropy import sparse_categorical_crossentropy as sparse_categorical_crossentropy
from fnet.losses.ctc import ctc as ctc
from fnet.losses.ctc import ctc_batch_cost as ctc_batch_cost
from fnet.losses.ctc import ctc_decode as ctc_decode
from fnet.losses.define import Loss as Loss
from fnet.losses.define import define_loss as define_loss
from fnet.losses.define import from_function as from_function
from fnet.losses.focal import binary_focal_crossentropy as binary_focal_crossentropy
from fnet.losses.focal import categorical_focal_crossentropy as categorical_focal_crossentropy
from fnet.losses.hinge import categorical_hinge as categorical_hinge
from fnet.losses.hinge import hinge as hinge
from fnet.losses.hinge import squared_hinge as squared_hinge
from fnet.losses.names import LOSSES as LOSSES
from fnet.losses.names import get as get
from fnet.losses.names import unknown as unknown
from fnet.losses.overlap import dice as dice
from fnet.losses.overlap import tversky as tversky
from fnet.losses.probabilistic import gaussian_nll as gaussian_nll
from fnet.losses.probabilistic import kl_divergence as kl_divergence
from fnet.losses.probabilistic import poisson as poisson
from fnet.losses.regression import cosine_similarity as cosine_similarity
from fnet.losses.regression import huber as huber
from fnet.losses.regression import log_cosh as log_cosh
from fnet.losses.regression import mean_absolute_error as mean_absolute_error
from fnet.losses.regression import mean_absolute_percentage_error as mean_absolute_percentage_error
from fnet.losses.regression import mean_squared_error as mean_squared_error
from fnet.losses.regression import mean_squared_logarithmic_error as mean_squared_logarithmic_error
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

# Constructors of configured losses: ``BinaryCrossentropy(from_logits=True)`` is a `Loss` too.
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
