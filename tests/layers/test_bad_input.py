"""Wrong inputs, weights and arguments of every layer: an error that says where, what was expected and what came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fnet import layers, random, tree
from fnet.errors import DtypeError, FnetError, ShapeError, StructureError, ValueRangeError
from fnet.masking import unmasked
from fnet.networks.combinators import serial
from fnet.transforms.stage import eval_shape
from tests.layers.constructors import CONSTRUCTORS, is_of_one_array, kinds
from tests.layers.image_table import IMAGES
from tests.tables import LAYERS, Row, inputs

KEY = random.key(1)


def has_weights(row: Row) -> bool:
    return bool(tree.leaves(eval_shape(lambda key: row.make().init(key, row.shape), KEY)))


TABLED = [row for row in (*LAYERS, *IMAGES) if kinds(row.make()) <= set(CONSTRUCTORS)]
WEIGHTED = [row for row in LAYERS if is_of_one_array(row) and has_weights(row)]
WRONG: dict[str, Callable[[Any], Any]] = {
    "an axis less": lambda x: x[..., 0] if x.ndim else x,
    "an axis more": lambda x: x[..., None],
    "a scalar": lambda x: np.zeros(()),
    "a feature more": lambda x: np.concatenate([x, x[..., :1]], -1) if x.ndim > 1 else x,
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("row", TABLED, ids=lambda row: row.id)
def test_inputs_of_another_shape_work_or_are_refused(row: Row, wrong: str) -> None:
    """Without kernels, which nothing but wrong shapes would need."""
    check_input(row, wrong, eval_shape)


@pytest.mark.slow
@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("row", TABLED, ids=lambda row: row.id)
def test_inputs_of_another_shape_are_computed_or_refused(row: Row, wrong: str) -> None:
    check_input(row, wrong, lambda apply, x: apply(x))


def check_input(row: Row, wrong: str, run: Callable[[Callable[[Any], Any], Any], Any]) -> None:
    layer = row.make()
    net = serial(layer)
    params, state = net.init(KEY, row.shape)
    x = tree.map(WRONG[wrong], inputs(row, "float32"))
    try:
        run(lambda x: net.apply(params, state, x, key=KEY, train=True), x)
    except FnetError as error:
        assert str(error).startswith(f"in '{layer.name}")
        assert len(str(error).splitlines()) <= 3


@pytest.mark.parametrize("row", [row for row in TABLED if is_of_one_array(row)], ids=lambda row: row.id)
def test_several_arrays_are_not_one(row: Row) -> None:
    layer = row.make()
    if "Attention" in layer.kind or layer.kind in ("Lambda", "Identity"):
        return
    params, state = layer.init(KEY, row.shape)
    x = inputs(row, "float32")
    for wrong, kind in (((x, x), "tuple of 2"), ([x, x, x], "list of 3"), ({"x": x}, "dict of 1")):
        with pytest.raises(
            StructureError, match=rf"{layer.kind} takes one input, received a {kind} arrays. Merge them"
        ):
            layer.apply(params, state, wrong, key=KEY, train=True)
    if x.ndim > 1:
        y, expected = (unmasked(layer.apply(params, state, given)[0]) for given in (x.tolist(), x))
        assert tree.map(np.shape, y) == tree.map(np.shape, expected)


def changed(leaf: np.ndarray) -> list[np.ndarray]:
    """The parameter with an axis more, and with one axis longer."""
    longer = [np.concatenate([leaf, leaf.take([0], axis)], axis) for axis in range(leaf.ndim)]
    return [leaf[..., None], *longer]


@pytest.mark.parametrize("row", WEIGHTED, ids=lambda row: row.id)
def test_weights_of_another_shape_are_refused(row: Row) -> None:
    layer = row.make()
    given = layer.init(KEY, row.shape)
    for path, leaf in tree.leaves_with_path(given):
        for value in changed(leaf):
            params, state = tree.map_with_path(lambda p, x, path=path, value=value: value if p == path else x, given)
            with pytest.raises(FnetError, match=rf"(?s){layer.kind}.*(expected|needs|parameters).*received") as caught:
                layer.apply(params, state, inputs(row, "float32"), key=KEY, train=True)
            assert len(str(caught.value).splitlines()) <= 3


@pytest.mark.parametrize("row", WEIGHTED, ids=lambda row: row.id)
def test_missing_and_unknown_weights_are_named(row: Row) -> None:
    layer = row.make()
    params, state = layer.init(KEY, row.shape)
    name = next(iter(params), None)
    if name is None:
        return
    renamed = {("kernl" if key == name else key): value for key, value in params.items()}
    with pytest.raises(StructureError, match=rf"{layer.kind}.*: .*missing '{name}', unexpected 'kernl'"):
        layer.apply(renamed, state, inputs(row, "float32"), key=KEY, train=True)


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, "float32")


def applied(layer: Any, shape: Any, x: Any) -> Any:
    net = serial(layer)
    return net.apply(*net.init(KEY, shape), x)


ERRORS: list[tuple[Any, type, str]] = [
    (lambda: layers.Conv2D(6, 3, groups=4), ShapeError, r"groups must divide the filters, .*filters=6 and groups=4"),
    (lambda: layers.Conv2D(-1, 3), ValueRangeError, r"Conv2D: filters is a positive integer, received -1"),
    (lambda: layers.Conv2D(2, (3, 0)), ValueRangeError, r"Conv2D: kernel_size is a positive integer, received 0"),
    (
        lambda: layers.Conv3DTranspose(2, (3, 3)),
        ShapeError,
        r"kernel_size is an integer or 3 of them, received \(3, 3\)",
    ),
    (lambda: layers.LSTM(2, go_backwards="no"), DtypeError, r"LSTM: go_backwards is True or False, received 'no'"),
    (lambda: layers.Dense(2, use_bias=None), DtypeError, r"Dense: use_bias is True or False, received None"),
    (lambda: layers.Dropout(0.5, noise_shape=3), DtypeError, r"Dropout: noise_shape is a tuple .*, received 3"),
    (
        lambda: layers.EinsumDense("ab,bc->ac", 2, bias_axes=1),
        DtypeError,
        r"EinsumDense: bias_axes are letters of the output, e\.g\. 'd', received 1",
    ),
    (lambda: layers.RotaryEmbedding("a"), DtypeError, r"RotaryEmbedding: max_wavelength is a number, received str 'a'"),
    (lambda: layers.SinePositionEncoding(None), DtypeError, r"max_wavelength is a number, received NoneType None"),
    (lambda: layers.StackedRNNCells(3), StructureError, r"StackedRNNCells expects a list of cells, received 3"),
    (lambda: layers.UpSampling2D(interpolation=[]), ValueRangeError, r"UpSampling2D: unknown interpolation '\[\]'"),
    (
        lambda: layers.Bidirectional(layers.LSTM(2), merge_mode=[]),
        ValueRangeError,
        r"Bidirectional: unknown merge_mode \[\]",
    ),
    (lambda: applied(layers.GRU(2), (3, 4), ()), StructureError, r"in 'gru': GRU: .*, received an empty tuple"),
    (
        lambda: applied(layers.Bidirectional(layers.GRU(2)), (3, 4), ()),
        StructureError,
        r"GRU: expected a sequence, received an empty tuple",
    ),
    (
        lambda: layers.GRU(2).apply(layers.GRU(2).init(KEY, (3, 4))[0], None, ones(1, 3, 4)),
        StructureError,
        r"GRU: its state is a dict, received NoneType\. Pass the state that init returned",
    ),
    (
        lambda: applied(layers.Dense(2), (2,), [[1.0, 2.0], [3.0]]),
        ShapeError,
        r"in 'dense': a list becomes an array if",
    ),
    (
        lambda: applied(layers.BatchNormalization(), (3,), ones(2, 3).astype("complex64")),
        DtypeError,
        r"in 'batch_normalization': element type complex64 is not supported",
    ),
    (lambda: applied(layers.PReLU(), (3,), ones(2, 3).astype("U1")), DtypeError, r"element type <U1 is not supported"),
    (lambda: layers.Dense(2).init(KEY, (3,), "float3"), DtypeError, r"are float32 or float64, received dtype 'float3'"),
    (lambda: layers.Embedding(-3, 2), ValueRangeError, r"Embedding: input_dim is a positive integer, received -3"),
    (lambda: layers.GroupQueryAttention(4, 6, 4), ValueRangeError, r"must divide num_query_heads, received 4 and 6"),
    (lambda: layers.MultiHeadAttention(2, 3, rotary=True), ValueRangeError, r"heads have an even size, received 3"),
    (lambda: layers.RepeatVector(0), ValueRangeError, r"RepeatVector: n is a positive integer, received 0"),
    (lambda: layers.Flatten("first"), ValueRangeError, r"Flatten: data_format is channels_last or channels_first"),
    (lambda: layers.Lambda(3), DtypeError, r"Lambda takes a function of a batch, received int 3"),
    (lambda: layers.ActivityRegularization(-1), ValueRangeError, r"l1 must not be negative"),
    (lambda: layers.Dropout(0.5, seed="a"), DtypeError, r"Dropout: seed is an integer or None, received str 'a'"),
    (lambda: layers.Attention(score_mode="sum"), ValueRangeError, r"score_mode is 'dot' or 'concat', received 'sum'"),
    (
        lambda: applied(layers.Embedding(5, 2, name="words"), (3,), np.array([[0, 1, 5]])),
        ValueRangeError,
        r"in 'words': Embedding: 5 at position \(0, 2\) is outside of the table of 5 rows: expected 0 to 4",
    ),
    (
        lambda: layers.Dropout(0.5, (None, 2)).apply({}, {}, ones(2, 3), key=KEY, train=True),
        ShapeError,
        r"Dropout: noise_shape has None, 1 or its size for each axis of an input \(2, 3\), received \(None, 2\)",
    ),
    (
        lambda: applied(layers.Concatenate(), ((3, 4), (2, 4)), (ones(2, 3, 4), ones(2, 2, 4))),
        ShapeError,
        r"in 'concatenate': .*expected \(batch, 3, 4\), received \(batch, 2, 4\) as input 1",
    ),
    (
        lambda: applied(layers.PReLU(), (None, 3), ones(2, 4, 3)),
        ShapeError,
        r"PReLU makes parameters for axis \(1, 2\), so its size must be known",
    ),
    (
        lambda: applied(layers.Attention(), ((3, 4), (2, 5)), None),
        ShapeError,
        r"Attention: query and key need as many features, received 4 and 5",
    ),
    (
        lambda: serial(layers.Dense(4), layers.Conv1D(4, 3)).init(KEY, (3,)),
        ShapeError,
        r"in 'conv1d': Conv1D takes samples of shape \(steps, channels\), received \(4,\)",
    ),
]


@pytest.mark.parametrize(("wrong", "error", "text"), ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors_say_what_was_expected(wrong: Any, error: type, text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        wrong()
    assert len(str(caught.value).splitlines()) <= 3


def test_errors_at_build_time_show_path_and_layer() -> None:
    net = serial(layers.Dense(4, "relu"), layers.BatchNormalization(axis=3))
    with pytest.raises(ShapeError) as caught:
        net.init(KEY, (3,))
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("in 'batch_normalization': BatchNormalization: axis 3 is not in an input")
    assert lines[-1] == "The layer is BatchNormalization(axis=3)."


OLD: list[tuple[Any, str]] = [
    (lambda: layers.LeakyReLU(alpha=0.1), r"LeakyReLU\(\) got .*'alpha'\. Keras 2's 'alpha' .* is 'negative_slope'"),
    (lambda: layers.ReLU(alpha=0.1), r"ReLU\(\) got .*'alpha'\. Keras 2's 'alpha' .* is 'negative_slope'"),
    (lambda: layers.Embedding(9, 2, input_length=5), r"'input_length'\. Sequences may have any length: leave it out"),
    (lambda: layers.Dense(2, dtype="float64"), r"'dtype'\. The dtype of parameters goes to init"),
    (lambda: layers.Dense(2, input_dim=4), r"'input_dim'\. A shape goes to init"),
]


@pytest.mark.parametrize(("wrong", "text"), OLD, ids=[text for _, text in OLD])
def test_arguments_of_old_tutorials_are_explained(wrong: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        wrong()
