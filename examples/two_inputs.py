"""Two inputs of different kinds, one network: forecast the carbon dioxide in the air a quarter ahead.

    python examples/two_inputs.py

Weekly measurements at Mauna Loa, 1958 to 2001, come with statsmodels. An LSTM reads the last 32 weeks as 8 steps of 4
values, Dense layers read 16 calendar features, and the two are joined as in the functional API's tutorials. The naive
forecast is the change of the same quarter one year ago. Result: an error at least 25 % smaller on the last ten years.
Needs statsmodels: pip install fnet[examples].
"""

from __future__ import annotations

import argparse

import numpy as np
from statsmodels.datasets import co2

import fnet
from fnet import Input, random
from fnet.layers import LSTM, Dense, concatenate

STEPS, WEEKS_A_STEP, AHEAD, YEAR = 8, 4, 13, 52
TEST_FROM = 1992


def network() -> fnet.Layer:
    """A graph from (calendar (N, 16), history (N, 8, 4)) to the change (N, 1)."""
    calendar, history = Input((16,), name="calendar"), Input((STEPS, WEEKS_A_STEP), name="history")
    a = Dense(16, activation="relu")(Dense(32, activation="relu")(calendar))
    b = LSTM(32)(history)
    return fnet.graph([calendar, history], Dense(1)(Dense(8, activation="relu")(concatenate([a, b]))))


def waves(years: np.ndarray) -> np.ndarray:
    """Four sines and four cosines of the time of the year, (N, 8)."""
    angles = 2 * np.pi * years[:, None] * np.arange(1, 5)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


def samples() -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Time in years, the two inputs, the change to forecast (N, 1) and its naive forecast (N, 1), in ppm."""
    level = co2.load().data["co2"].interpolate()  # a few weeks were not measured
    years = 1970 + level.index.to_numpy().astype("datetime64[D]").astype(float) / 365.25
    values = level.to_numpy()
    now = np.arange(YEAR, len(values) - AHEAD)
    window = values[now[:, None] - np.arange(STEPS * WEEKS_A_STEP)[::-1]] - values[now, None]
    inputs = {
        "calendar": np.concatenate([waves(years[now]), waves(years[now + AHEAD])], axis=1),
        "history": window.reshape(-1, STEPS, WEEKS_A_STEP),
    }
    change = values[now + AHEAD] - values[now]
    naive = values[now + AHEAD - YEAR] - values[now - YEAR]
    return years[now], inputs, change[:, None], naive[:, None]


def root_mean_square(errors: np.ndarray) -> float:
    """The usual size of errors."""
    return float(np.sqrt(np.mean(errors**2)))


def main() -> None:
    """Train on the years before, test on those from TEST_FROM."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="where it is trained: cpu, cuda, cuda:1, ...")
    device = parser.parse_args().device

    years, inputs, change, naive = samples()
    train, test = years + AHEAD / YEAR < TEST_FROM, years >= TEST_FROM  # no target of training lies in the test years
    x, x_test = ({name: a[chosen] for name, a in inputs.items()} for chosen in (train, test))

    epochs, batch_size = 40, 32
    rate = fnet.schedules.cosine_decay(2e-3, epochs * -(-int(train.sum()) // batch_size))
    trainer = fnet.Trainer(network(), "mse", fnet.optimizers.adam(rate))
    ts = trainer.init(random.key(0), shape={"calendar": (16,), "history": (STEPS, WEEKS_A_STEP)})
    ts, _ = trainer.fit(*fnet.to_device((ts, x, change[train]), device), batch_size=batch_size, epochs=epochs)
    error = root_mean_square(fnet.to_host(trainer.predict(ts, fnet.to_device(x_test, device))) - change[test])
    naive_error = root_mean_square(naive[test] - change[test])

    print(f"{train.sum()} weeks to learn from, {test.sum()} to forecast, {AHEAD} weeks ahead")
    print(f"usual change             {root_mean_square(change[test]):.3f} ppm")
    print(f"naive forecast's error   {naive_error:.3f} ppm")
    print(f"network's error          {error:.3f} ppm ({100 * (error / naive_error - 1):+.0f} %)")
    assert error < 0.75 * naive_error


if __name__ == "__main__":
    main()
