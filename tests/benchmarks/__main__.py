"""`python -m tests.benchmarks`: measure, print, write."""

from __future__ import annotations

import argparse
import os

from . import peers
from .groups import GROUPS, Settings, say
from .report import machine, section, write

QUICK = ("graphc", "jax", "numba", "gcc")  # compile in a second or two, and are among the fastest


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"{', '.join(GROUPS)}; all if none is given")
    parser.add_argument("--peers", help=f"separated by commas: {', '.join(peers.NAMES)}; all that are installed")
    parser.add_argument("--only", default="", help="cases with this in their name: digits, float32, Black-Scholes")
    parser.add_argument("--counts", help="numbers of points over arrays; 1000,100000,1000000")
    parser.add_argument("--dtypes", default="float32,float64", help="widths over arrays")
    parser.add_argument("--cores", help="cores to pin to, a thread each; the last one there is")
    parser.add_argument("--rounds", type=int, help="how often the peers take turns")
    parser.add_argument("--quick", action="store_true", help=f"fewer sizes, short rounds; peers {', '.join(QUICK)}")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    given = parser.parse_args()
    unknown = [g for g in given.groups if g not in GROUPS]
    if unknown:
        parser.error(f"there is no group {unknown[0]}; the groups are {', '.join(GROUPS)}")
    return given


def settings(given: argparse.Namespace) -> Settings:
    """What was asked for."""
    cores = [int(c) for c in given.cores.split(",")] if given.cores else [(os.cpu_count() or 1) - 1]
    names = given.peers.split(",") if given.peers else QUICK if given.quick else peers.NAMES
    here = peers.installed()
    for name in names:
        if name not in here:
            say(f"{name} is not installed and left out")
    counts = given.counts or ("1000,100000" if given.quick else "1000,100000,1000000")
    return Settings(
        peers=[n for n in names if n in here],
        cores=set(cores),
        rounds=given.rounds or (3 if given.quick else 9),
        seconds=0.01 if given.quick else 0.05,
        counts=[int(c) for c in counts.split(",")],
        dtypes=given.dtypes.split(","),
        starts=1 if given.quick else 4,
        scalar_sizes=(100, 1000) if given.quick else (100, 1_000, 10_000),
        depths=(1, 4) if given.quick else (1, 2, 4, 8, 16, 32),
        only=given.only,
    )


def main() -> None:
    given = arguments()
    chosen = settings(given)
    sections = {}
    for name in given.groups or GROUPS:
        where = machine(chosen.peers, len(chosen.cores))
        heading = name if len(chosen.cores) == 1 else f"{name}, {len(chosen.cores)} cores"
        sections[heading] = section(heading, GROUPS[name](chosen), where)
        print(sections[heading], flush=True)
        if given.write:
            write(sections)


if __name__ == "__main__":
    main()
