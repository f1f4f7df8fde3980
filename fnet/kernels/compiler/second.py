"""A second process that compiles beside this one, while kernels are compiled for the first time.

Compiling holds Python's lock half of the time, so threads would not help. This process tells the second one which
kernels a plan needs. The second process puts them into the cache's folder, and this process loads them from there.
`claims` keeps the two from making the same kernel. The second process imports nothing but fnet, prints nothing, and
ends when the plan is compiled or this process ends. If it cannot start, or dies, this process compiles everything.

``FNET_COMPILERS=1`` before the process starts switches it off, ``FNET_COMPILERS=2`` is the default.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from fnet.kernels.compiler import claims
from fnet.kernels.compiler.cache_folder import cache_directory

IDLE = 15.0  # seconds without work after which the second process ends by itself
_CODE = """
import sys
_, file, folder, *sys.path = sys.argv
from fnet.devices.cpu.ahead import serve
serve(int(file), folder)
"""

_process: subprocess.Popen[bytes] | None = None


def start() -> bool:
    """Whether a second process is there; started if it was not and if there may be one."""
    global _process  # noqa: PLW0603  (a process has one partner)
    if _process is not None and _process.poll() is None:
        return True
    folder = cache_directory()
    if folder is None or not _is_permitted() or not os.access(folder / "machine", os.W_OK):
        return False
    stop()
    try:
        with tempfile.TemporaryFile() as file:
            shared = os.dup(file.fileno())
    except OSError:
        return False
    try:
        options = ["-I"] if sys.flags.isolated else []
        _process = subprocess.Popen(
            [sys.executable, *options, "-c", _CODE, str(shared), str(folder), *map(str, sys.path)],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[shared],
            env=os.environ | {"FNET_COMPILERS": "1", "FNET_QUIET": "1", "FNET_NUM_THREADS": "1"},
        )
    except (OSError, ValueError):
        os.close(shared)
        return False
    claims.share(shared)
    return True


def expect() -> bool:
    """Start the second process before there is work for it where no plan was ever compiled; whether it is there."""
    folder = cache_directory()
    if folder is None:
        return False
    try:
        with os.scandir(folder / "generated") as files:
            is_cold = next(files, None) is None
    except OSError:  # somebody has removed it
        return False
    return is_cold and start()


def tell(work: Sequence[Sequence[str]]) -> None:
    """Tell the second process to do this work; if the pipe to it is full or closed, end it."""
    process = _process  # another thread may end it
    if process is None or process.stdin is None:
        return
    line = json.dumps(work).encode() + b"\n"
    try:
        pipe = process.stdin.fileno()
        os.set_blocking(pipe, False)
        is_told = os.write(pipe, line) == len(line)
    except (OSError, ValueError):  # it is gone, or the pipe is closed
        is_told = False
    if not is_told:
        stop()


def stop() -> None:
    """End the second process at once; the kernels that it has finished are on disk."""
    global _process
    process, _process = _process, None
    if process is None:
        return
    claims.share_no_longer()
    process.kill()
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def received() -> Iterator[list[list[str]]]:
    """Yield, in the second process, the work it is told to do, until no more comes or the first process is gone."""
    text = b""
    while select.select([0], [], [], IDLE)[0] and (piece := os.read(0, 1 << 16)):
        *lines, text = (text + piece).split(b"\n")
        for line in lines:
            yield json.loads(line)


def _is_permitted() -> bool:
    """Whether there are two processors for one process that is neither told to do without nor one of several."""
    if os.name != "posix" or os.environ.get("FNET_COMPILERS") in ("0", "1"):
        return False
    if getattr(sys, "frozen", False) or "python" not in Path(sys.executable or "").name:
        return False  # some other program, which holds Python
    multiprocessing = sys.modules.get("multiprocessing")
    if multiprocessing is not None and multiprocessing.parent_process() is not None:
        return False
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores > 1


def _forget() -> None:
    """Forget the second process, in a forked child: it belongs to the parent."""
    global _process
    process, _process = _process, None
    if process is None:
        return
    claims.share_no_longer()
    process.returncode = 0  # nothing to wait for
    if process.stdin is not None:
        process.stdin.close()


atexit.register(stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
