"""The cache: a second process compiles nothing; what is harmed costs a recompile, never an answer."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from graphc.codegen import cache

RUN = """
import json, sys
import graphc
f = graphc.compile("sin(x)*y + x^2")
f._plain_left = 0
value, gradient = f.value_and_grad(x=0.5, y=2.0)
stats = f.jit.value_and_grad.stats
print(json.dumps([value, gradient, sum(stats.cache_hits.values()), "sympy" in sys.modules]))
"""


def _run(cache: Path, program: str = RUN) -> tuple[list[object], str]:
    environment = {**os.environ, "GRAPHC_CACHE": str(cache)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    return json.loads(done.stdout), done.stderr


ARRAYS = """
import json, sys
import numpy as np
import graphc
f = graphc.compile("sin(x)*y + x^2")
value, gradient = f.value_and_grad(x=np.array([0.5, 1.0]), y=np.array([2.0, 2.0]))
found = {name: slope[0] for name, slope in gradient.items()}
print(json.dumps([value[0], found, "graphc.codegen.translate" in sys.modules, "numba" in sys.modules]))
"""


WANT = [1.2088510772084061, {"x": 2.7551651237807455, "y": 0.479425538604203}]


def _check(found: list[object]) -> None:
    assert found[0] == pytest.approx(WANT[0], rel=1e-14)
    assert found[1] == pytest.approx(WANT[1], rel=1e-14)


def test_the_second_process_compiles_nothing_and_needs_no_sympy(tmp_path: Path) -> None:
    first, _ = _run(tmp_path)
    second, _ = _run(tmp_path)
    _check(first)
    _check(second)
    assert (first[2], second[2]) == (0, 1)
    assert second[3] is False


def test_arrays_need_no_numba_and_in_a_second_process_no_compiler(tmp_path: Path) -> None:
    first, _ = _run(tmp_path, ARRAYS)
    second, _ = _run(tmp_path, ARRAYS)
    _check(first)
    _check(second)
    assert (first[2:], second[2:]) == ([True, False], [False, False])


@pytest.mark.parametrize("harm", [b"", b"0\n", b"harmed!"])
def test_a_harmed_object_file_costs_a_recompile(tmp_path: Path, harm: bytes) -> None:
    _run(tmp_path, ARRAYS)
    (file,) = tmp_path.rglob("*.object")
    file.write_bytes(file.read_bytes()[:-7] + harm if harm == b"harmed!" else harm)
    found, errors = _run(tmp_path, ARRAYS)
    _check(found)
    assert not errors


def _files(folder: Path) -> list[Path]:
    return sorted(f for f in folder.rglob("*") if f.is_file())


@pytest.mark.parametrize("harm", ["empty", "cut", "garble", "remove"])
def test_harmed_files_cost_a_recompile(tmp_path: Path, harm: str) -> None:
    _run(tmp_path)
    suffixes = {f.suffix for f in _files(tmp_path)}
    assert {".json", ".py", ".nbi", ".nbc", ".manifest"} <= suffixes
    for file in _files(tmp_path):
        content = file.read_bytes()
        if harm == "remove":
            if file.suffix in (".nbc", ".manifest"):
                file.unlink()
            continue
        file.write_bytes(
            {"empty": b"", "cut": content[: len(content) // 2], "garble": bytes(255 - b for b in content)}[harm]
        )
    found, errors = _run(tmp_path)
    _check(found)
    assert "Traceback" not in errors
    again, _ = _run(tmp_path)
    _check(again)
    assert again[2] == 1


def test_one_harmed_kind_at_a_time(tmp_path: Path) -> None:
    _run(tmp_path)
    for suffix in (".nbi", ".nbc", ".py", ".json", ".manifest"):
        for file in _files(tmp_path):
            if file.suffix == suffix:
                file.write_bytes(file.read_bytes()[:-7] + b"harmed!")
        _check(_run(tmp_path)[0])


def test_a_cache_that_cannot_be_kept_is_one_warning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found, errors = _run(tmp_path / "file" / "cache")
    _check(found)
    assert errors.count("Warning") == 1


def test_kinds_of_inputs_are_told_apart(tmp_path: Path) -> None:
    run = """
import json, sys
import numpy as np
import graphc
found = []
for kind, type_ in (("bool", bool), ("int", int), ("real", float)):
    f = graphc.compile(f"input k: {kind}\\noutput y\\ny = k")
    y = f(k=np.array([1, 0, 1], type_))
    found.append((y.tolist(), str(y.dtype)))
print(json.dumps(found))
"""
    for _ in range(2):
        found, _ = _run(tmp_path, run)
        assert found == [[[True, False, True], "bool"], [[1, 0, 1], "int64"], [[1.0, 0.0, 1.0], "float64"]]


LEAVES_ITS_FOLDER = """
import json, shutil, sys
import numpy as np
import graphc
from graphc.config import cache_folder
f = graphc.compile("input A[n, n], b[n]\\noutput y\\ny = sum(solve(A, b)^2)")
given = np.eye(3)*2, np.ones(3)
found = [f.jit.forward(*given)]
shutil.rmtree(cache_folder())
found += [f.jit.value_and_grad(*given)[0], f(*given), f.value_and_grad(*given)[0]]
print(json.dumps(found))
"""


def test_functions_outlive_their_folder(tmp_path: Path) -> None:
    assert _run(tmp_path, LEAVES_ITS_FOLDER)[0] == [0.75] * 4


def test_folders_where_files_should_be(tmp_path: Path) -> None:
    for program in (RUN, ARRAYS):
        _run(tmp_path, program)
        for file in _files(tmp_path):
            file.unlink()
            file.mkdir()
        _check(_run(tmp_path, program)[0])
    assert not _files(tmp_path)


def test_the_fingerprint_covers_what_translates() -> None:
    """All files of ours that machine code is made by; what they only take types from is not among them."""
    known = {"artifact"}
    left, seen = ["native", "translate", "support"], set[str]()
    while left:
        seen.add(name := left.pop())
        tree = ast.parse((Path(cache.__file__).with_name(f"{name}.py")).read_text())
        modules = [m for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for m in _modules(node)]
        left += {m for m in modules if m not in seen | known}
    assert {f"{name}.py" for name in seen} <= set(cache._SOURCES)


def _modules(node: ast.ImportFrom) -> list[str]:
    """The modules of code generation that a statement imports."""
    if node.module == "graphc.codegen":
        return [alias.name for alias in node.names]
    return [node.module.rpartition(".")[2]] if (node.module or "").startswith("graphc.codegen.") else []
