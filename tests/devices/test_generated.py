"""Generated modules: named by their text, the same in every process, never half written, never stale."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fnet.devices import generated
from fnet.kernels.compiler import cache_folder, sources

TEXT = f"""from fnet.kernels.policy import kernel


@kernel
def {generated.NAME}(x, n):
    for i in range(n):
        x[i] = 2 * x[i]
"""


def test_equal_text_is_one_function_and_other_text_another():
    one = generated.define("test", TEXT)
    assert generated.define("test", TEXT) is one
    assert generated.function(one.__name__) is one
    assert generated.define("test", TEXT.replace("2 *", "3 *")) is not one


def test_two_threads_that_define_one_text_get_one_whole_function(monkeypatch):
    """The first to run the text ends only once the second is within it, and the second once the first has its own."""
    turns, second_is_in, first_is_done, found = iter([True, False]), threading.Event(), threading.Event(), []

    def meet() -> None:
        if next(turns):
            second_is_in.wait(5)
        else:
            second_is_in.set()
            first_is_done.wait(5)

    def use() -> None:
        found.append(generated.define("met", f"from builtins import meet\nmeet()\ndef {generated.NAME}(): pass"))
        first_is_done.set()

    monkeypatch.setattr(builtins, "meet", meet, raising=False)
    threads = [threading.Thread(target=use) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert found[0] is found[1]


def test_a_damaged_file_is_written_again():
    name = generated.define("damaged", TEXT).__name__
    path = cache_folder.cache_directory() / "generated" / f"{name}.py"
    whole = path.read_text()
    path.write_text(whole[:20])
    generated.define.cache_clear()
    generated.define("damaged", TEXT)
    assert path.read_text() == whole


def test_the_hash_of_a_kernel_covers_what_it_imports_directly_or_not(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "_ROOT", tmp_path)
    files = {
        "own.py": "from fnet.kernels.cpu.middle import f",
        "kernels/cpu/middle.py": "from fnet.kernels import (\n    policy,\n    scalar,\n)",
        "kernels/scalar.py": "from fnet import codes",
        "codes.py": "x = 1",
        "other.py": "x = 1",
    }
    (tmp_path / "kernels" / "cpu").mkdir(parents=True)
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    def forget() -> None:
        sources.source_hash.cache_clear()
        sources._source.cache_clear()

    def hash_after_editing(name: str) -> str:
        (tmp_path / name).write_text(files[name] + "  # edited")
        forget()
        edited = sources.source_hash(str(tmp_path / "own.py"))
        (tmp_path / name).write_text(files[name])
        return edited

    forget()
    before = sources.source_hash(str(tmp_path / "own.py"))
    assert all(hash_after_editing(name) != before for name in files if name != "other.py")
    assert hash_after_editing("other.py") == before
    forget()


PROGRAM = """
import numpy as np, fnet
f = fnet.jit(lambda x: fnet.ops.sum(fnet.ops.exp(x) * 2.0), executor="native")
f(np.ones(4, np.float32))
function = f.compiled(np.ones(4, np.float32)).program.runner.native.function
print(sum(function.stats.cache_hits.values()), sum(function.stats.cache_misses.values()))
"""


def run(cache: Path, **settings: str) -> str:
    env = {**os.environ, "FNET_CACHE_DIR": str(cache), **settings}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.slow
def test_a_second_process_finds_the_machine_code(tmp_path):
    assert run(tmp_path) == "0 1"
    assert run(tmp_path) == "1 0"


@pytest.mark.slow
def test_damaged_machine_code_is_compiled_again(tmp_path):
    assert run(tmp_path) == "0 1"
    for file in tmp_path.rglob("*.nb?"):
        file.write_bytes(file.read_bytes()[:-20])
    assert run(tmp_path) == "0 1"


@pytest.mark.slow
def test_the_cache_can_be_switched_off(tmp_path):
    run(tmp_path, FNET_CACHE="0")
    assert not list(tmp_path.rglob("*.nb?"))
