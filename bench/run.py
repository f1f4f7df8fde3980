"""`python -m bench.run`: every row and every peer that is installed; prints tables, writes RESULTS.md and plots."""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from collections.abc import Iterator

from bench import (
    files,
    fitting,
    growth,
    kernels,
    objectives,
    precision,
    roofline,
    rounding,
    scaling,
    streaming,
    words,
)
from bench.machine import describe
from bench.measure import Result, measure
from bench.memory import memory_table
from bench.peer import started
from bench.picture import draw
from bench.report import absent_list, peers_table, summary_table, write_page
from bench.rows import PEERS, ROWS
from bench.startup import compilers_table, imports_line, measure_imports, measure_startup, startup_table

PARTS = (
    "rows",
    "roofline",
    "startup",
    "memory",
    "kernels",
    "objectives",
    "precision",
    "scaling",
    "growth",
    "rounding",
    "files",
    "fitting",
    "streaming",
    "words",
)


def main() -> None:
    """Parse the options, measure, report."""
    options = _options()
    busy = os.getloadavg()[0]
    results: list[Result] = []
    with started([name for name in PEERS if name in options.peers], options.threads) as (peers, absent):
        heading = (
            f"{datetime.date.today().isoformat()}. {describe()}; load before the run {busy:.1f}.\n"
            f"{'; '.join(peer.version for peer in peers)}.\n"
            f"{options.threads} threads; {options.rounds} bursts of {options.burst:g} s for each peer, in alternation; "
            f"ratios are medians of the rounds' ratios."
        )
        for row in ROWS if "rows" in options.parts else ():
            if row.key in options.rows:
                results.append(measure(row, peers, options.rounds, options.burst))
                print(peers_table(results[-1:]), flush=True)
    sections = dict(_rows(results, absent))
    print(*sections.values(), sep="\n\n", flush=True)
    for title, text in _others(options):
        print(f"\n## {title}\n\n{text}", flush=True)
        sections[title] = text
    if not options.dry:
        write_page(heading, sections)
        if "Every peer" in sections:
            draw()
    if "fnet" in options.peers and not all("fnet" in result.seconds for result in results):
        sys.exit("fnet itself is missing from a row")


def _rows(results: list[Result], absent: dict[str, str]) -> Iterator[tuple[str, str]]:
    if results:
        yield "Rows", f"{summary_table(results)}\n\n{absent_list(absent, results)}".strip()
        yield "Every peer", peers_table(results)


def _others(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """The parts beside the rows, one after the other: title and text."""
    names, parts = options.peers, options.parts
    rounds, burst = max(1, options.rounds // 2), options.burst / 2
    if "roofline" in parts and "fnet" in names:
        yield "Roofline", roofline.roofline_table(options.threads, rounds, burst, options.rows)
    if "startup" in parts and "fnet" in names:
        figures = measure_startup(3)
        imports = imports_line(measure_imports(9))
        yield "Starting", f"{startup_table(figures)}\n\n{imports}\n\n{compilers_table(figures)}"
    if "memory" in parts:
        yield "Memory", memory_table(names, options.threads, options.rows)
    if "kernels" in parts:
        counts = sorted({1, options.threads})
        yield "Single operations", "\n\n".join(kernels.tables(names, counts, rounds, burst))
    if "objectives" in parts:
        yield "Losses and minimisation", objectives.tables(names, options.threads, rounds, burst)
    if "precision" in parts and "fnet" in names:
        yield "Precision", precision.measured_table(names, options.threads, rounds, burst)
    if "rounding" in parts and "fnet" in names:
        yield "Rounding", rounding.tables(options.threads, rounds, burst)
    if "scaling" in parts:
        lines = scaling.measure_curves(names, options.threads, rounds, burst)
        if not options.dry:
            scaling.plot(lines)
        yield "Scaling", f"![time of a step by size](plots/scaling.svg)\n\n{scaling.curves_table(lines)}"
    if "growth" in parts and "fnet" in names:
        yield "First calls", growth.growth_table(2)
    if "files" in parts and "fnet" in names:
        yield "Files", files.files_table(rounds)
    if "fitting" in parts and "fnet" in names:
        yield "Trainer beside its steps", fitting.fitting_table(rounds)
    if "streaming" in parts and "fnet" in names:
        yield "Data sets of a file", streaming.streaming_table(rounds)
    if "words" in parts and "fnet" in names:
        yield "The words of Keras", words.words_table(rounds, names)


def _options() -> argparse.Namespace:
    keys, peers = [row.key for row in ROWS], list(dict.fromkeys((*PEERS, *objectives.PEERS)))
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--rows", nargs="+", default=keys, choices=keys, metavar="ROW", help=f"of {', '.join(keys)}")
    parser.add_argument("--peers", nargs="+", default=peers, choices=peers, metavar="PEER", help=", ".join(peers))
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--no-startup", dest="parts", action="store_const", const=("rows",), help="the part rows alone")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--burst", type=float, default=0.1, help="seconds")
    parser.add_argument("--dry", action="store_true", help="print only, keep RESULTS.md and the plots as they are")
    return parser.parse_args()


if __name__ == "__main__":
    main()
