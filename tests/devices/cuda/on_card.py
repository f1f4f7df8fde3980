"""Everything that only a card can show, by one command: ``python -m tests.devices.cuda.on_card``.

The parts run one after the other, the most valuable first, each in processes of its own and with a time limit, so that
what fails on the card ends one part alone. After each part the report in `--out` is written anew: what passed, what
failed and why, what there was no time for. Without a card it says so. ``--emulated`` tries the command there.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.devices.cuda.progress import VARIABLE

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[2]
PACKAGES = ("numpy", "numba", "numba-cuda", "cuda-bindings", "nvidia-cuda-nvrtc", "nvidia-nvjitlink", "nvidia-nvvm",
            "nvidia-cublas", "torch", "jax", "cupy-cuda13x")  # fmt: skip
SANITIZER = Path("/usr/local/cuda/bin/compute-sanitizer")
TOOLS = ("memcheck", "racecheck", "synccheck", "initcheck")
WHOLE = ("networks", "tables", "bad_input", "side_by_side", "other_libraries")  # files that are parts of their own
MOST_PROCESSES = 14

FIRST_KERNEL = """
import time, numpy as np, fnet
print(repr(fnet.devices()), fnet.devices().libraries)
home = fnet.device.device_named("cuda")
print(home.driver.name, "of capability", home.driver.capability, "with", *home.driver.memory(), "bytes free and in all")
x, begin = fnet.to_device(np.arange(1000, dtype=np.float32), "cuda"), time.perf_counter()
y = fnet.to_host(x + 1)
print(f"the first kernel was compiled and run in {time.perf_counter() - begin:.2f} s")
np.testing.assert_array_equal(y, np.arange(1, 1001))
"""


@dataclass(frozen=True)
class Part:
    """A part of the report; limit: seconds; run: ``run(context, seconds) -> Markdown``."""

    name: str
    limit: float
    run: Callable[[Context, float], str]


@dataclass(frozen=True)
class Context:
    """How this run is made: where files go, whether the card is emulated, how many processes run tests, a script."""

    out: Path
    is_emulated: bool
    processes: int
    script: Path | None

    @property
    def environment(self) -> dict[str, str]:
        chosen = {"FNET_TEST_CARD": "emulated"} if self.is_emulated else {}
        return {**os.environ, "PYTHONUNBUFFERED": "1", **chosen}


def main() -> None:
    """Parse the options, run the parts, write the report."""
    options = _options()
    if not options.emulated and (why := _why_not()):
        sys.exit(f"no card: {why}. Nothing was run.")
    options.out.mkdir(parents=True, exist_ok=True)
    script = options.script and options.script.resolve()
    context = Context(options.out.resolve(), options.emulated, options.processes, script)
    end, sections = time.monotonic() + options.seconds, ["# What a card shows"]
    for part in PARTS:
        if part.name not in options.parts:
            continue
        left = end - time.monotonic()
        begin = time.monotonic()
        text = part.run(context, min(part.limit, left)) if left > 5 else "There was no time for it."
        sections.append(f"## {part.name}\n\n{text}\n\n{time.monotonic() - begin:.0f} s of at most {part.limit:.0f}.")
        print(f"\n{sections[-1]}", flush=True)
        (context.out / "report.md").write_text("\n\n".join(sections) + "\n")


def _machine(context: Context, seconds: float) -> str:
    """Versions, the card, and the first kernel."""
    lines = []
    for name in PACKAGES:
        try:
            lines.append(f"- {name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            lines.append(f"- {name} is not there")
    before = "from tests.devices.cuda.emulated import Emulated\nfrom fnet.devices.cuda.device import Cuda\n"
    before += "import fnet.device\nfnet.device.FOUND['cuda'] = Cuda('cuda', Emulated())\n"
    code = (before if context.is_emulated else "") + FIRST_KERNEL
    printed, how = _run([sys.executable, "-c", code], context, seconds, "machine")
    return "\n".join([*lines, "", "```", *printed.splitlines()[-15:], "```", how])


def _tests(*arguments: str, alone: bool = False) -> Callable[[Context, float], str]:
    """Tests of this folder, in several processes."""

    def run(context: Context, seconds: float) -> str:
        several = [] if alone or importlib.util.find_spec("xdist") is None else ["-n", str(context.processes)]
        return _pytest([sys.executable], [*several, *arguments], context, seconds)

    return run


def _pytest(python: Sequence[str], arguments: Sequence[str], context: Context, seconds: float) -> str:
    """The results of tests, also of those that were done when the time was over."""
    progress = context.out / "progress.jsonl"
    progress.unlink(missing_ok=True)
    fixed = ["-m", "pytest", "-m", "gpu", "-q", "-p", "tests.devices.cuda.progress", "-o", "filterwarnings=default"]
    printed, how = _run([*python, *fixed, *arguments], context, seconds, "log", {VARIABLE: str(progress)})
    results = [json.loads(line) for line in progress.read_text().splitlines()] if progress.exists() else []
    counts = Counter(result["outcome"] for result in results)
    slowest = max(results, key=lambda result: result["seconds"], default=None)
    lines = [", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "no test was run", how]
    if slowest is not None:
        lines.append(f"The longest: {slowest['test'].rpartition('::')[2]}, {slowest['seconds']:.1f} s.")
    bad = [result for result in results if result["outcome"] == "failed"]
    lines += [f"- {result['test'].rpartition('/')[2]}: {result['said']}" for result in bad]
    skipped = {result["said"][-160:] for result in results if result["outcome"] == "skipped"}
    lines += [f"- skipped: {reason}" for reason in sorted(skipped)]
    if not results:
        lines += ["```", *printed.splitlines()[-25:], "```"]
    found = [line for line in printed.splitlines() if line.startswith("=====") and "SUMMARY" in line]
    return "\n".join([*lines, *found])


def _sanitized(context: Context, seconds: float) -> str:
    """Tests of kernels under NVIDIA's compute-sanitizer: each array is an allocation, so every stray access is seen."""
    tool = shutil.which("compute-sanitizer") or (str(SANITIZER) if SANITIZER.exists() else None)
    if tool is None or context.is_emulated:
        return "compute-sanitizer was not found." if tool is None else "An emulated card has its own checker."
    files = [str(FOLDER / f"test_{name}.py") for name in SANITIZED]
    few = [] if importlib.util.find_spec("xdist") is None else ["-n", "4"]  # one that is lost is replaced
    texts, end = [], time.monotonic() + seconds
    for number, name in enumerate(TOOLS):
        share = (end - time.monotonic()) / (len(TOOLS) - number)
        checked = [tool, "--tool", name, "--target-processes", "all", "--print-limit", "10", sys.executable]
        texts.append(f"### {name}\n\n{_pytest(checked, [*few, '-k', 'not drawn', *files], context, share)}")
    return "\n\n".join(texts)


def _bench(context: Context, seconds: float) -> str:
    """Times, beside other libraries."""
    command = [sys.executable, "-m", "bench.card", "--out", str(context.out / "bench.md")]
    command += ["--dry", "--only", "mlp"] if context.is_emulated else ["--seconds", str(max(10, seconds - 35))]
    printed, how = _run(command, context, seconds, "bench")
    report = context.out / "bench.md"
    return f"{report.read_text() if report.exists() else printed[-3000:]}\n\n{how}"


def _script(context: Context, seconds: float) -> str:
    """What a program of the user's prints."""
    if context.script is None:
        return "None was given."
    printed, how = _run([sys.executable, str(context.script)], context, seconds, "script")
    return f"{printed.strip()}\n\n{how}"


def _run(
    command: Sequence[str], context: Context, seconds: float, log: str, more: dict[str, str] | None = None
) -> tuple[str, str]:
    """What a command printed, which goes to the end of a file as well, and how it ended."""
    path = context.out / f"{log}.txt"
    begin = path.stat().st_size if path.exists() else 0
    with path.open("ab") as file:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=context.environment | (more or {}),
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
        try:
            how = f"It ended with status {process.wait(seconds)}."
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            how = f"Its time of {seconds:.0f} s was over: what follows it was not tried."
    return path.read_bytes()[begin:].decode(errors="replace"), how


def _why_not() -> str:
    """Why there is no card; empty where there is one."""
    import fnet

    found = fnet.devices()
    return "" if "cuda" in found else found.missing.get("cuda", "no card has the number 0")


def _kernel_tests() -> list[str]:
    """The files of tests that are no parts of their own."""
    return [str(path) for path in sorted(FOLDER.glob("test_*.py")) if path.stem.removeprefix("test_") not in WHOLE]


SANITIZED = ("linalg", "conv", "recurrent", "attention", "nn", "normalization", "pooling", "index", "reduce", "search",
             "random", "depthwise", "solve", "ctc", "edit_distance", "copying", "loops")  # fmt: skip
PARTS = (
    Part("machine", 40, _machine),
    Part("networks", 100, _tests(str(FOLDER / "test_networks.py"))),
    Part("tables", 130, _tests(str(FOLDER / "test_tables.py"))),
    Part("bench", 200, _bench),
    Part("script", 60, _script),
    Part("mistakes, streams, other libraries", 50, _tests(*(str(FOLDER / f"test_{name}.py") for name in WHOLE[2:]))),
    Part("kernels", 80, _tests(*_kernel_tests())),
    Part("sanitizer", 120, _sanitized),
)


def _options() -> argparse.Namespace:
    names = [part.name for part in PARTS]
    parser = argparse.ArgumentParser(prog="python -m tests.devices.cuda.on_card", description=__doc__)
    parser.add_argument("--parts", nargs="+", default=names, choices=names, metavar="PART", help="; ".join(names))
    parser.add_argument("--seconds", type=float, default=575, help="for all of it; the limits of parts stay")
    parser.add_argument(
        "--out", type=Path, default=Path("build/card"), help="a folder for the report and what was printed"
    )
    parser.add_argument(
        "--processes", type=int, default=min(MOST_PROCESSES, os.cpu_count() or 1), help="that run tests"
    )
    parser.add_argument("--script", type=Path, help="a Python program that is run as well, as a part of its own")
    parser.add_argument("--emulated", action="store_true", help="a card without a card, to try the command")
    return parser.parse_args()


if __name__ == "__main__":
    main()
