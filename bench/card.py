"""`python -m bench.card`: fnet beside PyTorch and JAX on an NVIDIA card, and against what the card can do at most.

Prints a table row by row, as long as there is time, and everything once more in order; `--out` keeps that in a file.
Without a card it says why; `--dry` tries the whole of it there, with small sizes on a card without a card, fnet alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import fnet
from bench import device
from bench.card_rows import COPY, GEMM, LOWER, NETWORKS, OPERATIONS, PRODUCTS, CardRow
from bench.kernels import against, highest_rate
from bench.measure import Result, measure
from bench.peer import Peer
from bench.protocol import NO_SUCH_ROW, UnavailableError
from bench.report import absent_list, peers_table, summary_table
from bench.rows import Row

PEERS = ("fnet", "torch", "torch_graphs", "torch_compile", "jax")
LESS_PRECISE = ("fnet_high", "fnet_medium", "torch_medium")
WITHOUT_LIBRARY = ("fnet", "fnet_own")  # what computes products in both
COMPILING = {"fnet": 7, "torch_compile": 4, "jax": 3}  # who compiles for long, and by how many processes beforehand
FIRST = 8  # networks that are measured before the operations
LIMIT = 60.0  # seconds for one answer of a peer


class Peers:
    """The peers that are there; one that ended, or was ended because it took too long, is started again."""

    def __init__(self, names: Sequence[str], stack: ExitStack) -> None:
        self._stack, self._threads = stack, os.cpu_count() or 1
        self.absent: dict[str, str] = {}
        self._peers: dict[str, Peer] = {}
        for name in names:
            self._start(name)

    def measure(self, row: Row, rounds: int, burst: float) -> Result:
        """One row. Who failed in it gets a new process: a card takes no work from one in which a kernel failed."""
        try:
            result = measure(row, self.alive(), rounds, burst)
        except UnavailableError as reason:
            result = Result(row, {}, {"all": str(reason)})
        failed = [name for name, why in result.absent.items() if why != NO_SUCH_ROW]
        for name in self._peers.keys() if "all" in failed else failed:
            self._peers[name].end()
        return result

    def alive(self) -> list[Peer]:
        """All of them, in order."""
        for name, peer in self._peers.items():
            if not peer.is_alive:
                self._start(name)
        return [peer for peer in self._peers.values() if peer.is_alive]

    def _start(self, name: str) -> None:
        try:
            self._peers[name] = Peer(name, self._threads, LIMIT)
            self._stack.callback(self._peers[name].close)
        except UnavailableError as reason:
            self.absent[name] = str(reason)


def main() -> None:
    """Parse the options, measure, report."""
    options = _options()
    os.environ[device.VARIABLE] = device.EMULATED if options.dry else device.CUDA
    if not options.dry and "cuda" not in fnet.devices():
        sys.exit(f"no card: {fnet.devices().missing.get('cuda', 'none has the number 0')}.")
    end = time.monotonic() + options.seconds
    report = Report(options.out)
    first, lower, products, later = (
        [row for row in (_form(r, options.dry) for r in rows) if row is not None]
        for rows in (
            (COPY, GEMM, *_chosen(NETWORKS[:FIRST], options.only)),
            _chosen(LOWER, options.only),
            _chosen(PRODUCTS, options.only),
            _chosen((*OPERATIONS, *NETWORKS[FIRST:]), options.only),
        )
    )
    with _caches(), ExitStack() as stack:
        if not options.dry:
            _compile_beforehand(options.peers, [*first, *later], options.seconds / 4)
        peers = Peers(options.peers, stack)
        report.absent, report.heading = peers.absent, "; ".join(peer.version for peer in peers.alive())
        less_precise = Peers(LESS_PRECISE if lower else (), stack)
        both = Peers(WITHOUT_LIBRARY if products else (), stack)
        for asked, rows, title in (
            (peers, first, ""),
            (less_precise, lower, "Lower levels of precision"),
            (both, products, f"With cuBLASLt ({_library()}) and with fnet's own kernels"),
            (peers, later, ""),
        ):
            for row in rows:
                if time.monotonic() < end:
                    report.add(asked.measure(row, options.rounds, options.burst), title)
                else:
                    report.left_out.append(row.title)
    report.write()
    if any("fnet" not in result.seconds for result in report.results):
        sys.exit("fnet itself is missing from a row")


class Report:
    """What was measured so far: tables, and the file that has them."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.heading = ""
        self.absent: dict[str, str] = {}
        self.results: list[Result] = []
        self.left_out: list[str] = []
        self._apart: dict[str, list[Result]] = {}

    def add(self, result: Result, title: str = "") -> None:
        """One more row; title: of its table, where it is of other peers than the rows of networks and operations."""
        (self._apart.setdefault(title, []) if title else self.results).append(result)
        print(*peers_table([result]).splitlines()[2:], *result.absent.items(), sep="\n", flush=True)
        self._keep()

    def write(self) -> None:
        """Everything."""
        print(self._text(), flush=True)
        self._keep()

    def _keep(self) -> None:
        if self._path is not None:
            self._path.write_text(self._text() + "\n")

    def _text(self) -> str:
        keys = {row.row.key for row in NETWORKS}
        networks = [result for result in self.results if result.row.key in keys]
        others = [result for result in self.results if result.row.key not in keys]
        parts = ["# On a card", self.heading, "## Networks", summary_table(networks), peers_table(networks)]
        parts += ["## Operations", _operations_table(others)]
        for title, results in self._apart.items():
            parts += [f"## {title}", peers_table(results)]
        if self.left_out:
            parts.append("Not measured, for want of time: " + "; ".join(self.left_out) + ".")
        return "\n\n".join([*parts, absent_list(self.absent, self.results)]).strip()


def _operations_table(results: Sequence[Result]) -> str:
    """One line for each operation: fnet's time, its rate and that against the ceilings, and the peers' times."""
    ceilings = {r.row.key: max(highest_rate(r, peer) for peer in r.seconds) for r in results if r.seconds}
    memory, arithmetic = ceilings.get("copy", float("inf")), ceilings.get("gemm", float("inf"))
    names = [name for name in PEERS if name != "fnet" and any(name in r.seconds for r in results)]
    lines = [
        f"Copying: {memory / 1e9:.0f} GB/s, read and written. The fastest product of 8192 x 8192: "
        f"{arithmetic / 1e9:.0f} GFLOP/s.\n",
        f"| operation | fnet us | rate | of the ceiling |{''.join(f' {name} / fnet |' for name in names)}",
        f"|---|---:|---:|---:|{'---:|' * len(names)}",
    ]
    for result in results:
        if result.row.key in ("copy", "gemm") or "fnet" not in result.seconds:
            continue
        cells = [result.row.title, f"{result.median('fnet') * 1e6:.1f}", *against(result, arithmetic, memory)]
        cells += [f"{result.ratio(name):.2f}" if name in result.seconds else "" for name in names]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _compile_beforehand(names: Sequence[str], rows: Sequence[Row], seconds: float) -> None:
    """Let several processes of each peer that compiles fill its cache, so that the time is there for measuring."""
    end = time.monotonic() + seconds

    def work(name: str, share: Sequence[Row]) -> None:
        try:
            peer = Peer(name, 1, seconds)
        except UnavailableError:
            return
        for row in share:
            if time.monotonic() < end and peer.is_alive:
                try:
                    peer.prepare(row)
                except UnavailableError:
                    continue
        peer.close()

    shares = [(name, rows[k::count]) for name, count in COMPILING.items() if name in names for k in range(count)]
    with ThreadPoolExecutor(max(1, len(shares))) as pool:
        list(pool.map(lambda share: work(*share), shares))


@contextmanager
def _caches() -> Iterator[None]:
    """A folder in which JAX keeps what it has compiled, as the others do by themselves."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", folder)
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        yield


def _library() -> str:
    """Which cuBLASLt computes products, or why none does."""
    return fnet.devices().libraries.get("cublaslt", "not in use: no card")


def _chosen(rows: Sequence[CardRow], only: str) -> list[CardRow]:
    """The rows whose keys have this in them."""
    return [row for row in rows if only in row.row.key]


def _form(row: CardRow, is_dry: bool) -> Row | None:
    """The row, or its small form, where there is one."""
    if not is_dry:
        return row.row
    return None if row.small is None else Row(row.row.key, f"{row.row.title}, in small", row.row.do, row.small)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.card", description=__doc__)
    parser.add_argument("--only", default="", help="a part of the keys of the rows wanted")
    parser.add_argument("--peers", nargs="+", default=PEERS, choices=PEERS, metavar="PEER", help=", ".join(PEERS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--burst", type=float, default=0.03, help="seconds")
    parser.add_argument("--seconds", type=float, default=280, help="how long to go on beginning rows")
    parser.add_argument("--out", type=Path, help="a file for the tables, written after every row")
    parser.add_argument("--dry", action="store_true", help="small sizes on a card without a card")
    return parser.parse_args()


if __name__ == "__main__":
    main()
