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

>>> from fnet import losses
>>> y, p = [1, 0], [[0.25, 0.75], [0.5, 0.5]]
>>> round(float(losses.get("sparse_categorical_crossentropy")(y, p)), 4)  # -(log 0.75 + log 0.5) / 2
0.4904
>>> losses.SparseCategoricalCrossentropy(from_logits=True)
SparseCategoricalCrossentropy(from_logits=True)
"""

from fnet.first_use import on_first_use as _on_first_use

__getattr__, __dir__, __all__ = _on_first_use(__name__)
