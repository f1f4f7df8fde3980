"""What is configured is pickled by its configuration, and computes the same bits in another process."""

from __future__ import annotations

import copy
import operator
import pickle
import subprocess
import sys

import numpy as np
import pytest

import fnet
from fnet import constraints, initializers, losses, metrics, optimizers, regularizers, schedules, tree
from fnet.configured import Configured
from fnet.io import load_weights, save_weights
from fnet.layers import LSTM, Add, Dense, Dropout, Lambda
from fnet.networks.combinators import fanout, named, repeat, residual, serial
from fnet.networks.graph import Input, graph
from fnet.networks.layer import Layer
from fnet.networks.parameters import freeze, trainable
from fnet.networks.storage import stored
from fnet.optimizers import Optimizer
from tests.layers.image_table import IMAGES
from tests.tables import LAYERS


def again(thing):
    return pickle.loads(pickle.dumps(thing))


def same_parameters(one: Layer, other: Layer, shape) -> bool:
    first, second = (net.init(fnet.random.key(3), shape) for net in (one, other))
    return tree.structure(first) == tree.structure(second) and tree.all_equal(first, second)


def written_by_hand(layer: Layer) -> bool:
    """Whether the layer, or one in it, is of functions of its own."""
    inner = [*layer.children, *(value for value in layer.config.values() if isinstance(value, Layer))]
    return layer.recipe is None or any(map(written_by_hand, inner))


PICKLED = [row for row in (*LAYERS, *IMAGES) if not written_by_hand(row.make())]


@pytest.mark.parametrize("row", PICKLED, ids=lambda row: row.id)
def test_layers_come_back_with_the_same_parameters_and_can_be_saved(row, tmp_path):
    net = row.make()
    made = again(net)
    assert repr(made) == repr(net) and (made.kind, made.name, made.named) == (net.kind, net.name, net.named)
    assert same_parameters(net, made, row.shape)
    params, state = net.init(fnet.random.key(3), row.shape)
    save_weights(tmp_path / "w.h5", made, params, state)
    assert tree.all_equal(load_weights(tmp_path / "w.h5", made, params, state), (params, state))


def test_most_layers_are_pickled():
    assert len(PICKLED) > 0.9 * len(LAYERS)


def as_graph() -> Layer:
    a, b = Input((4,), name="a"), Input((4,))
    shared = Dense(4, "tanh")
    left, right = shared(a), shared(b)
    both = Add()([left * 2.0, 1.0 - right, left[:, ::-1]])
    return graph([a, b], [Dense(2, name="head")(both + left), both / (right**2 + 1.0)])


METRIC_RATES = ("precision", "recall", "sensitivity", "specificity")
NETS = {
    "serial": (lambda: serial(Dense(3, "relu", kernel_initializer=initializers.he_normal()), Dropout(0.3)), (4,)),
    "shared": (lambda: serial(*[Dense(4)] * 2, named("end", Dense(2))), (4,)),
    "fanout": (lambda: fanout(Dense(3), Dense(3), merge="add"), (4,)),
    "residual": (lambda: residual(repeat(Dense(4, kernel_regularizer="l2"), 2)), (4,)),
    "graph": (as_graph, ((4,), (4,))),
    "frozen": (
        lambda: freeze(freeze(serial(Dense(3), Dense(2)), "dense_1"), operator.methodcaller("endswith", "x")),
        (4,),
    ),
    "frozen whole": (lambda: serial(freeze(Dense(3)), Dense(2, trainable=False)), (4,)),
    "stored": (lambda: stored(serial(Dense(3))), (4,)),
    "function": (lambda: serial(Lambda(np.tanh), Dense(2, "gelu")), (4,)),
    "recurrent": (lambda: serial(LSTM(3, recurrent_dropout=0.1)), (5, 4)),
}


def example(shape: tuple[int, ...]) -> np.ndarray:
    return np.linspace(-1, 1, 3 * int(np.prod(shape)), dtype=np.float32).reshape(3, *shape)


@pytest.mark.parametrize("name", NETS)
def test_networks_compute_the_same_bits(name):
    make, shape = NETS[name]
    net = make()
    made = again(net)
    assert repr(made) == repr(net) and made.entries == net.entries and same_parameters(net, made, shape)
    params, state = net.init(fnet.random.key(0), shape)
    x = example(shape) if isinstance(shape[0], int) else tuple(map(example, shape))
    for train in (False, True):
        one, other = (n.apply(params, state, x, key=fnet.random.key(1), train=train) for n in (net, made))
        assert tree.all_equal(one, other)
    if name != "stored":
        assert tree.all_equal(trainable(net, params), trainable(made, params))
    assert repr(again(made)) == repr(net)


def test_a_long_graph_needs_no_deep_stack():
    x = node = Input((2,))
    for _ in range(400):
        node = node + 1.0
    made = again(graph(x, node))
    assert made.apply({}, {}, np.zeros((1, 2)))[0].tolist() == [[400, 400]]


def test_a_layer_of_the_users_own_says_why_not():
    own = Layer(
        lambda key, shape, dtype: ({}, {}), lambda params, state, x, key=None, train=False: (x, state), name="own"
    )
    for net in (own, serial(Dense(2), own)):
        with pytest.raises(
            TypeError, match="own: a Layer of functions of your own cannot be pickled, only what .*fnet.sa"
        ):
            pickle.dumps(net)


OPTIMIZERS = {
    "adam": lambda: optimizers.adam(1e-3),
    "schedule": lambda: optimizers.sgd(schedules.warmup(schedules.cosine_decay(0.1, 10), 3), momentum=0.9),
    "options": lambda: optimizers.adamw(np.float32(0.1), clipnorm=1.0, use_ema=True, gradient_accumulation_steps=2),
    "chain": lambda: optimizers.chain(optimizers.clip_by_global_norm(1.0), optimizers.adam()),
    "partition": lambda: optimizers.partition({"a": optimizers.sgd(0.1), "b": optimizers.adam()}, {"x": "a", "y": "b"}),
    "freeze": lambda: optimizers.freeze({"x": True, "y": False}, optimizers.sgd(0.1)),
    "lookahead": lambda: optimizers.lookahead(optimizers.apply_if_finite(optimizers.accumulate(optimizers.lion(), 2))),
    "muon": lambda: optimizers.muon(),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_take_the_same_steps(name):
    optimizer = OPTIMIZERS[name]()
    made = again(optimizer)
    assert repr(made) == repr(optimizer) and copy.deepcopy(optimizer) is optimizer
    params = {"x": np.linspace(-1, 1, 4).reshape(2, 2), "y": np.ones(3)}
    states = [made.init(params), optimizer.init(params)]
    for _ in range(3):
        (one, states[0]), (other, states[1]) = (
            o.update(params, s, params) for o, s in zip((made, optimizer), states, strict=True)
        )
        assert tree.all_equal(one, other)
    assert tree.all_equal(*states)


@pytest.mark.parametrize("name", ["newton", "newton_cg", "lbfgs"])
def test_second_order_methods(name):
    method = again(getattr(optimizers, name)(c1=1e-3))
    x = np.array([1.0, 2.0])
    expected = getattr(optimizers, name)(c1=1e-3)
    steps = [m.step(_bowl, x, m.init(_bowl, x))[0] for m in (method, expected)]
    assert tree.all_equal(*steps)
    assert fnet.minimize(_bowl, x, again(method)).converged


@pytest.mark.parametrize("name", ["gauss_newton", "levenberg_marquardt"])
def test_methods_of_least_squares(name):
    method = again(getattr(optimizers, name)(solver="cg"))
    assert fnet.least_squares(lambda x: x - 1.0, np.zeros(2), method).params.round(6).tolist() == [1, 1]


def _bowl(x):
    return np.sum(x * x + x)


@pytest.mark.parametrize(
    "thing",
    [optimizers.adam(), schedules.constant(0.1), metrics.auc(), Dense(2)],
    ids=["optimizer", "schedule", "metric", "layer"],
)
def test_what_never_changes_is_not_copied(thing):
    assert copy.copy(thing) is thing and copy.deepcopy([thing])[0] is thing


def test_an_optimizer_of_the_users_own_is_pickled_by_its_functions():
    own = Optimizer(operator.itemgetter(0), operator.add, "own", {"rate": 1})
    assert repr(again(own)) == repr(own) and again(own).init([7]) == 7


SCHEDULES = [
    schedules.constant(0.1),
    schedules.piecewise_constant([2, 4], [0.3, 0.2, 0.1]),
    schedules.warmup(0.1, 3),
    schedules.exponential_decay(0.1, 10, 0.5),
    schedules.inverse_time_decay(0.1, 10, 0.5, staircase=True),
    schedules.polynomial_decay(0.1, 10),
    schedules.cosine_decay(0.1, 10),
    schedules.cosine_decay_restarts(0.1, 10),
    schedules.one_cycle(0.1, 10),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.name)
def test_schedules(schedule):
    made = again(schedule)
    assert (
        isinstance(made, Configured)
        and made == schedule
        and [made(i) for i in range(6)] == [schedule(i) for i in range(6)]
    )


@pytest.mark.parametrize("table", [initializers, regularizers, constraints], ids=lambda module: module.__name__)
def test_functions_of_parameters(table):
    found = 0
    for name in dir(table):
        make = getattr(table, name)
        if getattr(make, "__module__", "") == table.__name__ and name.islower() and hasattr(make, "__wrapped__"):
            try:
                made = make()
            except TypeError:  # it needs arguments
                continue
            if isinstance(made, Configured):
                assert again(made) == made and copy.deepcopy(made) is made
                found += 1
    assert found >= 3


ARGUMENTS = {
    "iou": (2, [0]),
    "one_hot_iou": (2, [0]),
    **dict.fromkeys(("mean_iou", "one_hot_mean_iou", "confusion_matrix"), (2,)),
    **{f"{a}_at_{b}": (0.5,) for a in METRIC_RATES for b in METRIC_RATES},
}


@pytest.mark.parametrize("name", sorted({make.__name__ for make in metrics.METRICS.values()}))
def test_metrics(name):
    make = getattr(metrics, name)
    try:
        metric = make()
    except TypeError:
        metric = make(*ARGUMENTS[make.__name__])
    made = again(metric)
    assert made[3:5] == metric[3:5] and tree.all_equal(made.init(), metric.init())
    assert again(metric._replace(name="other")).name == "other"


def test_metrics_by_name_and_of_functions():
    y, p = np.array([[1.0], [0.0]]), np.array([[0.25], [0.5]])
    for metric in (
        metrics.get("mse"),
        metrics.get("huber"),
        metrics.get(losses.Huber(delta=0.1)),
        metrics.auc(curve="PR"),
    ):
        made = again(metric)
        results = [m.result(m.update(m.init(), y, p)) for m in (made, metric)]
        assert made.name == metric.name and results[0] == results[1]


@pytest.mark.parametrize("name", losses.LOSSES)
def test_losses(name):
    assert again(losses.LOSSES[name]) == losses.LOSSES[name]


def test_a_combined_loss():
    y = [np.ones((2, 1)), np.zeros((2, 1))]
    loss = losses.combine(["mse", losses.Huber(delta=2.0)], [1.0, 0.5])
    assert again(loss)(y, y[::-1]) == loss(y, y[::-1])


@pytest.mark.slow
def test_another_process_computes_the_same_bits(tmp_path):
    net, optimizer = serial(Dense(3, "relu"), Dense(1)), optimizers.adam(schedules.constant(0.1))
    params, state = net.init(fnet.random.key(0), (4,))
    x = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
    program = """
import pickle, sys
net, optimizer, params, state, x = pickle.load(sys.stdin.buffer)
y, _ = net.apply(params, state, x)
updates, _ = optimizer.update(params, optimizer.init(params), params)
sys.stdout.buffer.write(pickle.dumps((y, updates)))
"""
    sent = pickle.dumps((net, optimizer, params, state, x))
    done = subprocess.run([sys.executable, "-c", program], input=sent, capture_output=True, check=True)
    y, updates = pickle.loads(done.stdout)
    assert tree.all_equal(y, net.apply(params, state, x)[0])
    assert tree.all_equal(updates, optimizer.update(params, optimizer.init(params), params)[0])


@pytest.mark.slow
def test_joblib():
    joblib = pytest.importorskip("joblib")
    net = serial(Dense(3, "relu"), Dense(1))
    params, state = net.init(fnet.random.key(0), (4,))
    shapes = joblib.Parallel(n_jobs=2)(joblib.delayed(_shape)(net, params, state) for _ in range(2))
    assert shapes == [(5, 1)] * 2


def _shape(net: Layer, params, state) -> tuple[int, ...]:
    return net.apply(params, state, np.zeros((5, 4), np.float32))[0].shape
