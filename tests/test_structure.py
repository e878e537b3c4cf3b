"""The shape of the package: who may import whom, who may name an operation, what each module says of itself.

In: the package's source, read as syntax.  Out: nothing, or a failed assertion that names the file and line.
Always holds: nothing is imported to be looked at, so that an import in a function counts as well.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from graphc.ops import OPERATIONS

PACKAGE = Path(__file__).parent.parent / "graphc"
FILES = sorted(p for p in PACKAGE.rglob("*.py"))
NAMING = ("ops", "rewrite", "prelude")  # folders whose files may name an operation

# Layers from the lowest up.  A file imports from its own stage, and from layers below.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("collector", "config", "program_file"),
    ("graph",),
    ("ops", "prelude"),
    ("language",),
    ("differentiate", "rewrite", "codegen"),
    ("run", "explain", "training"),
    ("compiler",),
    ("api",),
    ("__init__",),
    ("cli",),
    ("__main__",),
)

# Edges between stages of one layer, each with its reason.
SIDEWAYS: dict[tuple[str, str], str] = {
    ("explain", "run"): "numbers beside symbols come from the evaluator, the slow oracle",
    ("training", "run"): "initial values and sizes are found as a function finds them",
    ("run", "training"): "arrays are converted and checked at the one door that data have",
}

# Edges to a layer above; each stands in a function, so that it is followed only when that is called.
UPWARDS: dict[tuple[str, str], str] = {
    ("graph", "language"): "printing: str, to_sympy and latex of a Graph find their writers",
    ("run", "compiler"): "a function that came out of the cache makes its graphs when they are asked for",
}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def stage(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def layer(name: str) -> int:
    return next(k for k, names in enumerate(LAYERS) if name in names)


def imports(path: Path) -> list[tuple[int, str, str]]:
    """(line, module, name) of every import out of the package, also in functions and for types."""
    found = []
    for node in ast.walk(tree(path)):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.split(".")[0] == "graphc"
            and not node.level
        ):
            found += [(node.lineno, node.module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(node.lineno, a.name, "") for a in node.names if a.name.split(".")[0] == "graphc"]
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}:{node.lineno}: imports are absolute"
    return found


def imported_stage(module: str, name: str) -> str:
    parts = module.split(".")[1:]
    return parts[0] if parts else name if (PACKAGE / name).exists() or (PACKAGE / f"{name}.py").exists() else "__init__"


def test_every_stage_has_a_layer() -> None:
    assert {stage(p) for p in FILES} <= {name for names in LAYERS for name in names}


def in_functions(path: Path) -> set[int]:
    """Lines of the imports that are followed only when a function is called."""
    functions = [n for n in ast.walk(tree(path)) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return {n.lineno for f in functions for n in ast.walk(f) if isinstance(n, (ast.Import, ast.ImportFrom))}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_stages_do_not_import_each_other(path: Path) -> None:
    mine, late = stage(path), in_functions(path)
    for line, module, name in imports(path):
        other = imported_stage(module, name)
        if other == mine or layer(other) < layer(mine) or (mine, other) in SIDEWAYS:
            continue
        where = f"{path.relative_to(PACKAGE)}:{line}: {mine} imports {other} ({module})"
        assert (mine, other) in UPWARDS, where
        assert line in late, f"{where} before it is needed"


def test_every_exception_is_used() -> None:
    edges = {(stage(p), imported_stage(module, name)) for p in FILES for _, module, name in imports(p)}
    assert set(SIDEWAYS) | set(UPWARDS) <= edges
    assert all(layer(a) <= layer(b) for a, b in (*SIDEWAYS, *UPWARDS))


# --- names of operations -------------------------------------------------------------------------------------------

# Words that are also operations' names but mean something else where they stand.
ORDINARY: dict[tuple[str, str], str] = {
    ("language", "slice"): "a sort of index",
    ("language", "sign"): "a kind of token",
    ("language", "gamma"): "a Greek letter",
    ("language", "mod"): "a word of other languages, which gets a hint",
    ("codegen", "count"): "an argument of generated code: the number of elements",
    ("codegen", "add"): "an instruction of LLVM",
    ("codegen", "contract"): "a kind of step in a schedule, and a flag of LLVM",
    **{
        ("codegen", name): "a function of Python's that generated code calls"
        for name in ("abs", "ceil", "cos", "exp", "floor", "gamma", "log", "max", "min", "pow", "sin", "tan")
    },
    **{
        ("codegen", name): "a function of C's library"
        for name in (
            "acos",
            "acosh",
            "asin",
            "asinh",
            "atan",
            "atan2",
            "atanh",
            "cbrt",
            "cosh",
            "erf",
            "erfc",
            "expm1",
            "hypot",
            "log10",
            "log1p",
            "log2",
            "sinh",
            "tanh",
        )
    },
    **{
        (stage, name): "a function that the package offers"
        for stage in ("__init__", "api", "compiler", "run")
        for name in ("grad", "hessian", "hvp", "jacobian", "jvp", "vjp")
    },
    ("differentiate", "hessian"): "a rule's name: what an equation came of",
    ("differentiate", "jacobian"): "a rule's name: what an equation came of",
    ("cli", "grad"): "a command",
}
SPELLINGS = (
    {o.name for o in OPERATIONS}
    | {o.spelling for o in OPERATIONS if o.spelling}
    | {n for o in OPERATIONS for n in o.others}
)


def docstrings(module: ast.Module) -> set[int]:
    """Identities of the string constants that are documentation."""
    found = set()
    for node in ast.walk(module):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                found.add(id(first.value))
    return found


@pytest.mark.parametrize(
    "path", [p for p in FILES if stage(p) not in NAMING], ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_only_the_table_names_operations(path: Path) -> None:
    module = tree(path)
    documentation = docstrings(module)
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            named = node.value in SPELLINGS and (stage(path), node.value) not in ORDINARY
            assert not named, f"{path.relative_to(PACKAGE)}:{node.lineno} names the operation {node.value!r}"


@pytest.mark.parametrize(
    "path", [p for p in FILES if stage(p) not in NAMING], ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_no_record_is_imported_out_of_its_file(path: Path) -> None:
    from importlib import import_module

    from graphc.graph.operation import Operation

    for line, module, name in imports(path):
        if module.startswith("graphc.ops.") and not name.isupper():  # capitals are roles: SUBSCRIPT, GRADIENT
            value = getattr(import_module(module), name, None)
            assert not isinstance(value, Operation), f"{path.relative_to(PACKAGE)}:{line} imports the record {name}"


# --- documentation -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_every_module_says_what_it_takes_gives_and_keeps(path: Path) -> None:
    text = ast.get_docstring(tree(path)) or ""
    short = path.name in ("__init__.py", "__main__.py")
    assert text.splitlines()[0].endswith("."), f"{path}: the first line is a sentence"
    if not short:
        for word in ("In:", "Out:", "Always holds:"):
            assert word in text, f"{path.relative_to(PACKAGE)} does not say: {word}"


def test_the_prelude_is_read() -> None:
    from graphc.language.macros import prelude

    files = {p.name for p in (PACKAGE / "prelude").glob("*.gc")}
    assert files == {"activations.gc", "initial.gc", "layers.gc", "losses.gc", "optimizers.gc", "statistics.gc"}
    assert len(prelude()) > 25
