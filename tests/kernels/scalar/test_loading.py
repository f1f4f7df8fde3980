"""Scalar functions are loaded from one text for any device and either type of numbers."""

from __future__ import annotations

import numpy as np
import pytest

from fnet.kernels.compiler.cache import _KernelLocator
from fnet.kernels.compiler.sources import source_hash
from fnet.kernels.cpu import scalars
from fnet.kernels.scalar import exponential, instructions, logarithm, philox, quantile
from fnet.kernels.scalar.loading import Loader


def loader(**given):
    """A device that compiles nothing, and has these instructions."""
    compilers = dict.fromkeys((exponential, logarithm, philox, quantile), lambda function: function)
    return Loader(compilers, {getattr(instructions, name): value for name, value in given.items()}, "device.py")


@pytest.mark.parametrize("suffix, dtype", [("f32", np.float32), ("f64", np.float64)])
@pytest.mark.parametrize("name", ["exp", "tanh", "log", "softplus"])
def test_a_text_computes_in_the_type_that_it_is_loaded_for(name, suffix, dtype):
    function = loader()[f"{name}_{suffix}"]
    y = function(dtype(0.7))
    assert y.dtype == dtype
    np.testing.assert_allclose(y, getattr(scalars, f"{name}_{suffix}")(dtype(0.7)), rtol=4 * np.finfo(dtype).eps)


def test_the_instructions_are_those_of_the_device_in_callees_too():
    calls = []

    def polynomial(x, coefficients):
        calls.append(len(coefficients))
        return instructions.polynomial(x, coefficients)

    loader(polynomial=polynomial)["tanh_f64"](0.5)
    assert calls == [11]  # of expm1, in float64


def test_a_function_without_constants_is_loaded_once_for_all_types():
    device = loader()
    assert device["bits_53"] is device["bits_53_f32"]
    assert device["exp_f32"] is not device["exp_f64"]
    assert scalars.maximum_f32 is scalars.maximum_f64


def test_a_function_is_named_by_its_type_and_filed_under_what_loads_it():
    function = loader()["exp_f32"]
    assert (function.__name__, function.__qualname__, function.filed_under) == ("exp_f32", "exp_f32", "device.py")
    assert function.__code__ is exponential.exp.__code__
    loaded = getattr(scalars.exp_f32, "py_func", scalars.exp_f32)
    locator = _KernelLocator.from_function(loaded, exponential.__file__)
    assert locator.get_source_stamp() == source_hash(scalars.__file__) != source_hash(exponential.__file__)


def test_a_name_that_there_is_not_is_an_error():
    with pytest.raises(AttributeError, match="has no attribute 'exq_f32'"):
        scalars.exq_f32  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'exp_f16'"):
        from fnet.kernels.cpu.scalars import exp_f16  # noqa: F401
