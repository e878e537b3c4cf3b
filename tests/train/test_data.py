"""Data at the door: files, conversion, sizes, holding out."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import graphc
from graphc.errors import DataError
from graphc.graph.types import Type, size_named
from graphc.training.data import as_array, as_arrays, bind_sizes, holdout, read, read_csv, read_npz

N = size_named("n")
VECTOR, MATRIX = Type((N,)), Type((N, 2))


def csv(folder: Path, text: str | bytes) -> Path:
    path = folder / "some.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


class TestCsv:
    @pytest.mark.parametrize("separator", [",", ";", "\t", ", ", " ; "])
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_separators_and_line_ends(self, tmp_path, separator, end):
        text = end.join(separator.join(row) for row in (["a", "b"], ["1", "-2.5"], ["3e2", "4"])) + end
        table = read_csv(csv(tmp_path, text))
        assert table.names == ("a", "b")
        assert table.values.tolist() == [[1, -2.5], [300, 4]]

    def test_without_header(self, tmp_path):
        table = read_csv(csv(tmp_path, "1,2\n\n3,4"))
        assert (table.names, table.values.tolist()) == ((), [[1, 2], [3, 4]])

    def test_byte_order_mark_quotes_and_blank_lines(self, tmp_path):
        table = read_csv(csv(tmp_path, '\ufeff"a, b";"2019"\n\n"1";2\n'))
        assert (table.names, table.values.tolist()) == (("a, b", "2019"), [[1, 2]])

    def test_one_column(self, tmp_path):
        assert read_csv(csv(tmp_path, "1\n2\n3\n")).values.tolist() == [[1], [2], [3]]

    def test_columns_by_position_and_name(self, tmp_path):
        path = csv(tmp_path, "a,b,c\n1,2,3\n4,5,6\n")
        found = read(path, {"x": (0, 1), "k": (2,), "y": ("c", "a")})
        assert found["x"].tolist() == [[1, 2], [4, 5]]
        assert found["k"].tolist() == [3, 6]
        assert found["y"].tolist() == [[3, 1], [6, 4]]
        assert sorted(read(path)) == ["a", "b", "c"]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "is empty"),
            ("\n \n", "is empty"),
            ("a,b\n", "no rows"),
            ("1,2\n3,four\n", "line 2, column 2: 'four' is no number"),
            ("a,b\n1,2\n3,\n", "line 3, column 2: the cell is empty"),
            ("1,2\n3,4,5\n", "line 2: 3 columns, but the first line has 2"),
            ("a,b\n1,2,3\n4,5,6\n", "line 2: 3 columns, but the first line has 2"),
            ("1,x\n3,4\n", "line 1, column 2: 'x' is no number"),
            ("1;2,5\n", "line 1, column 2: '2,5' is no number"),
            ("1,1_000\n2,3\n", "line 1, column 2: '1_000' is no number"),
            ("a,a\n1,2\n", "two columns are named 'a'"),
            ("1 2\n3 4\n", "no rows|is no number"),
            (b"\xff\xfe1\x00", "no text in UTF-8"),
        ],
    )
    def test_errors_have_a_place(self, tmp_path, text, message):
        with pytest.raises(DataError, match=message):
            read(csv(tmp_path, text), {"x": (0,)})

    def test_unknown_columns(self, tmp_path):
        path = csv(tmp_path, "a,b\n1,2\n")
        with pytest.raises(DataError, match="no column 'c'") as error:
            read(path, {"x": ("c",)})
        assert "a, b" in str(error.value)
        with pytest.raises(DataError, match="no column 2"):
            read(path, {"x": (2,)})
        with pytest.raises(DataError, match="without names"):
            read(csv(tmp_path, "1,2\n"))

    def test_files_that_cannot_be_read(self, tmp_path):
        with pytest.raises(DataError, match="there is no file"):
            read(tmp_path / "none.csv")
        (tmp_path / "folder.csv").mkdir()
        with pytest.raises(DataError, match="cannot be read"):
            read(tmp_path / "folder.csv")
        with pytest.raises(DataError, match=r"\.npz and \.csv"):
            read(tmp_path / "data.xlsx")


class TestNpz:
    def test_names_and_columns(self, tmp_path):
        path = tmp_path / "some.npz"
        np.savez(path, images=np.ones((3, 2)), labels=np.arange(3))
        assert sorted(read(path)) == ["images", "labels"]
        assert read(path, {"k": ("labels",)})["k"].tolist() == [0, 1, 2]
        with pytest.raises(DataError, match="no array other"):
            read(path, {"k": ("other",)})
        with pytest.raises(DataError, match="no array 0"):
            read(path, {"k": (0, 1)})

    def test_pickles_are_refused(self, tmp_path):
        path = tmp_path / "some.npz"
        np.savez(path, x=np.array([object()], dtype=object))
        with pytest.raises(DataError, match="Python objects"):
            read_npz(path)

    @pytest.mark.parametrize("content", [b"", b"nonsense", b"a,b\n1,2\n", b"PK\x03\x04 truncated"])
    def test_damaged(self, tmp_path, content):
        path = tmp_path / "some.npz"
        path.write_bytes(content)
        with pytest.raises(DataError, match="cannot be read"):
            read(path)

    def test_one_array_or_none(self, tmp_path):
        path = tmp_path / "some.npz"
        with path.open("wb") as file:
            np.save(file, np.ones(3))
        with pytest.raises(DataError, match="without a name"):
            read(path)
        np.savez(path)
        with pytest.raises(DataError, match="no arrays"):
            read(path)
        with pytest.raises(DataError, match="there is no file"):
            read(tmp_path / "none.npz")


class TestConversion:
    @pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f8", "i1", "u8", "i8", "?", "longdouble"])
    def test_any_real_type(self, dtype):
        array = as_array("x", np.array([[0, 1], [1, 0]], dtype), MATRIX, np.float32)
        assert array.dtype == np.float32
        assert array.tolist() == [[0, 1], [1, 0]]

    def test_lists_strides_and_fractions(self):
        base = np.arange(24.0).reshape(6, 4)
        strided = as_array("x", base[::-2, ::2], MATRIX)
        assert strided.flags.c_contiguous
        assert strided.tolist() == base[::-2, ::2].tolist()
        assert as_array("x", [[Fraction(1, 2), 2]], MATRIX).tolist() == [[0.5, 2]]
        assert as_array("x", [1, 2], VECTOR).dtype == np.float64
        assert as_array("x", 3, Type()).shape == ()

    def test_contiguous_arrays_are_not_copied(self):
        x = np.ones((3, 2))
        assert as_array("x", x, MATRIX) is x

    def test_columns_take_the_input_s_shape(self):
        assert as_array("x", np.ones(3), Type((N, 1))).shape == (3, 1)
        assert as_array("x", np.ones((3, 64)), Type((N, 8, 8))).shape == (3, 8, 8)

    def test_kinds(self):
        assert as_array("k", [0.0, 3.0], Type((N,), "int")).dtype == np.int64
        assert as_array("b", [0, 1], Type((N,), "bool")).dtype == np.bool_

    @pytest.mark.parametrize(
        ("value", "type_", "message"),
        [
            ([1.0, np.nan, np.nan], VECTOR, r"x\[1\] is nan \(2 such values\)"),
            ([[1.0, 2.0], [3.0, -np.inf]], MATRIX, r"x\[1, 1\] is -inf"),
            (np.nan, Type(), "x is nan"),
            ([], VECTOR, "x is empty"),
            (np.ones((0, 2)), MATRIX, "x is empty"),
            (np.ones(3), MATRIX, r"x has shape \(3,\), but the program says it is of shape \(n, 2\)"),
            (np.ones((3, 5)), MATRIX, r"x has shape \(3, 5\)"),
            (np.ones((3, 1)), VECTOR, r"x has shape \(3, 1\)"),
            (1.0, VECTOR, "x is a single number"),
            ([1.0], Type(), "is a number"),
            (["a", "b"], VECTOR, "x holds text"),
            ([b"a"], VECTOR, "x holds text"),
            ([None, 1], VECTOR, "x holds None"),
            ([object()], VECTOR, "x holds object"),
            (None, VECTOR, "x holds None"),
            (np.array(["2020-01-01"], "M8[D]"), VECTOR, "x holds dates"),
            ([1j], VECTOR, "x has complex values"),
            ([[1, 2], [3]], MATRIX, "the rows of x have different lengths"),
            ([0.5], Type((N,), "int"), r"x\[0\] is 0.5"),
            ([2**63], Type((N,), "int"), "x"),
            ([2], Type((N,), "bool"), r"x\[0\] is 2"),
            (np.ma.masked_equal([1, 2], 2), VECTOR, "masked"),
            ([10**400], VECTOR, "too large"),
            ({"a": 1}, VECTOR, "x holds dict"),
        ],
    )
    def test_what_does_not_fit_is_named(self, value, type_, message):
        with pytest.raises(DataError, match=message):
            as_array("x", value, type_)

    def test_too_large_for_the_type(self):
        with pytest.raises(DataError, match="x"):
            as_array("x", [1e300], VECTOR, np.float32)

    def test_missing_inputs(self):
        with pytest.raises(DataError, match="no data for t") as error:
            as_arrays({"x": [1.0]}, {"x": VECTOR, "t": VECTOR})
        assert "given: x" in str(error.value)


class TestSizes:
    def test_bound_and_compared(self):
        arrays = {"x": np.ones((5, 3)), "t": np.ones(5)}
        types = {"x": Type((N, size_named("m"))), "t": Type((N,))}
        assert bind_sizes(arrays, types) == {"n": 5, "m": 3}
        with pytest.raises(DataError, match=r"x \(5, 3\) says n = 5, t \(4,\) says n = 4"):
            bind_sizes({**arrays, "t": np.ones(4)}, types)

    def test_solved(self):
        types = {"x": Type((2 * N + 1,)), "y": Type((N,))}
        assert bind_sizes({"x": np.ones(7)}, {"x": types["x"]}) == {"n": 3}
        assert bind_sizes({"x": np.ones(7), "y": np.ones(3)}, types) == {"n": 3}
        with pytest.raises(DataError, match="which no n makes"):
            bind_sizes({"x": np.ones(6)}, {"x": types["x"]})
        with pytest.raises(DataError, match="x has a dimension of 7"):
            bind_sizes({"x": np.ones(7), "y": np.ones(4)}, types)


class TestHoldout:
    def test_parts(self):
        kept, held = holdout(10, 0.3, seed=1)
        assert len(held) == 3
        assert sorted([*kept, *held]) == list(range(10))

    def test_same_seed_same_parts_and_global_state_untouched(self):
        before = np.random.get_state()[1].tolist()
        assert holdout(100, 0.2, 7)[1].tolist() == holdout(100, 0.2, 7)[1].tolist()
        assert holdout(100, 0.2, 7)[1].tolist() != holdout(100, 0.2, 8)[1].tolist()
        assert np.random.get_state()[1].tolist() == before

    @pytest.mark.parametrize(("count", "fraction"), [(10, 0), (10, 1), (10, -0.5), (1, 0.5), (10, 0.01), (10, 2)])
    def test_parts_that_cannot_be(self, count, fraction):
        with pytest.raises(DataError):
            holdout(count, fraction)


def test_sympy_is_not_needed():
    code = "import graphc.training.data, sys; sys.exit('sympy' in sys.modules or 'numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=dict(os.environ), check=False).returncode == 0


LABELS = "input k[n, 2]: int, t[n]; param E[4] = 1; "


class TestRanges:
    """Labels that pick elements: what is picked from has a known size, or one that the data tell."""

    @pytest.mark.parametrize(
        ("program", "data", "message"),
        [
            (LABELS + "minimize mse(sum(E[k], axis=1), t)", [[0, 1], [3, 4]], r"k\[1, 1\] is 4, outside of -4 to 3"),
            (LABELS + "minimize mse(E[k[:, 1]], t)", [[9, 0], [0, -5]], r"k\[1, 1\] is -5, outside of -4 to 3"),
            (LABELS + "j = k[:, 0]; minimize mse(E[j.T], t)", [[9, 0], [8, 1]], r"k\[0, 0\] is 9 \(2 such values\)"),
            (LABELS + "minimize mean(one_hot(k, 4)*E)", [[0, 1], [-1, 0]], r"k\[1, 0\] is -1, outside of 0 to 3"),
            (LABELS + "metric m = mean(E[k]); minimize mse(E[0], t)", [[0, 1], [7, 0]], r"k\[1, 0\] is 7"),
            ("input k: int, t; param E[4] = 1; minimize mse(E[k], t)", [3, 4], r"k\[1\] is 4, outside of -4 to 3"),
            (
                "input k[n]: int, t[m]; param a = 1; minimize mean((a*t[k])^2)",
                [0, 2],
                r"k\[1\] is 2, outside of -2 to 1",
            ),
        ],
    )
    def test_labels_without_a_place(self, program, data, message):
        with pytest.raises(DataError, match=message) as error:
            graphc.train(program, {"k": data, "t": [0.0, 1.0]})
        assert (error.value.line, program[error.value.column - 1]) in [(1, "["), (1, "o")]

    @pytest.mark.parametrize(
        "loss",
        [
            "mse(E[k[:, 0]], t)",  # the other column is not used
            "mse(sum(where(k < 4, E[k], 0), axis=1), t)",  # a choice that may not take it
            "mse(sum(E[clip(k, 0, 3)], axis=1), t)",  # what is computed is not known before
        ],
    )
    def test_labels_that_are_not_used_may_be_anything(self, loss):
        run = graphc.train(LABELS + f"minimize {loss}", {"k": [[0, 9], [3, 17]], "t": [0.0, 1.0]})
        assert np.isfinite(run.history["loss"]).all()

    def test_held_out_labels(self):
        program = LABELS + "minimize mse(sum(E[k], axis=1), t)"
        data = {"k": [[0, 1], [3, -4]], "t": [0.0, 1.0]}
        with pytest.raises(DataError, match=r"k\[0, 1\] is 4"):
            graphc.train(program, data, validation={"k": [[0, 4]], "t": [0.0]})
        assert graphc.train(program, data).history == graphc.train(program, data).history  # the second from the cache
