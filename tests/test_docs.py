"""The documents and examples do what they say.

A `python` block runs in the namespace of the blocks before it; a `text` block after it is what it prints.  A `console`
block holds commands after `$` and their output.  `...` stands for anything.  A `gc` block is a program, read and printed
back; a line of an `error` block is a program that is refused.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import graphc
from graphc.cli import app

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
INSTALLING = ("pip ", "python -m venv", "git ")


def blocks(name: str) -> list[tuple[str, str]]:
    """Kind and text of each block of a document; none where it is not there."""
    file = ROOT / name
    return BLOCK.findall(file.read_text("utf-8")) if file.exists() else []


def same(found: str, expected: str) -> bool:
    """Equal up to trailing blanks, `...` for anything."""
    lines = ["\n".join(line.rstrip() for line in text.strip("\n").splitlines()) + "\n" for text in (expected, found)]
    return doctest.OutputChecker().check_output(*lines, doctest.ELLIPSIS)


@pytest.mark.parametrize("name", ["docs/tour.md", "README.md"])
def test_blocks_run_and_print_what_is_shown(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    found, space = blocks(name), {"__name__": "document"}
    for k, (kind, text) in enumerate(found):
        if kind == "python":
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile(text, f"{name}, block {k + 1}", "exec"), space)
            following = found[k + 1] if k + 1 < len(found) else ("", "")
            if following[0] == "text":
                assert same(output.getvalue(), following[1]), f"{text}\nprints\n{output.getvalue()}"
        elif kind == "console":
            for command, expected in commands(text):
                said = output_of(command)
                assert said is None or not expected or same(said, expected), f"{command}\nprints\n{said}"


def commands(text: str) -> list[tuple[str, str]]:
    """Commands of a console block with their outputs."""
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
    return [(command, output) for command, _, output in (p.partition("\n") for p in parts)]


def output_of(command: str) -> str | None:
    """What a `graphc` command prints; None for commands that install."""
    command = command.partition("  #")[0].strip()
    if command.startswith(INSTALLING):
        return None
    words = shlex.split(command)
    assert words[0] == "graphc", command
    return CliRunner().invoke(app, words[1:]).output


def test_language_examples_read_and_print_back():
    programs = [text for kind, text in blocks("docs/language.md") if kind == "gc"]
    assert len(programs) > 20
    for text in programs:
        graph = graphc.parse(text)
        assert graphc.parse(str(graph)) == graph, text


def test_language_errors_are_errors():
    refused = [line for kind, text in blocks("docs/language.md") if kind == "error" for line in text.splitlines()]
    assert len(refused) > 10
    for line in refused:
        with pytest.raises(graphc.GraphcError) as error:
            graphc.parse(line.partition("  #")[0])
        assert error.value.hint, line


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_example(file):
    done = subprocess.run(
        [sys.executable, str(file)], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    expected = {
        "chain": "dJ/dx = -2*x*(cos(x^2) + 3)*sin(sin(x^2) + 3*x^2)",
        "logistic": "dJ/da = t - sigmoid(a)",
        "layers": "dJ/dTheta2 += dJ/dv2 @ a1.T",
        "classifier": "finite for inputs of a million: True",
        "neuron": "w = (0.212145, 0.144858, 0.156073)  in = 0.348125  g(in) = 0.586163",
        "xor": "answers [0.   0.99 0.99 0.  ]",
    }
    assert expected[file.stem] in done.stdout
