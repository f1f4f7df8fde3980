"""Ctrl-C while a batch is waited for, and forks beside the thread that makes it: a process of its own, real signals."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest

CTRL_C = """
import sys, threading, time, numpy as np, fnet
from fnet.callbacks import LambdaCallback
from fnet.layers import Dense

X, Y = np.ones((4, 3), "float32"), np.zeros((4, 1), "float32")
trainer = fnet.Trainer(Dense(1), "mse", "sgd")
start = trainer.init(fnet.random.key(0), (3,))
good, _ = trainer.fit(start, iter([(X, Y)] * 3), steps_per_epoch=3, verbose=False)
trainer.evaluate(good, iter([(X, Y)] * 3))

def stuck(count, wait):
    for _ in range(count):
        yield X, Y
    print("waiting", flush=True)
    wait()
    yield X, Y

def for_ever():
    return threading.Event().wait()

def fitted(wait, **options):
    ts, history = trainer.fit(start, stuck(3, wait), steps_per_epoch=9, epochs=2, verbose=False, **options)
    assert history.interrupted and history.epoch == [] and fnet.tree.all_equal(ts, good), (ts, history.epoch)

class Slow:
    shape, dtype, reads = (2**18, 3, 12), np.dtype("f4"), 0

    def __init__(self, slow):
        self.slow = slow

    def __getitem__(self, part):
        self.reads += 1
        if self.reads == self.slow:
            print("waiting", flush=True)
            time.sleep(20)
        return np.ones((part.stop - part.start, 3, 12), "f4")

def validated():
    ts, history = trainer.fit(start, X, Y, validation_data=stuck(2, for_ever), validation_steps=5, verbose=False)
    assert history.interrupted and history.epoch == [] and ts.step == 1

def evaluated():
    try:
        trainer.evaluate(good, stuck(3, for_ever))
    except KeyboardInterrupt:
        return
    raise AssertionError

net = fnet.serial(fnet.layers.Flatten(), Dense(1))
streaming = fnet.Trainer(net, "mse", "sgd")

def streamed(slow, least, most):
    ts = streaming.init(fnet.random.key(0), (3, 12))
    for slow in (0, slow):  # the first one compiles
        last, history = streaming.fit(ts, Slow(slow), np.zeros((2**18, 1), "f4"), 4096, 2, verbose=False)
    ts = last
    assert history.interrupted and least <= ts.step <= most, ts.step

hooks = [LambdaCallback(on_train_batch_end=lambda batch, logs: None)]
for case in (
    lambda: fitted(lambda: time.sleep(20)), lambda: fitted(for_ever), lambda: fitted(for_ever, callbacks=hooks),
    validated, evaluated, lambda: streamed(36, 1, 63), lambda: streamed(50, 64, 64),
):
    case()
    print("done", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_while_a_batch_is_waited_for_returns_at_once():
    """The last completed step, also where batches are stuck for ever; no second Ctrl-C is needed."""
    with subprocess.Popen([sys.executable, "-c", CTRL_C], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        overdue = threading.Timer(90, process.kill)
        overdue.start()
        try:
            for case in range(7):
                assert process.stdout.readline() == "waiting\n", case
                time.sleep(0.05)
                began = time.monotonic()
                process.send_signal(signal.SIGINT)
                assert process.stdout.readline() == "done\n", case
                assert time.monotonic() - began < 6, case
            assert process.wait(5) == 0
        finally:
            overdue.cancel()
            process.kill()


FORK = """
import os, signal, numpy as np, fnet
from fnet.callbacks import LambdaCallback
from fnet.layers import Dense

batch = np.ones((4, 3), "float32"), np.zeros((4, 1), "float32")
trainer = fnet.Trainer(Dense(1), "mse", "sgd")
start = trainer.init(fnet.random.key(0), (3,))
child = None

def fit(**options):
    return trainer.fit(start, iter([batch] * 9), steps_per_epoch=9, verbose=False, **options)[0]

def fork(number, logs):
    global child
    if number == 3:
        child = os.fork()
        if child == 0:
            signal.alarm(30)
            assert int(fit().step) == 9

try:
    ts = fit(callbacks=[LambdaCallback(on_train_batch_end=fork)])
except RuntimeError as error:
    assert child == 0 and "does not live in a forked process. Call fit anew" in str(error)
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert fnet.tree.all_equal(ts, fit())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_process_that_is_forked_within_an_epoch_trains_anew_and_is_told_what_it_cannot():
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], check=True, timeout=60)
