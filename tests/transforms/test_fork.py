"""A process that forks while another thread is in a jitted function: the child can use it, too."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, threading, time
import numpy as np
import fnet
from numba.core.compiler_lock import global_compiler_lock

x = np.ones((300, 300), np.float32)
if "{what}" == "fit":
    net = fnet.serial(fnet.layers.Dense(32, activation="relu"), fnet.layers.Dense(1))
    trainer = fnet.Trainer(net, loss="mse", optimizer="sgd")
    ts = trainer.init(fnet.random.key(0), (300,))
    work = lambda: trainer.fit(ts, x, x[:, :1], batch_size=20, epochs=2, verbose=False)
else:
    f = fnet.jit(lambda x: np.sum(np.tanh(x @ x) @ x), executor="walk")
    work = lambda: f(x)
if "{what}" != "compile":
    work()
stop = False

def busy():
    while not stop:
        if "{what}" != "compile":
            work()
        else:
            with global_compiler_lock:
                time.sleep(0.05)

thread = threading.Thread(target=busy)
thread.start()
time.sleep(0.05)
hangs = 0
for i in range({forks}):
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:
            print(repr(error))
            os._exit(1)
    end = time.time() + 40
    while (waited := os.waitpid(pid, os.WNOHANG))[0] == 0 and time.time() < end:
        time.sleep(0.002)
    if waited[0] == 0:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        print("hangs")
        break
    if waited[1]:
        print("failed", waited)
    time.sleep(0.003)
stop = True
thread.join()
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("what", ["jit", "compile", pytest.param("fit", marks=pytest.mark.slow)])
def test_a_child_process_can_use_what_another_thread_was_in(what):
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM.format(what=what, forks=3 if what == "compile" else 8)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert run.stdout.split() == ["done"], run.stdout + run.stderr


IMPORTING = """
import os, pathlib, tempfile, threading, time
import fnet, fnet.kernels
import logging

folder = tempfile.TemporaryDirectory()
text = "import logging, time; time.sleep(0.5); logging.getLogger('x'); value = 1"  # needs a lock that a fork takes
pathlib.Path(folder.name, "unhurried.py").write_text(text)
fnet.__path__.append(folder.name)
thread = threading.Thread(target=__import__, args=("fnet.unhurried",))
thread.start()
time.sleep(0.2)
pid = os.fork()
if pid == 0:
    from fnet.unhurried import value
    os._exit(value)
end = time.time() + 20
while (waited := os.waitpid(pid, os.WNOHANG))[0] == 0 and time.time() < end:
    time.sleep(0.01)
if waited[0] == 0:
    os.kill(pid, 9)
print(os.waitstatus_to_exitcode(waited[1]) if waited[0] else "hangs")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_waits_for_the_module_that_another_thread_imports():
    command = [sys.executable, "-W", "ignore", "-c", IMPORTING]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.stdout.split() == ["1"], run.stdout + run.stderr


LONG = """
import os, signal, threading
import numpy as np
import fnet, fnet.errors, fnet.kernels.compiler.forks as forks
from numba.core.compiler_lock import global_compiler_lock

forks._LONGEST_COMPILATION = 0.1
begun, over = threading.Event(), threading.Event()

def compile_for_long():
    with global_compiler_lock:
        begun.set()
        over.wait()

thread = threading.Thread(target=compile_for_long)
thread.start()
begun.wait()
pid = os.fork()
if pid == 0:
    signal.alarm(20)
    try:
        fnet.ops.tanh(np.ones(3))
    except fnet.errors.FnetError as error:
        print(error, flush=True)
    os._exit(0)
over.set()
thread.join()
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), fnet.ops.tanh(np.zeros(1)))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_says_that_another_thread_compiled_for_too_long():
    """It would wait for ever for a lock that only this thread releases."""
    run = subprocess.run([sys.executable, "-c", LONG], capture_output=True, text=True, timeout=120, check=False)
    assert "forked while another thread compiled" in run.stdout, run.stdout + run.stderr
    assert run.stdout.endswith("0 [0.]\n"), run.stdout + run.stderr
