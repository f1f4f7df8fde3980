"""fnet: a JIT-compiled functional deep-learning library. Layers are pure (init, apply) pairs over trees of arrays.

    net = fnet.serial(fnet.layers.Dense(300, activation="relu"), fnet.layers.Dense(10))
    trainer = fnet.Trainer(net, loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    ts = trainer.init(fnet.random.key(0), (784,))
    ts, history = trainer.fit(ts, x, y, epochs=5)

Networks: `serial`, `parallel`, `fanout`, `residual`, `repeat`, `named`; any graph by `Input`, `graph` and
`operation`; a layer of your own by `Layer`; the constructors are in `fnet.layers`. To look at them: `summary`,
`plot_model`.
Training: `Trainer`; `fnet.losses`, `fnet.metrics`, `fnet.optimizers`, `fnet.schedules`; `minimize`, `least_squares`.
Transforms of functions: `jit`, `grad`, `value_and_grad`, `vjp`, `jvp`, `hessian`, `jacobian`; of arrays: `fnet.ops`.
Files: `save_model`, `load_model`, `save_weights`, `load_weights`, `checkpoint`, `save_safetensors`, `load_safetensors`.
Random numbers come from keys: `fnet.random.key(0)`.
"""

from fnet import first_use, kernels  # noqa: F401  (from now on a fork waits for imports and compilations)

__getattr__, __dir__, __all__ = first_use.on_first_use(__name__)

__version__ = "0.1.0"
