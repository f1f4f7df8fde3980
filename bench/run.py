"""`python -m bench.run`: every row, every peer that is installed, one table; also written to RESULTS.md."""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from contextlib import ExitStack

from bench.machine import describe
from bench.measure import Result, measure
from bench.peer import Peer
from bench.protocol import UnavailableError
from bench.report import absent_list, peers_table, startup_table, write_page
from bench.rows import PEERS, ROWS
from bench.startup import measure_startup


def main() -> None:
    """Parse the options, measure, report."""
    options = _options()
    busy = os.getloadavg()[0]
    _bind(options.threads)
    absent: dict[str, str] = {}
    results: list[Result] = []
    with ExitStack() as stack:
        peers = []
        for name in options.peers:
            try:
                peers.append(Peer(name, options.threads))
            except UnavailableError as reason:
                absent[name] = str(reason)
            else:
                stack.callback(peers[-1].close)
        versions = "; ".join(peer.version for peer in peers)
        for row in ROWS:
            if row.key in options.rows:
                results.append(measure(row, peers, options.rounds, options.burst))
                print(peers_table(results[-1:]), flush=True)
    tables = [startup_table([] if options.no_startup else measure_startup(5)), absent_list(absent, results)]
    print("", *filter(None, tables), sep="\n\n")
    if not options.dry:
        date = datetime.date.today().isoformat()
        heading = (
            f"{date}. {describe()}; load before the run {busy:.1f}.\n{versions}.\n{options.threads} threads; "
            f"{options.rounds} bursts of {options.burst:g} s for each peer, in alternation; ratios are medians of the "
            f"rounds' ratios."
        )
        write_page(heading, [peers_table(results), *tables])
    if "fnet" in options.peers and not all("fnet" in result.seconds for result in results):
        sys.exit("fnet itself is missing from a row")


def _options() -> argparse.Namespace:
    keys = [row.key for row in ROWS]
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--rows", nargs="+", default=keys, choices=keys, metavar="ROW", help=f"of {', '.join(keys)}")
    parser.add_argument("--peers", nargs="+", default=PEERS, choices=PEERS, metavar="PEER", help=", ".join(PEERS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--burst", type=float, default=0.1, help="seconds")
    parser.add_argument("--no-startup", action="store_true", help="leave out import and first-step times")
    parser.add_argument("--dry", action="store_true", help="print only, keep RESULTS.md as it is")
    return parser.parse_args()


def _bind(threads: int) -> None:
    """Leave this process and its children `threads` processors, the one limit that every library keeps to."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


if __name__ == "__main__":
    main()
