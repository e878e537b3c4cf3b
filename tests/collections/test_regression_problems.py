"""Certified problems of nonlinear regression, fitted from a line of text.

In: the files of `nist`: model, starting points, certified values, data.  They are the nonlinear regression problems of
the Statistical Reference Datasets (National Institute of Standards and Technology, SRD 140), certified to 11 digits.
Out: nothing, or a failed assertion; with `pytest --update` the table in `docs/accuracy.md`.
Always holds: both starting points are used as they are, with SciPy's `least_squares` as it is, derivatives by graphc.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import least_squares

import graphc
from graphc.run.objective import Objective

DOCUMENT = Path(__file__).parents[2] / "docs" / "accuracy.md"
FILES = sorted((Path(__file__).parent / "nist").glob("*.txt"), key=lambda f: f.stem.lower())
SOLVED, REFINED = 6.0, 9.9  # digits of 11


@dataclass(frozen=True)
class Problem:
    residual: str
    parameters: dict[str, list[float]]  # start 1, start 2, certified
    squares: float  # the certified sum of squares of the residuals
    data: dict[str, Any]

    def objective(self, start: int) -> Objective:
        given = {name: values[start] for name, values in self.parameters.items()}
        return graphc.compile(self.residual).objective(tuple(self.parameters), **given, **self.data)

    def digits(self, found: Any) -> float:
        """Decimal digits of the worst parameter."""
        certified = np.array([values[2] for values in self.parameters.values()])
        return float(-np.log10(np.abs(found / certified - 1).max() + 1e-16))


def problem(file: Path) -> Problem:
    head, _, table = file.read_text("utf-8").partition("\ndata: ")
    known = dict(line.split(": ", 1) for line in head.splitlines() if not line.startswith("#"))
    names, *rows = table.splitlines()
    columns = np.array([line.split() for line in rows], float).T
    return Problem(
        f"{known['model']} - {known.get('response', 'y')}",
        {k: [float(v) for v in text.split(",")] for k, text in known.items() if re.fullmatch(r"b\d", k)},
        float(known["sum of squares"]),
        dict(zip(names.split(), columns, strict=True)),
    )


def refined(objective: Objective, vector: Any) -> Any:
    """Steps of Gauss and Newton's method; the columns are scaled alike."""
    for _ in range(30):
        value, matrix = objective(vector)
        scale = np.linalg.norm(matrix, axis=0)
        vector = vector - np.linalg.lstsq(matrix / scale, value, rcond=None)[0] / scale
    return vector


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_certified_digits(file: Path, request: pytest.FixtureRequest) -> None:
    given, cells = problem(file), []
    for start in (0, 1):
        o = given.objective(start)
        with np.errstate(all="ignore"):
            found = least_squares(
                o.value, o.start, jac=o.jacobian, x_scale="jac", xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=2000
            )
        best = refined(o, found.x)
        solved, last = given.digits(found.x), given.digits(best)
        assert solved > SOLVED
        assert last > REFINED
        assert np.sum(o.value(best) ** 2) == pytest.approx(given.squares, rel=1e-9, abs=1e-20)
        cells += [f"{min(solved, 11.0):.1f}", f"{min(last, 11.0):.1f}"]
    row = f"| {file.stem} | {' | '.join(cells)} |"
    text = DOCUMENT.read_text("utf-8")
    documented = re.search(rf"^\| {file.stem} \|.*$", text, re.MULTILINE)
    if request.config.getoption("--update"):
        line = documented.group(0) if documented else "<!-- problems -->"
        DOCUMENT.write_text(text.replace(line, row if documented else f"{row}\n{line}"), "utf-8")
        return
    assert documented, f"{file.stem} is not in docs/accuracy.md; pytest --update writes it"
