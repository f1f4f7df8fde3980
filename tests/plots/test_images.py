"""What is drawn of filters and feature maps."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

import fnet
from fnet import plots, random
from fnet.errors import ShapeError, StructureError
from fnet.layers import Conv2D, Dense, Flatten

NET = fnet.serial(
    Conv2D(4, 3, name="first"), fnet.named("block", fnet.serial(Conv2D(2, 2, name="second"))), Flatten(), Dense(2)
)
PARAMS, STATE = NET.init(random.key(0), (6, 6, 1))
IMAGES = np.random.default_rng(0).normal(size=(2, 6, 6, 1)).astype("float32")


def shown(figure):
    return [np.asarray(ax.images[0].get_array()) for ax in figure.axes]


def test_filters_share_one_scale():
    kernel = PARAMS["first"]["kernel"]
    figure = plots.plot_filters(PARAMS)
    assert all(np.array_equal(image, kernel[:, :, 0, i]) for i, image in enumerate(shown(figure)))
    assert len(figure.axes) == 4 and {ax.images[0].get_clim() for ax in figure.axes} == {
        (-float(abs(kernel).max()), float(abs(kernel).max()))
    }
    second = shown(plots.plot_filters(PARAMS, "block/second/kernel", channel=3, most=1))
    assert len(second) == 1 and np.array_equal(second[0], PARAMS["block"]["second"]["kernel"][:, :, 3, 0])


def test_filters_of_three_channels_are_colours():
    kernel = np.random.default_rng(1).normal(size=(3, 3, 3, 2))
    first, _ = shown(plots.plot_filters(kernel))
    np.testing.assert_allclose(first, kernel[..., 0] / (2 * abs(kernel).max()) + 0.5)
    assert shown(plots.plot_filters(kernel, channel=1))[0].shape == (3, 3)


def test_feature_maps_are_what_a_layer_gives():
    first, _ = Conv2D(4, 3).apply(PARAMS["first"], {}, IMAGES[:1])
    for x in (IMAGES, IMAGES[0]):
        maps = shown(plots.plot_feature_maps(NET, PARAMS, STATE, x, "first"))
        np.testing.assert_allclose(np.stack(maps, -1), first[0], rtol=1e-6)
    figure = Figure()
    assert plots.plot_feature_maps(NET, PARAMS, STATE, IMAGES, "block/second", axes=figure.subplots(1, 2)) is figure
    assert shown(figure)[1].shape == (3, 3)


def test_mistakes_are_told():
    with pytest.raises(
        StructureError, match=r"expected a kernel \(height, width, channels, filters\), received 'firs/"
    ):
        plots.plot_filters(PARAMS, "firs/kernel")
    with pytest.raises(StructureError, match=r"received parameters without one"):
        plots.plot_filters({"kernel": np.ones((2, 2))})
    with pytest.raises(ShapeError, match="expected a channel from 0 to 0, received 1"):
        plots.plot_filters(PARAMS, channel=1)
    with pytest.raises(StructureError, match="the network has no layer 'frist'. Did you mean 'first'?"):
        plots.plot_feature_maps(NET, PARAMS, STATE, IMAGES, "frist")
    with pytest.raises(ShapeError, match=r"but 'flatten' gives \(1, 18\)\. Choose a layer of images"):
        plots.plot_feature_maps(NET, PARAMS, STATE, IMAGES, "flatten")


def test_matplotlib_is_loaded_on_first_use_and_missed_in_words():
    code = """
import sys
import fnet
fnet.plots.plot_history
assert "matplotlib" not in sys.modules
sys.modules["matplotlib"] = None
try:
    fnet.plots.plot_history({"loss": [1.0]})
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("fnet.plots needs matplotlib") and "pip install 'matplotlib>=3.8'" in done.stdout
