"""Compiling without the collector of cycles: it is on again afterwards."""

from __future__ import annotations

import gc

import pytest

import graphc
from graphc.collector import uncollected


def test_the_collector_is_on_again() -> None:
    with pytest.raises(ValueError, match="could not convert"), uncollected():
        float("x")
    assert gc.isenabled()


def test_work_inside_work_leaves_it_off() -> None:
    with uncollected():
        with uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_who_has_it_off_finds_it_off() -> None:
    gc.disable()
    try:
        graphc.compile("x^2 + 1")(x=2.0)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_program_that_cannot_be_read() -> None:
    with pytest.raises(graphc.ParseError):
        graphc.compile("x +")
    assert gc.isenabled()


def test_what_was_made_counts_as_old() -> None:
    """Else the first collection afterwards would walk all of it."""
    with uncollected():
        made = [[] for _ in range(10_000)]
    assert len(gc.get_objects(generation=0)) + len(gc.get_objects(generation=1)) < len(made)


def test_what_a_program_froze_stays_frozen() -> None:
    gc.freeze()
    try:
        count = gc.get_freeze_count()
        with uncollected():
            pass
        assert gc.get_freeze_count() == count
    finally:
        gc.unfreeze()
