"""When a team's first thread works alone: the policy of `codegen.threads`, with a clock that the test moves.

In: how long a step takes alone and together.  Out: nothing, or a failed assertion.
Always holds: the functions are those that machine code is made of, run as Python over a dictionary for the memory.
"""

from __future__ import annotations

from collections import defaultdict

import pytest

from graphc.codegen import threads

TEAM = 0


class Clock:
    """A team of two threads of which the other one never sleeps; time passes in steps of training."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time, self.memory = 1_000_000_000, defaultdict[int, int](int)
        self.memory[threads.THREADS] = 2
        self.memory[threads.SEEN] = self.time
        fakes = {"load": self.load, "store": self.store, "add": self.add, "now": lambda: self.time,
                 "rouse": lambda team, wish: None}  # fmt: skip
        for name, fake in fakes.items():
            monkeypatch.setattr(threads, name, fake, raising=False)

    def load(self, team: int, place: int) -> int:
        return self.memory[team + place]

    def store(self, team: int, place: int, value: int) -> None:
        self.memory[team + place] = value

    def add(self, team: int, place: int, value: int) -> int:
        self.memory[team + place] += value
        return self.memory[team + place] - value

    def train(self, total: int, alone: int, together: int) -> tuple[int, int]:
        """ns that steps took, and how many there were, until `total` ns are over; a step takes that long."""
        start, steps = self.time, 0
        while self.time - start < total:
            threads.pace(TEAM, 0)
            if self.memory[threads.ALONE]:
                self.time += alone
                threads.earn(TEAM)
            else:
                self.time += together
            steps += 1
        return self.time - start, steps


@pytest.mark.parametrize("alone", [2_000, 50_000, 700_000, 5_000_000])
@pytest.mark.parametrize("slower", [1.1, 1.5, 3.0])
def test_steps_that_are_slower_together_are_made_alone(
    alone: int, slower: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    clock.train(200_000_000, alone, int(slower * alone))
    taken, steps = clock.train(max(3_000_000_000, 3_000 * alone), alone, int(slower * alone))
    assert taken <= 1.05 * steps * alone


@pytest.mark.parametrize("together", [2_000, 50_000, 700_000, 5_000_000])
def test_steps_that_are_faster_together_are_made_together(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    taken, steps = clock.train(1_000_000_000, 2 * together, together)
    assert taken <= 1.01 * steps * together + max(1_000_000, 4 * together)


def test_a_team_begins_alone_and_goes_back_when_the_others_hinder(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    threads.pace(TEAM, 0)
    assert clock.memory[threads.ALONE]
    clock.train(100_000_000, 100_000, 60_000)
    assert not clock.memory[threads.ALONE]
    clock.train(6_000_000, 100_000, 150_000)  # the other core is busy from here on
    assert clock.memory[threads.ALONE]
    clock.train(200_000_000, 100_000, 60_000)
    assert not clock.memory[threads.ALONE]
