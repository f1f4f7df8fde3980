"""CTC values and gradients beside PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import losses

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("blank", [0, 4])
@pytest.mark.parametrize(("frames", "width"), [(3, 3), (30, 9), (60, 20)])
def test_values_and_gradients(frames, width, blank, dtype):
    rng = np.random.default_rng(frames)
    batch, classes = 5, 29
    x = rng.normal(size=(batch, frames, classes), scale=2).astype(dtype)
    labels = (blank + rng.integers(1, 4, (batch, width))) % classes  # few symbols, so that labels repeat
    lengths, used = rng.integers(0, width + 1, batch), rng.integers(1, frames + 1, batch)
    weights = rng.normal(size=batch).astype(dtype)

    logits = torch.tensor(x, requires_grad=True)
    expected = torch.nn.functional.ctc_loss(
        logits.log_softmax(-1).transpose(0, 1),
        torch.tensor(labels),
        torch.tensor(used),
        torch.tensor(lengths),
        blank=blank,
        reduction="none",
    )
    possible = torch.isfinite(expected).numpy()
    torch.sum((expected * torch.tensor(weights))[torch.tensor(possible)]).backward()

    def loss(x):
        return losses.ctc(labels, x, label_lengths=lengths, input_lengths=used, blank_index=blank, reduction="none")

    values, pull = fnet.vjp(loss, x)
    tolerance = 2e-5 if dtype == np.float32 else 1e-11
    np.testing.assert_allclose(values, expected.detach().numpy(), rtol=tolerance)
    gradient = pull(weights)[0]
    np.testing.assert_allclose(gradient[possible], logits.grad.numpy()[possible], atol=10 * tolerance)
    np.testing.assert_array_equal(gradient[~possible], 0)
