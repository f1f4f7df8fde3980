"""What losses say about bad input, by the text."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import losses
from fnet.errors import ShapeError, ValueRangeError
from fnet.masking import Masked

A = np.zeros
ERRORS = [
    (lambda: losses.mse(A((3, 2)), A((2, 3))), ShapeError, "looks transposed: pass y_true.T of shape (2, 3)"),
    (lambda: losses.mse(A(6), A((2, 3))), ShapeError, "(2, 3), received (6,). Pass y_true.reshape((2, 3))"),
    (lambda: losses.mae(A((3, 2)), A((4, 2))), ShapeError, "y_true has 3 samples and y_pred 4"),
    (lambda: losses.mae(A((3, 2)), A((3, 4))), ShapeError, "Let the network end in 2 units"),
    (lambda: losses.mse(A(3), A((3, 4))), ShapeError, "let the network end in (3, 1)"),
    (lambda: losses.mse(A(()), A(())), ShapeError, "expected arrays with a batch axis, received scalars"),
    (lambda: losses.categorical_crossentropy([0, 1], A((2, 3))), ShapeError, "use the sparse_categorical form"),
    (lambda: losses.sparse_categorical_crossentropy(A((2, 3)), A((2, 3))), ShapeError, "use categorical_crossentropy"),
    (lambda: losses.sparse_categorical_crossentropy([0, 1, 2], A((2, 3))), ShapeError, "y_true has 3 samples"),
    (
        lambda: losses.sparse_categorical_crossentropy([0, 3], np.full((2, 3), 0.3)),
        ValueRangeError,
        "label 3 of sample 1 is out of range: expected 0 to 2",
    ),
    (
        lambda: losses.sparse_categorical_crossentropy([0, -1], A((2, 3)), from_logits=True),
        ValueRangeError,
        "label -1 of sample 1 is out of range",
    ),
    (
        lambda: losses.sparse_categorical_crossentropy([0, 0.5], A((2, 3)), from_logits=True),
        ValueRangeError,
        "labels must be whole numbers, received 0.5 in sample 1",
    ),
    (
        lambda: losses.binary_crossentropy([[1.0], [0.0]], [[0.5], [-3.0]]),
        ValueRangeError,
        "expected probabilities in [0, 1], received -3.0 in sample 1. For raw scores pass from_logits=True",
    ),
    (
        lambda: fnet.grad(lambda p: losses.categorical_crossentropy([[1.0, 0.0]], p))(np.array([[2.0, 0.0]])),
        ValueRangeError,
        "received 2.0 in sample 0. For raw scores pass from_logits=True, or end the network with softmax",
    ),
    (
        lambda: losses.sparse_categorical_crossentropy([0, 0], [[0.5, 0.5], [np.nan, 4.0]]),
        ValueRangeError,
        "received 4.0 in sample 1",
    ),
    (
        lambda: losses.binary_crossentropy([[2.0]], [[0.5]], from_logits=True),
        ValueRangeError,
        "expected y_true in [0, 1], received 2.0 in sample 0. Encode the classes as 0 and 1",
    ),
    (
        lambda: losses.binary_crossentropy([[1.0]], [[0.5]], label_smoothing=1.5),
        ValueRangeError,
        "expected 0 <= label_smoothing <= 1, received 1.5",
    ),
    (
        lambda: losses.mse(A((3, 1)), A((3, 1)), sample_weight=A(2)),
        ShapeError,
        "sample_weight (2,) does not fit the values, expected (3,). Give one weight per sample, (3,)",
    ),
    (lambda: losses.mse(A(3), A(3), sample_weight=A(3)), ShapeError, "give y_true and y_pred the shape (batch, 1)"),
    (lambda: losses.mse(A((3, 1)), A((3, 1)), reduction="avg"), ValueRangeError, "unknown reduction 'avg'"),
    (lambda: losses.mse([[1.0]], [[1.0]], from_logits=True), TypeError, "unexpected keyword argument 'from_logits'"),
    (
        lambda: losses.binary_crossentropy([[1.0]], [[1.0]], from_logit=True),
        TypeError,
        "binary_crossentropy() got an unexpected keyword argument 'from_logit'. Did you mean 'from_logits'?",
    ),
    (lambda: losses.Huber(detla=1.0), TypeError, "keyword argument 'detla'. Did you mean 'delta'?"),
    (lambda: losses.Huber(1.0, "sum", 3), TypeError, "Huber() takes 2 options, received 3."),
    (lambda: losses.Huber(1.0, delta=2.0), TypeError, "Huber() got the option 'delta' twice."),
    (lambda: losses.Huber(reduction="avg"), ValueRangeError, "huber: unknown reduction 'avg'"),
    (lambda: losses.huber(A((2, 1)), A((2, 1)), delta=0), ValueRangeError, "expected delta > 0, received 0"),
    (
        lambda: losses.kld([[2.0, 1.0]], [[0.5, 0.5]]),
        ValueRangeError,
        "kl_divergence: expected y_true in [0, 1], received 2.0 in sample 0. Divide the rows by their sums.",
    ),
    (
        lambda: losses.kld([[0.5, 0.5]], [[0.5, 3.0]]),
        ValueRangeError,
        "expected y_pred in [0, 1], received 3.0 in sample 0. End the network with softmax.",
    ),
    (
        lambda: losses.poisson([[1.0], [2.0]], [[1.0], [-2.0]]),
        ValueRangeError,
        "expected rates of at least 0, received -2.0 in sample 1. End the network with exponential or softplus.",
    ),
    (
        lambda: losses.gaussian_nll(A((2, 3)), A((2, 3))),
        ShapeError,
        "expected y_pred of shape (batch, 2 D), D means before D log-variances, received (2, 3). Let the network end",
    ),
    (
        lambda: losses.gaussian_nll(A((2, 3)), A((2, 4))),
        ShapeError,
        "gaussian_nll: expected y_true shaped like y_pred, (2, 2), received (2, 3).",
    ),
    (
        lambda: losses.binary_focal_crossentropy([[1.0]], [[7.0]]),
        ValueRangeError,
        "binary_focal_crossentropy: expected probabilities in [0, 1], received 7.0 in sample 0",
    ),
    (
        lambda: losses.categorical_focal_crossentropy([[1.0, 0.0]], [[0.5, 0.5]], gamma=-1.0),
        ValueRangeError,
        "categorical_focal_crossentropy: expected gamma >= 0, received -1.0.",
    ),
    (
        lambda: losses.categorical_crossentropy([[1.0], [0.0]], [[0.5], [0.5]]),
        ShapeError,
        "categorical_crossentropy: expected y_pred of two classes or more, received (2, 1). "
        "For one output for yes or no end in Dense(1, activation='sigmoid') and use the binary form.",
    ),
    (
        lambda: fnet.jit(lambda p: losses.categorical_focal_crossentropy(A((2, 1)), p))(A((2, 1))),
        ShapeError,
        "categorical_focal_crossentropy: expected y_pred of two classes or more, received (2, 1).",
    ),
    (
        lambda: losses.sparse_categorical_crossentropy([0.5], A((1, 2))),
        ValueRangeError,
        "whole numbers, received 0.5 in sample 0. For target distributions use the categorical form.",
    ),
    (
        lambda: losses.ctc([[0.5]], A((1, 2, 2))),
        ValueRangeError,
        "ctc: labels must be whole numbers, received 0.5 in sample 0. Convert them to integers.",
    ),
    (
        lambda: losses.contrastive([[3.0]], [[0.5]]),
        ValueRangeError,
        "contrastive: expected y_true in [0, 1], received 3.0 in sample 0.",
    ),
    (
        lambda: losses.triplet(None, A((4, 2))),
        ShapeError,
        "triplet: expected y_pred of shape (batch, 3, features), anchor, positive and negative, received (4, 2). "
        "Stack the three embeddings on axis 1.",
    ),
    (
        lambda: losses.circle(A(3), A((4, 2))),
        ShapeError,
        "circle: expected labels (batch,) and embeddings (batch, features), received y_true (3,) and y_pred (4, 2).",
    ),
    (
        lambda: losses.sparse_categorical_crossentropy([0, 5, -1], A((3, 4)), from_logits=True, ignore_class=-1),
        ValueRangeError,
        "label 5 of sample 1 is out of range: expected 0 to 3",
    ),
    (
        lambda: losses.categorical_crossentropy(A((3, 4)), Masked(A((3, 4)), np.ones((3, 4), bool)), from_logits=True),
        ShapeError,
        "categorical_crossentropy: the mask of y_pred (3, 4) does not fit the values of the loss (3,). "
        "Give the loss one value per step, or take the mask off with fnet.masking.unmasked.",
    ),
    (lambda: losses.get("binary_crossentrpy"), ValueRangeError, "Did you mean 'binary_crossentropy'?"),
    (lambda: losses.get(None), ValueRangeError, "unknown loss None: expected a name or a function"),
]


@pytest.mark.parametrize(("call", "error", "text"), ERRORS)
def test_errors_say_what_was_meant(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)
    assert str(caught.value).count("\n") < 3
