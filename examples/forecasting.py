"""Forecast next year's sunspots with recurrent networks, beside naive forecasts.

    python examples/forecasting.py

Yearly sunspot numbers, 1700 to 2008, come with statsmodels. From the 22 years before (two of the sun's cycles) a
SimpleRNN and an LSTM say the number of the next; they are trained on the years up to 1940 and tested after. "As last
year" (persistence) and "as eleven years ago" (seasonal) are the naive forecasts, a linear regression on the same window
is the strong one. Result: both networks err at least 25 % less than the best naive forecast.
Needs statsmodels: pip install fnet[examples].
"""

from __future__ import annotations

import argparse

import numpy as np
from statsmodels.datasets import sunspots

import fnet
from fnet import Layer, random, serial
from fnet.layers import LSTM, Dense, SimpleRNN

WINDOW, CYCLE, LAST_YEAR_OF_TRAINING = 22, 11, 1940
NETWORKS = {
    "SimpleRNN": serial(SimpleRNN(16), Dense(1)),
    "LSTM": serial(LSTM(16), Dense(1)),
}


def windows(series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All windows (N, WINDOW, 1) and the value after each (N, 1)."""
    pieces = np.lib.stride_tricks.sliding_window_view(series, WINDOW + 1)
    return pieces[:, :-1, None], pieces[:, -1:]


def root_mean_square(errors: np.ndarray) -> float:
    """The usual size of errors."""
    return float(np.sqrt(np.mean(errors**2)))


def regression(x: np.ndarray, y: np.ndarray, x_test: np.ndarray) -> np.ndarray:
    """The forecasts of a linear autoregression, (N, 1)."""
    rows, rows_test = (np.pad(a[:, :, 0], ((0, 0), (1, 0)), constant_values=1) for a in (x, x_test))
    return rows_test @ np.linalg.lstsq(rows, y, rcond=None)[0]


def forecast(net: Layer, x: np.ndarray, y: np.ndarray, x_test: np.ndarray, device: str) -> np.ndarray:
    """The forecasts (N, 1) of the network once it is trained on a device."""
    epochs, batch_size = 100, 32
    rate = fnet.schedules.cosine_decay(5e-3, epochs * -(-len(x) // batch_size))
    trainer = fnet.Trainer(net, "mse", fnet.optimizers.adam(rate, global_clipnorm=1.0))
    ts, x, y, x_test = fnet.to_device((trainer.init(random.key(0), shape=(WINDOW, 1)), x, y, x_test), device)
    ts, _ = trainer.fit(ts, x, y, batch_size=batch_size, epochs=epochs, verbose=False)
    return fnet.to_host(trainer.predict(ts, x_test))


def main() -> None:
    """Compare the forecasts by the root mean square of their errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="where it is trained: cpu, cuda, cuda:1, ...")
    device = parser.parse_args().device

    data = sunspots.load().data
    year, number = data["YEAR"].to_numpy()[WINDOW:], data["SUNACTIVITY"].to_numpy()
    scale = 100.0
    x, y = windows(number / scale)
    train, test = year <= LAST_YEAR_OF_TRAINING, year > LAST_YEAR_OF_TRAINING
    x, y, x_test, y_test = x[train], y[train], x[test], y[test]

    forecasts = {"as last year": x_test[:, -1], "as eleven years ago": x_test[:, -CYCLE]}
    forecasts["linear regression"] = regression(x, y, x_test)
    for name, net in NETWORKS.items():
        forecasts[name] = forecast(net, x, y, x_test, device)

    errors = {name: scale * root_mean_square(made - y_test) for name, made in forecasts.items()}
    naive = min(errors["as last year"], errors["as eleven years ago"])
    print(f"{len(y)} years to learn from, {len(y_test)} to forecast; root mean square error in sunspots:")
    for name, error in errors.items():
        print(f"  {name:20} {error:6.2f}  {100 * (error / naive - 1):+4.0f} % of the best naive forecast")
    for name in NETWORKS:
        assert errors[name] < 0.75 * naive


if __name__ == "__main__":
    main()
