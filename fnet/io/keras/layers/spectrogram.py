"""Spectra of signals."""

from __future__ import annotations

from fnet.io.keras.config import FLAG, INTEGER, NUMBER, TEXT, optional
from fnet.io.keras.fields import Field, fields, layer_row
from fnet.io.keras.parts import DATA_FORMAT, WINDOW, WINDOW_SCALING
from fnet.io.keras.variables import Variables, nothing, params
from fnet.networks.layer import Layer


def _kernels(layer: Layer) -> Variables:
    mode = layer.config["mode"]
    sides = [mode] if mode in ("real", "imag") else ["real", "imag"]
    return Variables(params(*(f"{side}_kernel" for side in sides)))


ROWS = (
    layer_row(
        "STFTSpectrogram",
        (
            *fields(TEXT, "mode", "padding"),
            Field("frame_length", INTEGER),
            *fields(optional(INTEGER), "frame_step", "fft_length"),
            Field("window", WINDOW),
            Field("scaling", WINDOW_SCALING),
            *fields(FLAG, "periodic", "expand_dims"),
            Field("data_format", DATA_FORMAT),
        ),
        _kernels,
    ),
    layer_row(
        "MelSpectrogram",
        (
            *fields(INTEGER, "fft_length", "sequence_stride", "sampling_rate", "num_mel_bins"),
            Field("sequence_length", optional(INTEGER)),
            Field("window", WINDOW),
            Field("max_freq", optional(NUMBER)),
            *fields(NUMBER, "min_freq", "top_db", "mag_exp", "min_power", "ref_power"),
            Field("power_to_db", FLAG),
        ),
        nothing,
    ),
)
