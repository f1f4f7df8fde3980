"""Errors teach: class, path, text, length; and those of elementwise operations by their text."""

from __future__ import annotations

import copy
import inspect
import pickle

import numpy as np
import pytest

import fnet
from fnet import errors, ops
from fnet.errors import DtypeError, FnetError, ShapeError, did_you_mean, scope


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("ShapeError", ValueError),
        ("DtypeError", TypeError),
        ("StructureError", ValueError),
        ("ValueRangeError", ValueError),
        ("DerivativeError", TypeError),
        ("TracingError", TypeError),
        ("NonFiniteError", ArithmeticError),
    ],
)
def test_every_class_is_also_pythons(name, builtin):
    cls = getattr(errors, name)
    assert issubclass(cls, FnetError) and issubclass(cls, builtin)
    assert str(cls("text")) == "text"


def every_class(cls: type = FnetError) -> list[type]:
    return [cls, *(found for own in cls.__subclasses__() for found in every_class(own))]


@pytest.mark.parametrize("cls", every_class())
@pytest.mark.parametrize("carry", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
def test_every_class_comes_back_from_another_process(cls, carry):
    needed = [p for p in inspect.signature(cls).parameters.values() if p.default is p.empty][1:]
    error = cls("sizes differ.", **{p.name: 3 for p in needed})
    with pytest.raises(cls), scope("serial", layer="Dense(2)"):
        raise error
    error.add_note("at noon")
    found = carry(error)
    assert type(found) is cls and str(found) == str(error) == "in 'serial': sizes differ.\nThe layer is 'Dense(2)'."
    assert vars(found) == vars(error) and found.args == error.args and found.__notes__ == ["at noon"]


def test_scopes_build_the_path_from_the_inside():
    with pytest.raises(ShapeError) as caught, scope("serial"), scope("dense_1"):
        raise ShapeError("sizes differ.")
    assert str(caught.value) == "in 'serial/dense_1': sizes differ."
    assert caught.value.path == ("serial", "dense_1") and caught.value.message == "sizes differ."


def test_scopes_leave_other_errors_alone():
    with pytest.raises(KeyError, match=r"^'w'$"), scope("dense"):
        raise KeyError("w")


@pytest.mark.parametrize(
    ("name", "text"),
    [("rleu", " Did you mean 'relu'?"), ("TANH", " Did you mean 'tanh'?"), ("x", " Known: relu, tanh.")],
)
def test_did_you_mean(name, text):
    assert did_you_mean(name, ["tanh", "relu"]) == text


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: ops.add(np.ones((2, 3)), np.ones((2, 4))),
            ShapeError,
            r"add cannot combine shapes \(2, 3\) and \(2, 4\): expected equal sizes, or 1, on each axis",
        ),
        (
            lambda: ops.where(np.ones(2) > 0, np.ones(3), 0.0),
            ShapeError,
            r"where cannot combine shapes \(2,\) and \(3,\)",
        ),
        (lambda: ops.exp(np.ones(2, np.float16)), DtypeError, "float16 is not supported.*Convert first"),
        (lambda: ops.exp(np.ones(2, ">f8")), DtypeError, ">f8 is not supported"),
        (lambda: ops.exp(np.ones(2, np.complex128)), DtypeError, "complex128 is not supported"),
        (lambda: ops.exp(np.array(["a"])), DtypeError, "<U1 is not supported"),
        (lambda: ops.add(np.ones(2), None), DtypeError, "a tree of them, received None"),
        (lambda: ops.add(np.ones(2), 1j), DtypeError, "complex128 is not supported"),
        (lambda: fnet.grad(lambda x: ops.sum(x + np.ones(3)))(np.ones(2)), ShapeError, r"\(2,\) and \(3,\)"),
    ],
)
def test_elementwise_operations(call, error, text):
    with pytest.raises(error, match=text) as caught:
        call()
    assert str(caught.value).count("\n") < 3
