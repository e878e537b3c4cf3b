"""The command line: what it prints, what it refuses, what it imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from graphc.cli import app
from graphc.cli.arguments import split_outside
from graphc.cli.progress import figure

ROOT = Path(__file__).parents[2]
CHAIN = "cos(sin(x^2) + 3x^2)"
LINE = """
input x[n], t[n]
data "line.csv" x=0, t=1
train epochs=200, holdout=0.25, batch=4
param w = 0, b = 0
y = w * x + b
J = mean((y - t)^2)
metric worst = max(abs(y - t))
minimize J with sgd(lr=0.1)
"""


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRAPHC_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def run(*arguments: str, text: str | None = None):
    return CliRunner().invoke(app, list(arguments), input=text)


def printed(*arguments: str, text: str | None = None) -> str:
    result = run(*arguments, text=text)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def line(tmp_path):
    x = np.linspace(-1, 1, 20)
    rows = "\n".join(f"{a:.6f},{2 * a + 1:.6f}" for a in x)
    (tmp_path / "line.csv").write_text(rows)
    (tmp_path / "line.gc").write_text(LINE)
    return tmp_path / "line.gc"


class TestOneExpression:
    def test_derive(self):
        text = printed("derive", "t = x^2; u1 = sin(t); u2 = 3t; u = u1 + u2; J = cos(u)")
        backward = [line.partition("dJ/")[2] for line in text.splitlines() if "+=" in line]
        assert [" ".join(line.split()) for line in backward] == [
            "du += -sin(u)",
            "du1 += dJ/du * 1",
            "du2 += dJ/du * 1",
            "dt += dJ/du1 * cos(t)",
            "dt += dJ/du2 * 3",
            "dx += dJ/dt * 2*x",
        ]
        assert "-3.33415" in printed("derive", CHAIN, "--at", "x=0.5")

    @pytest.mark.parametrize(("name", "sign"), [("markdown", "|"), ("latex", "\\partial"), ("html", "<")])
    def test_formats(self, name, sign):
        assert sign in printed("derive", CHAIN, "--format", name)

    def test_grad(self):
        assert printed("grad", f"J = {CHAIN}") == "dJ/dx = -2*x*(cos(x^2) + 3)*sin(sin(x^2) + 3*x^2)\n"
        assert float(printed("grad", CHAIN, "--at", "x=0.5").rpartition("=")[2]) == pytest.approx(-3.334146414144972)
        assert printed("grad", "J = x^2*y", "--wrt", "y") == "dJ/dy = x^2\n"
        assert printed("grad", "J = x*y", "--at", "x=2,y=3").splitlines() == ["dJ/dx = y = 3.0", "dJ/dy = x = 2.0"]
        assert "->" in printed("grad", CHAIN, "--steps")

    def test_grad_of_arrays_is_a_formula_or_a_program(self):
        from graphc import parse

        assert (
            printed("grad", "input x[n, 2]\nparam w[2] = 0\nJ = sum(tanh(x @ w))")
            == "dJ/dw = x.T @ (1 - tanh(x @ w)^2)\n"
        )
        text = printed(
            "grad", "input x[n, 5]\nparam W[5, 4], V[4, 3]\nh = tanh(x @ W)\nJ = mean(sum(sigmoid(h @ V)^2, axis=1))"
        )
        assert [line.split(" =")[0].rstrip() for line in text.splitlines()][-2:] == ["dJ/dW", "dJ/dV"]
        assert text.startswith("h     = tanh(x @ W)\n")
        text = printed("grad", "input x[5], c[4]\nJ = sum(x[1:]^2*c)")
        assert [s.name for s in parse(text).outputs] == ["x_bar", "c_bar"]
        text = printed("grad", "param w[2] = 0\nJ = sum(w^2)", "--at", "w=[1, 2]")
        assert text == "dJ/dw = 2*w = [2., 4.]\n"

    def test_jacobian_and_hessian(self):
        assert printed("hessian", "J = x^2*y", "--at", "x=1,y=2").splitlines() == [
            "d2J_dx_dx = 2*y = 4.0", "d2J_dx_dy = 2*x = 2.0", "d2J_dy_dx = 2*x = 2.0", "d2J_dy_dy = 0 = 0",
        ]  # fmt: skip
        program = "input A[m, n], x[n], b[m]; J = sum((A @ x - b)^2)"
        assert printed("hessian", program, "--wrt", "x") == "d2J_dx_dx = 2*A.T @ A\n"
        assert printed("jacobian", "r = x*y; s = sin(x); output r, s", "--wrt", "x") == "dr_dx = y\nds_dx = cos(x)\n"
        text = printed("jacobian", "input A[n, n]; y = A @ A @ [1, 2]", "--at", "A=[[1, 2], [3, 4]]")
        assert text.rpartition(" = ")[2].startswith("[[[ 6., 13.]")

    @pytest.mark.parametrize(
        ("program", "at", "value"),
        [
            (CHAIN, "x=0.5", "0.5424849757140324"),
            ("-x^2", "x=3", "-9.0"),
            ("θ + 1", "θ=pi - pi", "1.0"),
            ("theta + 1", "θ=1/4", "1.25"),
            ("x > 1", "x=2", "true"),
            ("1/x", "x=0", "inf"),
            ("x^-1", "x=2", "0.5"),
            ("x*y", "x=[1,2],y=3", "[3., 6.]"),
            ("input x[n], k: int\nx[0]*k", "x=[1,2],k=3", "3.0"),
            ("param w = 2\ninput x\nw*x", "x=3", "6.0"),
            ("log(1 + exp(x))", "x=1000", "1000.0"),
            ("a = 2x; b = 3x\noutput a, b", "x=1", "a = 2.0\nb = 3.0"),
            ("J = x^3; d = grad(J, x)\noutput d", "x=2", "12.0"),
        ],
    )
    def test_eval(self, program, at, value):
        assert printed("eval", program, "--at", at) == value + "\n"

    def test_programs_from_files_and_standard_input(self, tmp_path):
        (tmp_path / "a.gc").write_text("x^2")
        assert printed("eval", str(tmp_path / "a.gc"), "--at", "x=3") == "9.0\n"
        assert printed("eval", "-", "--at", "x=3", text="x^2\n") == "9.0\n"

    def test_check_code_ops_info(self):
        assert "ok" in printed("check", CHAIN, "--samples", "3")
        assert "x = 1000.0 " in printed("check", "log(1+exp(x))", "--range", "x=1000:1e3")
        assert "def forward" in printed("code", CHAIN)
        assert "float32" in printed("code", CHAIN, "--dtype", "float32")
        table = printed("ops")
        assert all(word in table for word in ("tanh(x)", "a + b", "softmax", "dense"))
        assert "1 - y^2" in printed("ops", "tanh")
        assert "param W" in printed("ops", "dense")
        assert "cache" in printed("info")
        about = printed("info", "examples/digits.gc" if Path("examples").is_dir() else str(ROOT / "examples/digits.gc"))
        assert "2,410 numbers" in about


class TestTraining:
    def test_program_says_all(self, line):
        text = printed("train", str(line))
        assert "epoch   1/200" in text
        assert text.splitlines()[-1].startswith("held-out worst ")
        assert len(text.splitlines()) < 60

    def test_options_win(self, line, tmp_path):
        np.savez(tmp_path / "other.npz", u=np.ones(6), v=np.zeros(6))
        text = printed(
            *("train", str(line), "--data", str(tmp_path / "other.npz"), "--columns", "x=u, t=v"),
            *("--epochs", "2", "--batch", "3", "--holdout", "0.5", "--optimizer", "adam(lr=0.01)"),
            *("--seed", "3", "--dtype", "float64"),
        )
        assert "epoch 2/2" in text

    def test_save_and_predict(self, line, tmp_path):
        saved = tmp_path / "line.npz"
        printed("train", str(line), "--save", str(saved))
        (tmp_path / "new.csv").write_text("x\n0\n0.5\n")
        text = printed("predict", str(line), "--params", str(saved), "--data", str(tmp_path / "new.csv"))
        assert [float(v) for v in text.split()] == pytest.approx([1, 2], abs=1e-2)
        out = tmp_path / "out.npz"
        printed("predict", str(line), "--params", str(saved), "--save", str(out))
        with np.load(out) as file:
            assert file["y"].shape == (20,)

    def test_predict_with_a_program_of_numbers(self, tmp_path):
        np.savez(tmp_path / "p.npz", w=np.float64(3))
        (tmp_path / "new.csv").write_text("x\n1\n2\n")
        arguments = ("--params", str(tmp_path / "p.npz"), "--data", str(tmp_path / "new.csv"))
        assert printed("predict", "input x; param w = 0; y = w*x", *arguments).split() == ["3", "6"]

    def test_digits(self):
        text = printed("train", str(ROOT / "examples" / "digits.gc"))
        name, _, value = text.splitlines()[-1].rpartition(" ")
        assert name == "held-out accuracy"
        assert float(value) >= 0.97


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["eval", "x"], "x is missing"),
            (["eval", "x +"], "line 1, column 4"),
            (["eval", "x", "--at", "x"], "--at x is no value"),
            (["eval", "x", "--at", "x=a"], "a has no value"),
            (["eval", "x", "--at", "x=1,x=2"], "twice"),
            (["eval", "x", "--at", "y=2"], "y is not needed"),
            (["eval", "none.gc"], "none.gc cannot be read"),
            (["eval", "--bogus"], "no option --bogus"),
            (["eval", "input x[2], y[2]\nsum(x*y)", "--at", "x=[1,2],y=[1,2,3]"], "y"),
            (["eval", "input x[n], y[n]\nsum(x*y)", "--at", "x=[1,2],y=[1,2,3]"], "y"),
            (["grad", "x", "--wrt", "z"], "z"),
            (["jacobian", "x", "--wrt", "z"], "z is not in the program"),
            (["hessian", "r = x; s = x; output r, s"], "several outputs"),
            (["grad", "input x[3]\nx"], "x"),
            (["derive", "x", "--format", "pdf"], "no format pdf"),
            (["check", "sin("], "never closed"),
            (["check", "sin(x)", "--range", "x=1"], "two bounds"),
            (["check", "sin(x)", "--range", "x=1:y"], "y has no value"),
            (["check", "sin(x)", "--range", "x=2:1"], "from 2.0 to 1.0"),
            (["code", "9^9^9^9"], "bits"),
            (["ops", "sofmax"], "did you mean softmax"),
            (["train", "x^2"], "no parameters"),
            (["train", "input x; param w = 0; minimize (w - x)^2"], "where its data are"),
            (["train", "input x; param w = 0; minimize (w - x)^2", "--data", "none.csv"], "no file none.csv"),
            (
                ["predict", "input x; param w = 0; y = w*x", "--params", "none.npz", "--data", "none.csv"],
                "no file none",
            ),
        ],
    )
    def test_printed_without_traceback(self, arguments, message):
        result = run(*arguments)
        assert result.exit_code == 2, result.output
        assert message in result.stderr
        assert "Traceback" not in result.output
        assert result.stdout == ""

    def test_training_options(self, line):
        for options, message in (
            (["--holdout", "2"], "held out"),
            (["--optimizer", "adm"], "did you mean adam"),
            (["--columns", "x=0"], "no columns for t"),
            (["--columns", "x=0,t=7"], "no column 7"),
            (["--columns", "x"], "columns cannot be read"),
            (["--dtype", "float16"], "float16"),
            (["--epochs", "0"], "epochs"),
            (["--save", "/no/such/folder/p.npz"], "no folder"),
        ):
            result = run("train", str(line), *options)
            assert result.exit_code == 2, options
            assert message in result.stderr

    def test_file_is_named(self, tmp_path):
        (tmp_path / "a.gc").write_text("input x\ny = x +\n")
        result = run("grad", str(tmp_path / "a.gc"))
        assert result.stderr.startswith(f"{tmp_path / 'a.gc'}, line 2")

    def test_interrupt(self, monkeypatch):
        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("graphc.api.derive", interrupted)
        assert run("derive", "x^2").exit_code == 130


def loaded_by(*arguments: str) -> set[str]:
    """Top-level modules that a command imports."""
    code = (
        "import sys\nsys.argv[0] = 'graphc'\nfrom graphc.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(*{m.split('.')[0] for m in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return set(done.stderr.split())


def test_help_imports_nothing_large():
    assert not loaded_by("--help") & {"sympy", "numpy", "numba", "scipy"}
    assert not loaded_by("train", "--help") & {"sympy", "numpy", "numba", "scipy"}


def test_one_point_does_without_numba():
    for name in ("eval", "grad", "derive", "check"):
        assert not loaded_by(name, CHAIN, "--at", "x=0.5") & {"numba", "llvmlite"}


def test_a_program_seen_before_is_trained_without_sympy(line):
    loaded_by("train", str(line))
    assert "sympy" not in loaded_by("train", str(line))


def test_parts():
    assert split_outside("x=[1,2],y=f(1,2)") == ["x=[1,2]", "y=f(1,2)"]
    assert [figure(v, 3) for v in (0.5, 0, 1e-5, 1e30)] == ["0.500", "0.000", "1e-05", "1e+30"]
