"""Models of many kinds and options of `summary`, which Keras and fnet.keras print alike.

``COLUMNS=120 KERAS_BACKEND=torch python -m tests.keras.summaries`` writes what Keras prints, as digests.
"""

import hashlib
import importlib
import json
from pathlib import Path

import numpy as np

PATH = Path(__file__).with_suffix(".json")


def models(keras):
    layers = keras.layers
    x = np.ones((32, 4), "f")

    def seq(*ls):
        return keras.Sequential(list(ls))

    def fit(m, x=x, y=None, **k):
        m.compile("adam", "mse")
        m.fit(x, np.ones((len(x), 1), "f") if y is None else y, verbose=0, batch_size=8, **k)
        return m

    yield "unbuilt", lambda: seq(layers.Dense(3), layers.Dropout(0.5), layers.Dense(1)), {}
    yield "input", lambda: seq(layers.Input((4,)), layers.Dense(3), layers.Dense(1)), {}
    yield "fit", lambda: fit(seq(layers.Dense(3), layers.Dense(1))), {}

    def called():
        m = seq(layers.Dense(3), layers.Flatten(), layers.Dense(1))
        m(x)
        return m

    yield "called", called, {}

    def built(sh):
        def f():
            m = seq(layers.Dense(3), layers.Dense(1))
            m.build(sh)
            return m

        return f

    yield "built", built((None, 4)), {}
    yield "built7", built((7, 4)), {}
    yield "batch_shape", lambda: seq(layers.Input(batch_shape=(5, 4)), layers.Dense(3)), {}
    yield "batch_size", lambda: seq(layers.Input((4,), batch_size=6), layers.Dense(3)), {}

    def predicted():
        m = seq(layers.Dense(3))
        m.predict(x, verbose=0, batch_size=8)
        return m

    yield "predicted", predicted, {}

    def evaluated():
        m = seq(layers.Dense(1))
        m.compile("sgd", "mse")
        m.evaluate(x, x[:, :1], verbose=0, batch_size=8)
        return m

    yield "evaluated", evaluated, {}

    def fun():
        i = keras.Input((4,))
        return keras.Model(i, layers.Dense(2)(layers.Dense(3, activation="relu")(i)))

    yield "functional", fun, {}

    def merge():
        a = keras.Input((4,), name="a")
        b = keras.Input((3,), name="b")
        h = layers.concatenate([layers.Dense(3)(a), layers.Dense(3)(b)])
        return keras.Model([a, b], [layers.Dense(1, name="o1")(h), layers.Dense(2, name="o2")(h)])

    yield "merge", merge, {}

    def residual():
        i = keras.Input((8, 8, 3))
        h = layers.Conv2D(4, 3, padding="same")(i)
        g = layers.BatchNormalization()(h)
        g = layers.Activation("relu")(g)
        o = layers.Add()([h, g])
        o = layers.GlobalAveragePooling2D()(o)
        return keras.Model(i, layers.Dense(2)(o))

    yield "residual", residual, {}
    yield "residual_tr", residual, {"show_trainable": True}

    def shared():
        d = layers.Dense(4)
        a = keras.Input((4,))
        b = keras.Input((4,))
        return keras.Model([a, b], layers.subtract([d(a), d(b)]))

    yield "shared", shared, {}

    def nested():
        inner = keras.Sequential([layers.Input((4,)), layers.Dense(3), layers.Dense(2)])
        i = keras.Input((4,))
        return keras.Model(i, layers.Dense(1)(inner(i)))

    yield "nested", nested, {}
    yield "nested_exp", nested, {"expand_nested": True}
    yield "nested_exp_tr", nested, {"expand_nested": True, "show_trainable": True}

    def nested2():
        i = keras.Input((4,))
        f = keras.Model(i, layers.add([layers.Dense(4)(i), i]))
        return seq(layers.Input((4,)), f, layers.Dense(1))

    yield "nested2", nested2, {}
    yield "nested2_exp", nested2, {"expand_nested": True}

    def deep():
        i = keras.Input((4,))
        f = keras.Sequential(
            [layers.Input((4,)), layers.Dense(4), keras.Sequential([layers.Input((4,)), layers.Dense(5)])]
        )
        return keras.Model(i, f(i))

    yield "deep_exp", deep, {"expand_nested": True}

    def frozen():
        m = seq(layers.Input((4,)), layers.Dense(3, trainable=False), layers.BatchNormalization(), layers.Dense(1))
        return m

    yield "frozen", frozen, {}
    yield "frozen_tr", frozen, {"show_trainable": True}

    def frozenall():
        m = fun()
        m.trainable = False
        return m

    yield "frozenall_tr", frozenall, {"show_trainable": True}
    yield (
        "range",
        lambda: seq(layers.Input((4,)), *[layers.Dense(3, name=f"d{k}") for k in range(5)]),
        {"layer_range": ("d1", "d3")},
    )
    yield "len60", merge, {"line_length": 60}
    yield "len120", merge, {"line_length": 120}
    yield "positions", fun, {"positions": [0.3, 0.6, 1.0]}

    def lstm():
        return seq(
            layers.Input((5, 3)),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
            layers.TimeDistributed(layers.Dense(2)),
            layers.GRU(3),
        )

    yield "lstm", lstm, {}

    def emb():
        return seq(layers.Embedding(10, 4), layers.LSTM(3), layers.Dense(1, activation="sigmoid"))

    yield "emb_unbuilt", emb, {}
    yield "emb_fit", lambda: fit(emb(), np.ones((16, 6), "int32")), {}

    def mha():
        i = keras.Input((6, 8))
        h = layers.MultiHeadAttention(2, 4)(i, i)
        h = layers.LayerNormalization()(h + i)
        return keras.Model(i, layers.GlobalAveragePooling1D()(h))

    yield "mha", mha, {}

    def ops_():
        i = keras.Input((4,))
        return keras.Model(i, layers.Dense(1)(i * 2 + 1))

    yield "ops", ops_, {}

    class Sub(keras.Model):
        def __init__(self):
            super().__init__()
            self.d = layers.Dense(3)
            self.e = layers.Dense(1)

        def call(self, x):
            return self.e(self.d(x))

    yield "sub_unbuilt", Sub, {}

    def sub():
        m = Sub()
        m(x)
        return m

    yield "sub_called", sub, {}
    yield "sub_fit", lambda: fit(Sub()), {}

    class Lin(layers.Layer):
        def __init__(self, u):
            super().__init__()
            self.u = u

        def build(self, s):
            self.w = self.add_weight(shape=(s[-1], self.u))
            self.b = self.add_weight(shape=(self.u,))

        def call(self, x):
            return keras.ops.matmul(x, self.w) + self.b

    yield "own", lambda: seq(layers.Input((4,)), Lin(3), layers.Dense(1)), {}

    def compiled():
        m = fun()
        m.compile("adam", "mse")
        return m

    yield "compiled", compiled, {}
    yield "fun_fit", lambda: fit(fun(), y=np.ones((32, 2), "f")), {}

    def manyin():
        i = keras.Input((4,))
        hs = [layers.Dense(2, name=f"branch_{k}")(i) for k in range(6)]
        return keras.Model(i, layers.Concatenate()(hs))

    yield "manyin", manyin, {}

    def transfer():
        base = keras.Sequential([layers.Input((4,)), layers.Dense(3), layers.BatchNormalization()], name="base")
        base.trainable = False
        i = keras.Input((4,))
        return keras.Model(i, layers.Dense(1)(base(i, training=False)))

    yield "transfer", transfer, {"show_trainable": True}

    def dictout():
        i = keras.Input((4,))
        return keras.Model(i, {"a": layers.Dense(1)(i), "b": layers.Dense(2)(i)})

    yield "dictout", dictout, {}

    def lstmstate():
        i = keras.Input((5, 3))
        o, h, c = layers.LSTM(4, return_state=True)(i)
        return keras.Model(i, [o, h, c])

    yield "lstmstate", lstmstate, {}
    yield "empty", lambda: keras.Sequential(), {}
    yield "onlyinput", lambda: seq(layers.Input((4,))), {}

    def big():
        return seq(
            layers.Input((128, 128, 3)),
            layers.Conv2D(64, 7),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(100),
        )

    yield "big", big, {}

    def longname():
        return seq(
            layers.Input((4,), name="x"),
            layers.Dense(3, name="a_layer_with_a_very_long_name_indeed_so_that_it_wraps_around"),
            layers.Dense(1),
        )

    yield "longname", longname, {}
    yield "normalization", lambda: seq(layers.Input((4,)), layers.Normalization(), layers.Dense(1)), {}
    yield "nested_unbuilt", lambda: seq(keras.Sequential([layers.Dense(2)]), layers.Dense(1)), {}
    yield (
        "nested_unbuilt_exp",
        lambda: seq(keras.Sequential([layers.Dense(2)]), layers.Dense(1)),
        {"expand_nested": True},
    )

    def nestedfit():
        return fit(seq(keras.Sequential([layers.Dense(2)]), layers.Dense(1)))

    yield "nested_fit", nestedfit, {"expand_nested": True}

    def subnest():
        class Coding(keras.Model):
            def __init__(self):
                super().__init__()
                self.enc = keras.Sequential([layers.Dense(2)])
                self.dec = keras.Sequential([layers.Dense(4)])

            def call(self, x):
                return self.dec(self.enc(x))

        m = Coding()
        m(x)
        return m

    yield "subnest", subnest, {"expand_nested": True}


def summaries(package):
    """The texts by the names of the models."""
    keras = importlib.import_module(package)
    found = {}
    for name, make, options in models(keras):
        keras.backend.clear_session()
        model, texts = make(), []
        model.summary(print_fn=lambda text, texts=texts, **_: texts.append(text), **options)
        found[name] = "\n".join(texts)
    return found


def digests(package):
    """A digest of each text."""
    return {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in summaries(package).items()}


if __name__ == "__main__":
    PATH.write_text(json.dumps(digests("keras"), indent=1) + "\n")
