"""Check of a layer against the contract that containers, transforms and training rely on."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet import random, tree
from fnet.networks.samples import check_shape, is_single
from fnet.testing.gradients import check_grads
from fnet.transforms.jit import jit

VARIABLE = 3  # the size that stands for an axis of size None


def check_layer(
    layer: Any,
    shape: Any,
    *,
    inputs: Any = None,
    batch: int = 4,
    seed: int = 0,
    order: int = 1,
    modes: tuple[str, ...] = ("rev", "fwd"),
    batch_independent: bool = True,
    rtol: float = 1e-5,
) -> None:
    """Check that `layer` keeps the contract of a layer; raises AssertionError that says which part it breaks.

    - ``init`` and ``apply`` are functions: the same arguments give the same bits, and nothing is written in place;
    - float32 parameters and inputs give float32 outputs, float64 ones float64;
    - ``out_shape`` tells the shapes that floating inputs give;
    - state keeps its structure, shapes and dtypes, and with ``train=False`` its values; no key is needed then;
    - every sample is treated alike with ``train=False`` (unless `batch_independent` is false);
    - derivatives in float64, in parameters and floating inputs, training and not, agree with `check_grads`;
    - under `fnet.jit` the results are the same up to `rtol`.

    shape: without the batch axis, None for a variable axis; a tuple or dict of shapes for several inputs.
    inputs: a tree of arrays of shape (batch, ...) to use instead of normal ones, e.g. integers for an embedding, or
    values away from kinks. order: 2 to check second derivatives as well.
    """
    _LayerCheck(layer, shape, inputs, batch, seed, rtol).run(order, modes, batch_independent)


class _LayerCheck:
    """The layer under test with its arguments in one dtype at a time."""

    def __init__(self, layer: Any, shape: Any, inputs: Any, batch: int, seed: int, rtol: float) -> None:
        self.layer, self.shape, self.rtol = layer, check_shape(shape), rtol
        self.name = layer.name
        self.key = random.key(seed)
        rng = np.random.default_rng(seed)
        self.inputs = _normal(self.shape, batch, rng) if inputs is None else inputs

    def run(self, order: int, modes: tuple[str, ...], batch_independent: bool) -> None:
        for dtype in (np.float32, np.float64):
            params, state = self._init(dtype)
            x = tree.map(lambda a, to=dtype: _cast(a, to), self.inputs)
            for train in (False, True):
                self._check_call(params, state, x, train, np.dtype(dtype))
        if batch_independent:
            self._check_samples(params, state, x)
        for train in (False, True):
            self._check_gradients(params, state, x, train, order, modes)

    def _init(self, dtype: Any) -> tuple[Any, Any]:
        params, state = self.layer.init(self.key, self.shape, dtype=dtype)
        again = self.layer.init(self.key, self.shape, dtype=dtype)
        self._require(
            tree.all_equal((params, state), again), "init with the same key gave different parameters or state"
        )
        for path, leaf in tree.leaves_with_path(params):
            right = leaf.dtype == np.dtype(dtype) or leaf.dtype.kind != "f"
            self._require(right, f"init(dtype={np.dtype(dtype)}) gave parameter '{path}' as {leaf.dtype}")
        return params, state

    def _apply(self, params: Any, state: Any, x: Any, train: bool) -> tuple[Any, Any]:
        return self.layer.apply(params, state, x, key=self.key if train else None, train=train)

    def _check_call(self, params: Any, state: Any, x: Any, train: bool, dtype: np.dtype) -> None:
        given = (params, state, x)
        before = tree.map(np.array, given)
        y, new = self._apply(*given, train)
        when = f"with train={train}"
        for part, kept, now in zip(("params", "state", "inputs"), before, given, strict=True):
            self._require(tree.all_equal(kept, now), f"apply {when} wrote to its {part}; compute new arrays instead")
        again = self._apply(*given, train)
        self._require(tree.all_equal((y, new), again), f"apply {when} gave different results for the same arguments")
        for path, leaf in tree.leaves_with_path(y):
            right = leaf.dtype == dtype or leaf.dtype.kind != "f"
            self._require(right, f"apply {when} turned {dtype} into {leaf.dtype}{f' at {path!r}' if path else ''}")
        self._check_state(state, new, train)
        if all(a.dtype.kind == "f" for a in tree.leaves(x)):
            self._check_shape(y)
        self._check_jit(given, (y, new), train)

    def _check_state(self, state: Any, new: Any, train: bool) -> None:
        if not train:
            self._require(tree.all_equal(state, new), "apply with train=False changed the state")
        specs = [tree.map(lambda a: (np.shape(a), np.asarray(a).dtype.str), s) for s in (state, new)]
        self._require(specs[0] == specs[1], "apply changed the structure, a shape or a dtype of the state")

    def _check_shape(self, y: Any) -> None:
        told = self.layer.out_shape(self.shape)
        specs, structure = tree.flatten(y)
        for want, leaf in zip(tree.flatten_like(structure, told, _is_shape), specs, strict=True):
            have = leaf.shape[1:]
            fits = len(want) == len(have) and all(w is None or w == h for w, h in zip(want, have, strict=True))
            self._require(fits, f"out_shape tells {want}, but apply gave {have} after the batch axis")

    def _check_jit(self, given: tuple, expected: tuple, train: bool) -> None:
        compiled = jit(lambda p, s, x, key: self.layer.apply(p, s, x, key=key, train=train))
        got = compiled(*(*given, self.key))
        for (path, a), b in zip(tree.leaves_with_path(got), tree.leaves(expected), strict=True):
            self._close(a, b, f"jit with train={train} differs at '{path}'")

    def _check_samples(self, params: Any, state: Any, x: Any) -> None:
        y, _ = self._apply(params, state, x, False)
        turned, _ = self._apply(params, state, tree.map(lambda a: a[::-1].copy(), x), False)
        single, _ = self._apply(params, state, tree.map(lambda a: a[:1], x), False)
        for all_of, other, one in zip(tree.leaves(y), tree.leaves(turned), tree.leaves(single), strict=True):
            self._close(other[::-1], all_of, "a sample's output depends on its place in the batch")
            self._close(one, all_of[:1], "a sample's output depends on the rest of the batch")

    def _check_gradients(
        self, params: Any, state: Any, x: Any, train: bool, order: int, modes: tuple[str, ...]
    ) -> None:
        if not any(leaf.dtype.kind == "f" for leaf in tree.leaves((params, x))):
            return
        try:
            check_grads(lambda p, i: self._apply(p, state, i, train)[0], params, x, order=order, modes=modes)
        except AssertionError as error:
            raise AssertionError(
                f"{self.name}: gradients with train={train} (0 = params, 1 = inputs): {error}"
            ) from error

    def _require(self, condition: bool, message: str) -> None:
        if not condition:
            raise AssertionError(f"{self.name}: {message}.")

    def _close(self, got: Any, expected: Any, message: str) -> None:
        np.testing.assert_allclose(got, expected, self.rtol, self.rtol, err_msg=f"{self.name}: {message}")


def _is_shape(x: Any) -> bool:
    return isinstance(x, tuple) and is_single(x)


def _normal(shape: Any, batch: int, rng: np.random.Generator) -> Any:
    return tree.map(lambda s: rng.normal(size=(batch, *(n or VARIABLE for n in s))), shape, is_leaf=_is_shape)


def _cast(a: Any, dtype: Any) -> np.ndarray:
    return np.asarray(a, dtype) if np.asarray(a).dtype.kind == "f" else np.asarray(a)
