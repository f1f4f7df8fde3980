"""What is timed: training steps, epochs of `fit`, calls for inference."""

from __future__ import annotations

from typing import Any

import numpy as np

import fnet
from bench.problems import Network
from bench.protocol import Run
from bench.workers.fnet.dtypes import floats_to
from bench.workers.fnet.losses import loss_of
from bench.workers.fnet.networks import network
from bench.workers.fnet.place import ON_CARD, there, wait


class Training:
    """A training loop on one batch: forward, loss, backward and Adam, in place; `read` looks at every loss."""

    def __init__(self, problem: Network, read: bool = False) -> None:
        net, loss, optimizer = network(problem), loss_of(problem), fnet.optimizers.adam(1e-3)

        def loss_fn(params: Any, state: Any, x: Any, t: Any) -> Any:
            y, state = net.apply(params, state, x, train=True)
            return loss(t, y), state

        @fnet.jit(donate=("params", "state", "opt_state"))
        def step(params: Any, state: Any, opt_state: Any, x: Any, t: Any) -> Any:
            (value, state), grads = fnet.value_and_grad(loss_fn, has_aux=True)(params, state, x, t)
            updates, opt_state = optimizer.update(grads, opt_state, params)
            return fnet.optimizers.apply_updates(params, updates), state, opt_state, value

        params, state = initial(net, problem)
        self.step = step
        self.loss_fn = loss_fn
        self.read = read
        self.x, self.t = there(problem.data())
        self.carried = there((params, state, optimizer.init(params)))

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What the next step is called with."""
        return (*self.carried, self.x, self.t)

    def run(self, count: int) -> int:
        """Do `count` steps."""
        step, read, x, t = self.step, self.read, self.x, self.t
        params, state, opt_state = self.carried
        for _ in range(count):
            params, state, opt_state, value = step(params, state, opt_state, x, t)
            if read:
                float(value)
        self.carried, self.value = (params, state, opt_state), value
        return count

    def losses(self, count: int) -> list[float]:
        """Do `count` steps and look at their losses."""
        found = []
        for _ in range(count):
            self.run(1)
            found.append(float(self.value))
        return found

    def gradients(self, dtype: str) -> list[np.ndarray]:
        """The gradients of the loss in this floating dtype."""
        params, state, _ = self.carried
        gradients = fnet.jit(fnet.value_and_grad(self.loss_fn, has_aux=True))
        _, grads = gradients(*floats_to(dtype, (params, state, self.x, self.t)))
        return fnet.tree.leaves(grads)


def fit(problem: Network) -> Run:
    """Whole epochs."""
    trainer = fnet.Trainer(network(problem), loss=loss_of(problem), optimizer=fnet.optimizers.adam(1e-3))
    x, t = there(problem.data(problem.epoch))
    train_state = there(trainer.init(fnet.random.key(0), shapes_of(x)))

    def run(count: int) -> int:
        nonlocal train_state
        epochs = -(-count // problem.epoch)
        train_state, _ = trainer.fit(train_state, x, t, batch_size=problem.batch, epochs=epochs, verbose=False)
        return epochs * problem.epoch

    return run


class Inference:
    """One example at a time, the parameters held by the function."""

    def __init__(self, problem: Network) -> None:
        net = network(problem)
        params, state = there(initial(net, problem))
        self.apply = fnet.jit(lambda x: net.apply(params, state, x)[0])
        self.x = there(fnet.tree.map(lambda a: np.ascontiguousarray(a[:1]), problem.data()[0]))

    def run(self, count: int) -> int:
        """Do `count` calls."""
        apply, x = self.apply, self.x
        for _ in range(count):
            apply(x)
            if ON_CARD:
                wait()
        return count


def initial(net: fnet.Layer, problem: Network) -> tuple[Any, Any]:
    """Params with the weights of the problem, which are in the order of the network, and the state."""
    params, state = net.init(fnet.random.key(0), shapes_of(problem.data()[0]))
    weights = [leaf for leaves in problem.weights().values() for leaf in leaves.values()]
    old = fnet.tree.leaves(params)
    assert [leaf.size for leaf in old] == [leaf.size for leaf in weights], "another order of weights"
    new = [weight.reshape(leaf.shape) for weight, leaf in zip(weights, old, strict=True)]
    return fnet.tree.unflatten(fnet.tree.structure(params), new), state


def shapes_of(x: Any) -> Any:
    """The shapes of inputs without the batch axis."""
    return fnet.tree.map(lambda a: a.shape[1:], x)
