"""The documentation's table of operations says what the records say."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphc.explain.operations import operations_markdown
from graphc.ops import OPERATIONS

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"


def test_document_is_up_to_date(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update"):
        DOCUMENT.write_text(operations_markdown(), "utf-8")
    assert operations_markdown() == DOCUMENT.read_text("utf-8"), "pytest --update rewrites docs/operations.md"


def test_every_operation_is_in_it() -> None:
    text = operations_markdown()
    for o in OPERATIONS:
        if not o.hidden or o.syntax:
            assert f"`{o.syntax or o.usage()}`" in text


def test_tables_keep_their_columns() -> None:
    rows = [line for line in operations_markdown().splitlines() if line.startswith("|")]
    assert {row.replace("\\|", "").count("|") for row in rows} == {5}
