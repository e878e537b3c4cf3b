"""A process from its start to its first answer: `python -m tests.benchmarks.start PEER TASK CORES`.

In: a peer, "gradient" (of the chain at one point), "arrays" (at 1,000 points) or "epoch" (of digits), cores.  Out: the
answer as a line of JSON.
Always holds: nothing is imported that the peer does not need.
"""

from __future__ import annotations

import json
import os
import sys

from . import peers
from .cases import DIGITS_NET, ELEMENTWISE
from .worker import flat, learned


def main(peer: str, task: str, cores: str) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(c) for c in cores.split(",")})
    module = peers.load(peer)
    if task == "gradient":
        call = module.point(ELEMENTWISE[0], (0.5,))
    elif task == "arrays":
        call = module.elementwise(ELEMENTWISE[0], ELEMENTWISE[0].points(1000, "float64"))
    else:
        function = module.training(DIGITS_NET)
        call = lambda: learned(function(DIGITS_NET.order(1)))  # noqa: E731
    print(json.dumps([a.tolist() for a in flat(call())]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
