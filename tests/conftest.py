"""Settings of the tests: Hypothesis draws the same examples every time; rewriting ends by itself; golden files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from graphc.rewrite import driver

settings.register_profile(
    "ci", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow], max_examples=100
)
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest --update` writes what the program says now into the golden files."""
    parser.addoption("--update", action="store_true", help="rewrite the golden files")


@pytest.fixture(scope="session", autouse=True)
def _rewriting_ends() -> Iterator[None]:
    """Rules that do not come to rest before the bound on rounds are an error, in all tests."""
    rounds, run, once = 0, driver.Worklist.run, driver.Worklist.round

    def counted(self: driver.Worklist, *arguments: Any) -> Any:
        nonlocal rounds
        rounds += 1
        return once(self, *arguments)

    def ended(self: driver.Worklist, *arguments: Any, **named: Any) -> Any:
        nonlocal rounds
        rounds = 0
        steps = run(self, *arguments, **named)
        assert rounds < driver.ROUNDS, {step.rule.name for step in steps[-4:]}
        return steps

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver.Worklist, "round", counted)
        patch.setattr(driver.Worklist, "run", ended)
        yield


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, Callable[[str], str]], None]:
    """`golden(file, compute)`: what `compute` makes of the input above `---` stands below it."""
    update = bool(request.config.getoption("--update"))

    def check(file: Path, compute: Callable[[str], str]) -> None:
        given, _, expected = file.read_text("utf-8").partition("---\n")
        found = compute(given).rstrip("\n") + "\n"
        if update:
            file.write_text(f"{given}---\n{found}", "utf-8")
            return
        assert found == expected, f"{file.name} differs; pytest --update rewrites it"

    return check
