"""Kernels become the code that Numba's own front end makes of them: the same results, to the bit."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import pytest
from numba import typeof
from numba.core import config
from numba.core.caching import NullCache

from fnet.compile.loops import LoopNest, LoopStep, Read, Write
from fnet.devices.cpu.loop_source import loop_source
from fnet.devices.generated import NAME, define
from fnet.kernels.compiler import full_width, linking
from fnet.kernels.compiler.frontend.compiler import REFUSED

pytestmark = [
    pytest.mark.skipif(bool(config.DISABLE_JIT or config.BOUNDSCHECK), reason="Numba's own front end is used"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]
INTEGERS = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]
COMPARISONS = [f"{{0}} {sign} {{1}}" for sign in ("==", "!=", "<", "<=", ">", ">=")]
OF_ALL = ["{0} + {1}", "{0} * {1}", "({0} > 0) - ({0} < 0)", "({1} if {0} else {0})", "abs({0})"]
OF_FLOATS = [
    *OF_ALL, "{0} - {1}", "-{0}", "{0} / {1}", "{0} // {1}", "{0} % {1}", "maximum_{t}({0}, {1})", "exp_{t}({0})",
    "maximum_{t}({0}, {1}) * {1} + {0}", "sqrt_{t}({0})", "power_{t}({0}, {1})",
]  # fmt: skip
OF_INTEGERS = [
    *OF_ALL, "{0} - {1}", "-{0}", "max({0}, {1})", "min({0}, {1})", "power_i64(np.int64({0}), np.int64({1}))",
    "floor_divide_i64(np.int64({0}), np.int64({1}))",
]  # fmt: skip
TRUTHS = [*COMPARISONS, "{0} and {1}", "{0} or {1}", "not {0}", "{0} != 0"]


def nest(*reads: str, results: list[tuple[str, str]]) -> LoopNest:
    """One loop that writes for each of `results`, templates and dtypes, what the template makes of the reads."""
    steps = [LoopStep(template, tuple(range(len(reads))), dtype) for template, dtype in results]
    writes = [Write(len(reads) + k, dtype) for k, (_, dtype) in enumerate(results)]
    return LoopNest("K", tuple(Read(dtype, "1") for dtype in reads), tuple(steps), tuple(writes))


def arithmetic(dtype: str) -> LoopNest:
    """All operations on numbers of one type."""
    numeric = OF_FLOATS if dtype[0] == "f" else OF_INTEGERS
    if dtype[0] == "u":
        numeric = [*(t for t in numeric if "i64" not in t), "{0} // {1}", "{0} % {1}"]
    return nest(dtype, dtype, results=[*((t, dtype) for t in numeric), *((t, "?") for t in TRUTHS)])


def mixture(one: str, other: str, *dtypes: str) -> LoopNest:
    """Operations on numbers of two types, and casts of the results to all `dtypes`."""
    templates = ["{0} + {1}", "{0} * {1}", "({0} if {1} else {1})", "{0}"]
    return nest(one, other, results=[*product(templates, dtypes), *((t, "?") for t in TRUTHS)])


def fold(loops: str, dtype: str, divided: bool = False) -> LoopNest:
    """Four folds of one expression, which is also written."""
    moves = "".join("s" if i < len(loops) - 1 else "1" for i in range(len(loops)))
    steps = (LoopStep("{0} * {1}", (0, 1), dtype),)
    folds = tuple(Write(2, dtype, fold) for fold in ("sum", "prod", "max", "min"))
    return LoopNest(
        loops, (Read(dtype, moves), Read(dtype, "0" * len(loops))), steps, (*folds, Write(2, dtype)), divided
    )


def numbers(dtype: str, generator: np.random.Generator, count: int) -> np.ndarray:
    """Those at which formulas go wrong, and others."""
    if dtype == "?":
        return generator.random(count) < 0.5
    if dtype[0] == "f":
        limits = np.finfo(dtype)
        positive = [0, limits.smallest_subnormal, limits.tiny, 1e-3, 0.5, 1, 3, 1e10, limits.max, np.inf, np.nan]
        return generator.choice(np.array([*positive, *(-x for x in positive)], dtype), count)
    limits = np.iinfo(dtype)
    return generator.choice(
        np.array([limits.min, limits.min + 1, 0, 1, 2, 7, limits.max // 2, limits.max], dtype), count
    )


def arguments(kernel: Callable, made: LoopNest) -> list[np.ndarray | int]:
    """Arrays long enough for loops of 5 to 7 rounds; the same at every call."""
    generator = np.random.default_rng(0)
    found: list[np.ndarray | int] = []
    dtypes = [read.dtype for read in made.reads] + [write.dtype for write in made.writes]
    dtypes += [{"f4": "f8"}.get(w.dtype, w.dtype) if w.fold == "sum" else w.dtype for w in made.writes if w.fold]
    for name in inspect.signature(kernel.py_func).parameters:
        if name[0] in "xyc":
            found.append(numbers(dtypes.pop(0), generator, 4000))
        else:
            found.append({"time": 1, "n0": 17 if made.divided else 5, "n1": 7, "n2": 6}.get(name, 11))
    return found


def both(text: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable]:
    """The kernel of a text as Numba compiles it, and as it is translated."""
    with monkeypatch.context() as patch:
        for module in (full_width, linking):
            patch.setattr(module, "translated", lambda *_: None)
        yield define("untranslated", text)
    yield define("translated", text)


def bits(x: np.ndarray) -> bytes:
    """NaN is one number, whatever else its bits say."""
    return np.where(np.isnan(x), x.dtype.type(np.nan), x).tobytes() if x.dtype.kind == "f" else x.tobytes()


def check(made: LoopNest, monkeypatch: pytest.MonkeyPatch) -> None:
    text = loop_source(made)
    results = []
    for kernel in both(text, monkeypatch):
        given = arguments(kernel, made)
        kernel(*given)
        results.append([bits(x) for x in given if isinstance(x, np.ndarray)])
    assert results[0] == results[1]
    name = define("translated", text).__name__
    assert not [refused for refused in REFUSED if name in refused], REFUSED


QUICK = {
    "f4": arithmetic("f4"),
    "i8": arithmetic("i8"),
    "f4 and i8": mixture("f4", "i8", "f4", "i4", "u8"),
    "folds": fold("KRK", "f4"),
    "divided": fold("RK", "i4", divided=True),
}
SLOW = {dtype: arithmetic(dtype) for dtype in ["f8", *INTEGERS] if dtype not in QUICK}
SLOW["?"] = nest("?", "?", results=[(t, "?") for t in [*TRUTHS, "{0} + {1}", "{0} * {1}", "max({0}, {1})", "abs({0})"]])
SLOW |= {
    f"{one} and {other}": mixture(one, other, "f4", "f8", "i1", "i8", "u4", "u8")
    for one, other in product(["f4", "f8", "?", "i1", "i4", "u4", "i8", "u8"], repeat=2)
    if one < other
}
SLOW |= {
    f"{loops} {dtype}": fold(loops, dtype, divided)
    for loops, dtype, divided in product(["R", "KR", "RK", "KRK"], ["f4", "f8", "i4", "u8"], [False, True])
}


@pytest.mark.parametrize("made", QUICK.values(), ids=QUICK)
def test_the_results_are_those_of_numba(made, monkeypatch):
    check(made, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("made", SLOW.values(), ids=SLOW)
def test_all_results_are_those_of_numba(made, monkeypatch):
    check(made, monkeypatch)


HEAD = """import math

import numpy as np

from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.policy import kernel, scalar

LIMIT, WEIGHTS = 3, (np.float32(0.5), np.float32(2))


@scalar
def pair(a, b):
    if a < b:
        return a, b
    return b, a


@scalar
def first(x, least, n):
    for i in range(n):
        if x[i] >= least:
            return i
    return -1


@kernel
def doubled(x, n):
    for i in range(n):
        x[i] *= 2


@kernel
def applied(function, x, n):
    function(x, n)


@kernel
def {name}(x, k, n, m):
"""
STATEMENTS = {
    "conditions": """
    for i in range(n):
        if x[i] < 0 and x[i] > -2 and not i == m:
            k[i] = 1
        elif x[i] > 3 or i == m or x[i] != x[i]:
            k[i] = 2
        else:
            k[i] = 3 if 0 <= x[i] < 1 else 4
    """,
    "ranges": """
    total = 0
    for i in range(n - 1, -1, -2):
        k[i] = i
        total += i
    for step in range(-3, 4):
        if step != 0:
            for i in range(n, m, step):
                total = total * 3 + i
            for i in range(m, n, step):
                total = total * 3 + i
    k[0] = total
    """,
    "loops that end early": """
    i, seen = 0, 0
    while i < n:
        i += 1
        if x[i - 1] > 3:
            continue
        if i > m:
            break
        for j in range(i):
            if j == m - 2:
                continue
            if j > 5:
                break
            seen += j
        k[i] = seen
    for i in range(seen, seen + 2):
        k[0] += i
    k[1] = i
    """,
    "names": """
    low, high = pair(n, m)
    low, high = high - 1, low + 1
    last = high
    for i in range(low):
        last = last + i
        i = i * 2
        k[i % n] = last
    for j in range(high):
        for j in range(j + m):
            last += j
        k[j % n] += last
    n = np.float32(n)
    x[0] = n * WEIGHTS[1] + WEIGHTS[0]
    """,
    "elements": """
    second = at(x, 2)
    second[1], x[0] = x[0], second[1]
    second[2] += x[1]
    x[n - 1] -= 3
    x[-2] = max(x[1], x[2], x[3]) + min(m, n, LIMIT) + int(x[4]) + abs(x[0])
    k[0] = x.size
    k[1] = np.float32(m).view(np.int32)
    k[2] = first(x, x[3], n) + first(x, np.float32(1e30), 2)
    trio = np.uint32(n), np.uint32(m), np.uint32(7)
    for i in range(3):
        k[3 + i] = trio[np.uint64(i)] * 100 + trio[i - 3] * 10 + trio[-1]
    x[5] = math.sqrt(abs(x[6])) if math.isnan(x[1]) else np.float32(k[1] // m)
    applied(doubled, x, 3)
    """,
}


@pytest.mark.parametrize("lines", STATEMENTS.values(), ids=STATEMENTS)
def test_statements_do_what_numba_makes_of_them(lines, monkeypatch):
    text = HEAD.format(name=NAME) + lines.strip("\n").rstrip() + "\n"
    given = np.array([-1, 2, 0.5, 7, -4, np.nan, 1, 0.25, -0.0, 3.5, 9, -7], "f4")
    results = []
    for kernel in both(text, monkeypatch):
        kernel._cache = NullCache()
        for n, m in ((12, 5), (7, 9), (3, 2)):
            x, k = given.copy(), np.arange(12)
            kernel(x, k, n, m)
            results.append((bits(x), k.tolist()))
    assert results[:3] == results[3:]
    assert not [name for name in REFUSED if define("translated", text).__name__ in name], REFUSED


def test_a_range_with_a_step_of_0_is_empty():
    kernel = define("empty", HEAD.format(name=NAME) + "    for i in range(0, n, m):\n        x[i] = 9\n    k[0] = 7\n")
    x, k = np.zeros(4, "f4"), np.zeros(1, np.int64)
    kernel(x, k, 4, 0)  # Numba's front end makes it an error, which kernels cannot raise
    assert x.tolist() == [0] * 4
    assert k[0] == 7


BODIES = {
    "a name of two types": ["a = 1", "if n > 1:", "    a = 2.0", "x[0] = a"],
    "a loop's number afterwards": ["for i in range(n):", "    x[i] = 1", "x[0] = i"],
    "a name of one branch": ["if n > 1:", "    a = 2.0", "x[0] = a"],
    "results of two types": ["x[0] = 3", "if n > 1:", "    return 1.0", "return 2"],
    "a power": ["x[0] = n ** 2"],
    "an error": ["if n > 3:", "    raise ValueError", "x[0] = 1"],
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_what_is_not_translated_is_compiled_nevertheless(body):
    lines = "\n    ".join(body)
    kernel = define("refused", f"from fnet.kernels.policy import kernel\n\n\n@kernel\ndef {NAME}(x, n):\n    {lines}\n")
    kernel._cache = NullCache()  # an earlier run has kept it
    x, want = np.zeros(4), np.zeros(4)
    kernel.compile((typeof(x), typeof(2)))
    kernel(x, 2)
    kernel.py_func(want, 2)
    assert f"{kernel.__module__}.{kernel.__name__}" in REFUSED
    assert x.tolist() == want.tolist()


def test_numba_says_what_is_wrong():
    kernel = define(
        "wrong", f"from fnet.kernels.policy import kernel\n\n\n@kernel\ndef {NAME}(x):\n    x[0] = nothing\n"
    )
    with pytest.raises(Exception, match="nothing"):
        kernel.compile((typeof(np.zeros(1)),))


def test_a_function_is_what_was_imported_whatever_its_file_says_now(tmp_path, monkeypatch):
    file = tmp_path / "of_a_file.py"
    file.write_text(
        "import numpy as np\n\nfrom fnet.kernels.policy import kernel\n\n\n"
        "@kernel\ndef same(x):\n    x[0] = np.float64(2)\n\n\n@kernel\ndef other(x):\n    x[0] = np.float64(3)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("of_a_file")
    file.write_text(file.read_text().replace("(3)", "(4)"))
    found = []
    for kernel in (module.same, module.other):
        kernel._cache = NullCache()
        x = np.zeros(1)
        kernel(x)
        found.append(x[0])
    assert found == [2, 3]
    assert "of_a_file.same" not in REFUSED
    assert "of_a_file.other" in REFUSED
