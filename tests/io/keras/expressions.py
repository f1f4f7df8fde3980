"""Expressions of two nodes x, y of shape (None, 4, 6), in fnet's operations and in Keras'."""

from __future__ import annotations

ARITHMETIC = {  # the same text on both sides
    "x + 1", "1 - x", "x * 2.5", "x / y", "2.0 / x", "-x", "x**2", "2.0**x", "x - y", "x * y", "x @ turned(y)", "x > y",
    "x >= 0.5", "x < 0.5", "x <= y", "abs(x - y)", "x[:, 0]", "x[..., 1:3]", "x[:, ::2]", "x[:, -1, None]",
    "x + np.ones(6, 'float32')",
}  # fmt: skip
SAME = {
    "concatenate([x, y], axis=1)", "reshape(x, (-1, 24))", "mean(x, axis=-1, keepdims=True)", "mean(x, axis=(1, 2))",
    "expand_dims(x, 1)", "maximum(x, y)", "minimum(x, 0.5)", "relu(x - 0.5)", "softmax(x)", "softmax(x, axis=1)",
    "transpose(x, (0, 2, 1))", "sum(x, 1)", "exp(x)", "sqrt(x)", "square(x)", "clip(x, 0.2, 0.7)", "max(x, 1)",
    "where(x > 0.5, x, y)", "squeeze(expand_dims(x, 2), 2)", "tanh(x)", "split(x, 2, -1)[1]", "sigmoid(x)",
    "leaky_relu(x, 0.3)", "einsum('bij,bkj->bik', x, y)", "one_hot(argmax(x, -1), 6)", "var(x, (1, 2))", "std(x, 1)",
    "pad(x, ((0, 0), (1, 0), (0, 2)))", "flip(x, 1)", "logsumexp(x, -1)", "cumsum(x, 1)", "floor(x)", "log(x)",
    "take(x, np.array([0, 2]), axis=1)", "floor_divide(x, 0.3)", "all(x > 0.1, -1)", "any(x > 0.9, -1)", "min(x, 1)",
    "swapaxes(x, 1, 2)", "moveaxis(x, 1, 2)", "stack([x, y], axis=1)", "prod(x, 1)", "log_softmax(x, 1)", "erf(x)",
    "stop_gradient(x)", "logical_not(x > 0.5)", "softplus(x)", "equal(x, y)", "broadcast_to(x[:, None], (3, 2, 4, 6))",
}  # fmt: skip
ACTIVATIONS = {"gelu(x, True)", "silu(x)", "elu(x, 0.5)", "hard_sigmoid(x)", "selu(x)", "relu6(x * 9)", "celu(x, 2.0)"}
IN_OLDER_FILES = {  # what layers of Keras can say
    "x + 1", "1 - x", "x * 2.5", "-x", "x - y", "x * y", "concatenate([x, y], axis=1)", "reshape(x, (-1, 24))",
    "maximum(x, y)", "relu(x - 0.5)", "softmax(x)", "softmax(x, axis=1)", "transpose(x, (0, 2, 1))", "exp(x)",
    "tanh(x)", "sigmoid(x)", "leaky_relu(x, 0.3)", "softplus(x)", "silu(x)", "hard_sigmoid(x)", "selu(x)",
    "relu6(x * 9)",
}  # fmt: skip
EXPRESSIONS = sorted(ARITHMETIC | SAME | ACTIVATIONS)
