"""The C of `gcc_peer`, compiled for this processor: gcc -O3 -ffast-math -march=native."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..cases import Formula, Net
from . import gcc_peer
from .gcc_peer import version

__all__ = ["elementwise", "training", "version"]

NATIVE = ("-march=native",)


def elementwise(formula: Formula, points: dict[str, Any]) -> Callable[[], Any]:
    return gcc_peer.elementwise(formula, points, NATIVE)


def training(net: Net) -> Callable[[Any], Any]:
    return gcc_peer.training(net, NATIVE)
