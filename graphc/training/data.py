"""Data at the door: files, lists and arrays to what a program's inputs ask for.

In: `.npz` and `.csv` files, anything NumPy can read as an array.  Out: contiguous arrays of the program's type.
Always holds: each value is checked and converted once, here; whatever does not fit is a DataError that names the input
or the line and column of the file; nothing in a file is executed.
"""

from __future__ import annotations

import numbers
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from graphc.codegen.artifact import Range
from graphc.errors import DataError, OutsideError
from graphc.graph.types import MOST_AXES, Size, Type, shape_text, size_value, sizes_of, the_name

Array: TypeAlias = NDArray[Any]
Columns: TypeAlias = Mapping[str, Sequence[int | str]]
SEPARATORS = "\t;,"  # the first of these that the first line has


# --- files ---------------------------------------------------------------------------------------------------------


def read(path: str | Path, columns: Columns | None = None) -> dict[str, Array]:
    """Arrays of a file by name.

    `columns` says what each name is made of: columns of a `.csv` (positions or names), one array of an `.npz`.
    Without it the names are those of the file: its header, its arrays.
    """
    path = Path(path)
    if path.suffix.lower() == ".npz":
        return _named_arrays(path, read_npz(path), columns)
    if path.suffix.lower() in (".csv", ".tsv", ".txt"):
        return _chosen_columns(path, read_csv(path), columns)
    raise DataError(f"{path}: data are read from .npz and .csv files", hint="numpy.savez(file, x=x, t=t) writes one")


def read_npz(path: str | Path) -> dict[str, Array]:
    """The arrays of an `.npz` file by name; pickled objects are refused."""
    path = Path(path)
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            raise DataError(f"{path} holds one array without a name", hint="numpy.savez(file, x=x) gives it one")
        with loaded as file:
            return {name: file[name] for name in file.files}
    except DataError:
        raise
    except OSError as error:
        _unreadable(path, error)
    except Exception as error:  # whatever zipfile, zlib and the array header's reader find wrong
        objects = "allow_pickle" in str(error) and zipfile.is_zipfile(path)
        what = "it holds Python objects" if objects else "it is no .npz file, or a damaged one"
        raise DataError(f"{path} cannot be read: {what}", hint="numpy.savez(file, x=x, t=t) writes one") from None


@dataclass(frozen=True)
class Table:
    """A `.csv` file: numbers by row and column; `names` is empty without a header."""

    names: tuple[str, ...]
    values: Array


def read_csv(path: str | Path) -> Table:
    """Rows of numbers, separated by commas, semicolons or tabs, with or without a header of names."""
    path = Path(path)
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text in UTF-8 (byte {error.start})", hint="save it as CSV, UTF-8") from None
    except OSError as error:
        _unreadable(path, error)
    lines = text.split("\n")
    first = next((k for k, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise DataError(f"{path} is empty", hint="a row of numbers an example")
    separator = _separator(lines[first])
    header = _cells(lines[first], separator)
    names = tuple(_unquoted(c) for c in header) if not any(_is_number(c) for c in header) else ()
    start = first + 1 if names else first
    if not any(line.strip() for line in lines[start:]):
        raise DataError(f"{path} has a header but no rows of numbers")
    _check_names(path, first, names)
    return Table(names, _numbers(path, lines, start, separator, len(header)))


def _separator(line: str) -> str:
    outside = "".join(line.split('"')[::2])
    return next((s for s in SEPARATORS if s in outside), ",")


def _cells(line: str, separator: str) -> list[str]:
    """Cells of a line; a separator between quotes does not separate."""
    if '"' not in line:
        return [c.strip() for c in line.split(separator)]
    cells = [""]
    for k, part in enumerate(line.split('"')):
        if k % 2:
            cells[-1] += f'"{part}"'
            continue
        more = part.split(separator)
        cells[-1] += more[0]
        cells += more[1:]
    return [c.strip() for c in cells]


def _unquoted(cell: str) -> str:
    return cell[1:-1] if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _check_names(path: Path, row: int, names: tuple[str, ...]) -> None:
    for k, name in enumerate(names):
        if name and name in names[:k]:
            raise DataError(f"{path}, line {row + 1}: two columns are named {name!r}")


def _numbers(path: Path, lines: list[str], start: int, separator: str, width: int) -> Array:
    """The rows as an array; the fast reader first, the one that knows places where that fails."""
    try:
        values = np.loadtxt(lines[start:], delimiter=separator, comments=None, quotechar='"', ndmin=2)
        if values.shape[1] == width:
            return values
    except (ValueError, OverflowError):
        pass
    rows = []
    for row, line in enumerate(lines[start:], start + 1):
        if line.strip():
            rows.append(_row(path, row, _cells(line, separator), width, row == 1 and start == 0))
    return np.array(rows, np.float64)


def _row(path: Path, row: int, cells: list[str], width: int, first: bool) -> list[float]:
    if len(cells) != width:
        raise DataError(f"{path}, line {row}: {len(cells)} columns, but the first line has {width}")
    values = []
    for column, cell in enumerate(map(_unquoted, cells), 1):
        if not _is_number(cell):
            what = f"{cell[:40]!r} is no number" if cell else "the cell is empty"
            hint = "a header has names only, between quotes where they are numbers" if first else _cell_hint(cell)
            raise DataError(f"{path}, line {row}, column {column}: {what}", hint=hint)
        values.append(float(cell))
    return values


def _cell_hint(cell: str) -> str:
    if not cell:
        return "every row needs all its numbers"
    if _is_number(cell.replace(",", ".", 1)):
        return f"write {cell.replace(',', '.', 1)}: numbers have a decimal point"
    return "numbers only; separated by , or ; or tab"


def _unreadable(path: Path, error: OSError) -> NoReturn:
    if isinstance(error, FileNotFoundError):
        raise DataError(f"there is no file {path}") from None
    raise DataError(f"{path} cannot be read: {error.strerror or error}") from None


def _named_arrays(path: Path, arrays: dict[str, Array], columns: Columns | None) -> dict[str, Array]:
    if not arrays:
        raise DataError(f"{path} holds no arrays")
    if not columns:
        return arrays
    chosen = {}
    for name, parts in columns.items():
        if len(parts) != 1 or parts[0] not in arrays:
            missing = next((p for p in parts if p not in arrays), parts)
            raise DataError(f"{path} has no array {missing}", hint=f"it has {_listed(arrays)}")
        chosen[name] = arrays[str(parts[0])]
    return chosen


def _chosen_columns(path: Path, table: Table, columns: Columns | None) -> dict[str, Array]:
    """Arrays of the columns asked for: one column is (n,), several are (n, columns)."""
    if not columns:
        if not table.names:
            hint = 'say which are what: data "file.csv" x=0:64, k=64'
            raise DataError(f"{path} has {table.values.shape[1]} columns without names", hint=hint)
        return {name: table.values[:, k] for k, name in enumerate(table.names)}
    chosen = {}
    for name, parts in columns.items():
        places = [_place(path, table, part) for part in parts]
        chosen[name] = table.values[:, places[0]] if len(places) == 1 else table.values[:, places]
    return chosen


def _place(path: Path, table: Table, column: int | str) -> int:
    count = table.values.shape[1]
    if isinstance(column, int):
        if not 0 <= column < count:
            raise DataError(f"{path} has no column {column}", hint=f"it has {count}, counted from 0")
        return column
    if column not in table.names:
        known = f"its columns are {_listed(table.names)}" if table.names else "it has no header: count columns from 0"
        raise DataError(f"{path} has no column {column!r}", hint=known)
    return table.names.index(column)


def _listed(names: Any, most: int = 12) -> str:
    names = [str(n) for n in names]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def parse_columns(text: str) -> dict[str, tuple[int | str, ...]]:
    """Columns by input from text as the data statement writes it: x=0:64, k=64, t="a"+"b"."""
    found: dict[str, tuple[int | str, ...]] = {}
    place = 0
    while text[place:].strip():
        match = _COLUMNS.match(text, place)
        if match is None:
            hint = "--columns x=0:64,k=64 by position, k=label by name"
            raise DataError(f"columns cannot be read from {text[place:].strip()[:40]!r} on", hint=hint)
        name, parts, place = match["name"], match["parts"], match.end()
        found[name] = tuple(c for part in _PART.findall(parts) for c in _columns_of(part))
    return found


_PART = re.compile(r'"[^"]*"|[^\s,+="]+')
_COLUMNS = re.compile(
    rf"\s*(?P<name>\w+)\s*=\s*(?P<parts>(?:{_PART.pattern})(?:\s*\+\s*(?:{_PART.pattern}))*)\s*(?:,|$)"
)


def _columns_of(part: str) -> Sequence[int | str]:
    start, sign, stop = part.partition(":")
    if sign and start.isdecimal() and stop.isdecimal():
        return range(int(start), int(stop))
    return [int(part)] if part.isdecimal() else [_unquoted(part)]


# --- values --------------------------------------------------------------------------------------------------------


def as_array(name: str, value: Any, type_: Type, dtype: Any = np.float64) -> Array:
    """One input's values in its kind's width, contiguous, checked against its shape; DataError names the input.

    Columns of a table are given the input's shape where only that is missing: (n,) for x[n, 1], (n, 64) for x[n, 8, 8].
    """
    array = _reshaped(plain_array(name, value), type_.shape)
    check_shape(name, array, type_.shape)
    if array.size == 0:
        raise DataError(f"{name} is empty: its shape is {shape_text(array.shape)}", hint="give it one example at least")
    return _converted(name, array, type_.kind, np.dtype(dtype))


def plain_array(name: str, value: Any) -> Array:
    """Anything as an array of bool, int, uint or float."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise DataError(f"{name} has masked values", hint="fill them or leave their examples out")
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        if "inhomogeneous" in str(error):
            raise DataError(f"the rows of {name} have different lengths") from None
        if "number of dimension" in str(error):
            raise DataError(f"{name} has too many axes; {MOST_AXES} is the most") from None
        raise DataError(f"{name} cannot be read as an array: {error}") from None
    if array.ndim > MOST_AXES:
        raise DataError(f"{name} has {array.ndim} axes; {MOST_AXES} is the most", hint=f"{name}.reshape(...)")
    if array.dtype.kind == "O":
        array = _from_objects(name, array)
    if array.dtype.kind == "c":
        raise DataError(f"{name} has complex values", hint="give the real and the imaginary part as two inputs")
    if array.dtype.kind not in "biuf":
        what = {"U": "text", "S": "text", "T": "text", "M": "dates", "m": "time spans"}.get(array.dtype.kind)
        raise DataError(f"{name} holds {what or f'values of type {array.dtype}'}, no numbers")
    return array


def _from_objects(name: str, array: Array) -> Array:
    """Fractions and the like as floats; nothing that is no number."""
    odd = next((k for k, v in enumerate(array.flat) if not isinstance(v, numbers.Real)), None)
    if odd is not None:
        value = array.flat[odd]
        what = "None" if value is None else type(value).__name__
        hint = "x.toarray()" if hasattr(value, "toarray") else "arrays and lists of numbers, all rows of one length"
        raise DataError(f"{name} holds {what}, no numbers", hint=hint)
    try:
        return array.astype(np.float64)
    except OverflowError:
        raise DataError(f"{name} holds numbers that are too large for floating point") from None


def _reshaped(array: Array, shape: tuple[Size, ...]) -> Array:
    """A table's columns in the input's shape, where the known sizes say how."""
    if len(shape) <= array.ndim or array.ndim == 0 or not all(isinstance(d, int) for d in shape[1:]):
        return array
    known = [d for d in shape[1:] if isinstance(d, int)]
    if array.ndim > 2 or int(np.prod(known)) != int(np.prod(array.shape[1:])):
        return array
    return array.reshape(array.shape[0], *known)


def check_shape(name: str, array: Array, shape: tuple[Size, ...]) -> None:
    fits = array.ndim == len(shape) and all(
        not isinstance(want, int) or want == have for have, want in zip(array.shape, shape, strict=True)
    )
    if not fits:
        have, want = shape_text(array.shape), shape_text(shape)
        what = "a number" if not shape else f"of shape {want}"
        hint = None
        if array.ndim + 1 == len(shape):
            hint = f"one example is an array of one: {name}[None]"
        elif array.ndim == len(shape) + 1 and array.shape[-1] == 1:
            hint = f"{name}[:, 0] leaves out the last dimension" if len(shape) == 1 else f"{name}[..., 0]"
        given = f"has shape {have}" if array.ndim else "is a single number"
        raise DataError(f"{name} {given}, but the program says it is {what}", hint=hint)


def _converted(name: str, array: Array, kind: str, dtype: np.dtype[Any]) -> Array:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        _refuse(name, array, ~np.isfinite(array), "leave the example out or give it a value")
    if kind == "real":
        with np.errstate(over="ignore"):
            result = np.asarray(array, dtype=dtype, order="C")
        if array.dtype != dtype and not np.isfinite(result).all():
            _refuse(name, array, ~np.isfinite(result), f"it does not fit {dtype}")
        return result
    if kind == "bool":
        other = (array != 0) & (array != 1)
        if other.any():
            _refuse(name, array, other, f"{name} is declared bool: 0 or 1, true or false")
        return np.asarray(array, dtype=np.bool_, order="C")
    if array.dtype.kind == "f" and (array != np.floor(array)).any():
        _refuse(name, array, array != np.floor(array), f"{name} is declared int: whole numbers")
    if array.dtype.kind in "fu" and (np.abs(array) >= 2.0**63).any():
        _refuse(name, array, np.abs(array) >= 2.0**63, "it does not fit int64")
    return np.asarray(array, dtype=np.int64, order="C")


def _refuse(name: str, array: Array, bad: Array, hint: str) -> NoReturn:
    raise DataError(_first(name, array, bad), hint=hint)


def _first(name: str, array: Array, bad: Array) -> str:
    """The first of the values that are bad, with its place."""
    place = tuple(int(i) for i in np.argwhere(bad)[0]) if array.ndim else ()
    where = f"[{', '.join(map(str, place))}]" if place else ""
    count = int(np.count_nonzero(bad))
    more = f" ({count} such values)" if count > 1 else ""
    return f"{name}{where} is {array[place]}{more}"


def check_ranges(arrays: Mapping[str, Array], ranges: Sequence[Range], sizes: Mapping[str, int]) -> None:
    """Indices among the data pick elements that there are: OutsideError, also an IndexError, with the first that does not."""
    for r in ranges:
        array, offset = arrays[r.name], size_value(r.offset, sizes)
        first, last = size_value(r.first, sizes), size_value(r.last, sizes)
        index = r.sign * array + offset
        bad = (index < first) | (index > last)
        if bad.any() and r.part:
            bad &= _part(bad.shape, r, sizes)
        if bad.any():
            moved = "" if (r.sign, offset) == (1, 0) else f", the index {np.asarray(index)[bad].flat[0]}"
            raise OutsideError(
                f"{_first(r.name, array, bad)}{moved}, outside of {first} to {last}: there are {last + 1}",
                hint="classes are counted from 0; where(k >= 0, ..., 0) leaves out what has none",
                line=r.line, column=r.column, source_line=r.source_line,
            )  # fmt: skip


def _part(shape: tuple[int, ...], r: Range, sizes: Mapping[str, int]) -> Array:
    """Where an array is used."""
    from graphc.ops.slices import numpy_slices
    from graphc.run.evaluate import known_statics

    used = np.zeros(shape, np.bool_)
    places = (..., *numpy_slices(known_statics(r.part, sizes)))
    used[places] = True
    return used


def as_arrays(values: Mapping[str, Any], types: Mapping[str, Type], dtype: Any = np.float64) -> dict[str, Array]:
    """The values of all inputs in `types`; DataError where one is missing."""
    missing = [name for name in types if name not in values]
    if missing:
        given = f"given: {_listed(values)}" if values else "no data were given"
        raise DataError(f"there are no data for {_listed(missing)}", hint=given)
    return {name: as_array(name, values[name], type_, dtype) for name, type_ in types.items()}


def bind_sizes(arrays: Mapping[str, Array], types: Mapping[str, Type]) -> dict[str, int]:
    """What the arrays say the program's sizes are; DataError where two say different things."""
    sizes: dict[str, int] = {}
    told: dict[str, str] = {}
    dims = [(name, d, n) for name, a in arrays.items() for d, n in zip(types[name].shape, a.shape, strict=True)]
    for name, dim, length in dims:
        if (size := the_name(dim)) is not None:
            _bind(sizes, told, size, length, _shown(name, arrays))
    left = [d for d in dims if not isinstance(d[1], int) and str(d[1]) not in sizes]
    while left:
        ready = next((d for d in left if _unknown(d[1], sizes) is not None), None)
        if ready is None:
            break
        name, dim, length = ready
        unknown = _unknown(dim, sizes)
        if unknown:
            _bind(sizes, told, unknown, _solved(name, dim, length, unknown, sizes), _shown(name, arrays))
        elif size_value(dim, sizes) != length:
            known = ", ".join(f"{s} = {sizes[s]}" for s in sorted(sizes_of(dim)))
            raise DataError(f"{name} has a dimension of {length}, but {dim} is {size_value(dim, sizes)} where {known}")
        left.remove(ready)
    return sizes


def _shown(name: str, arrays: Mapping[str, Array]) -> str:
    return f"{name} {shape_text(arrays[name].shape)}"


def _bind(sizes: dict[str, int], told: dict[str, str], size: str, length: int, name: str) -> None:
    if sizes.setdefault(size, length) != length:
        first = told[size]
        raise DataError(f"{first} says {size} = {sizes[size]}, {name} says {size} = {length}")
    told.setdefault(size, name)


def _unknown(dim: Size, sizes: Mapping[str, int]) -> str | None:
    """The one size a dimension leaves open where it can be solved for it, "" where none is open, None else."""
    names = sizes_of(dim) - set(sizes)
    if not names:
        return ""
    if len(names) > 1 or isinstance(dim, int):
        return None
    (name,) = names
    in_quotients = name in set().union(
        *(sizes_of(f.dividend) for t, _ in dim.terms for f in t if not isinstance(f, str))
    )
    return name if not in_quotients and all(term.count(name) <= 1 for term, _ in dim.terms) else None


def _solved(name: str, dim: Size, length: int, unknown: str, sizes: Mapping[str, int]) -> int:
    """The size for which a dimension, linear in it, has this length."""
    base, one = (size_value(dim, {**sizes, unknown: k}) for k in (0, 1))
    slope = one - base
    if not slope or (length - base) % slope or (length - base) // slope < 1:
        raise DataError(f"{name} has a dimension of {length}, which no {unknown} makes {dim}")
    return (length - base) // slope


# --- examples ------------------------------------------------------------------------------------------------------


def holdout(count: int, fraction: float, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices to train on and indices held out, both ascending; the same for the same seed, on any machine."""
    if not 0 < fraction < 1:
        raise DataError(f"a part of {fraction} cannot be held out", hint="holdout=0.2 is a fifth of the examples")
    held = round(count * fraction)
    if not 0 < held < count:
        raise DataError(f"{fraction} of {count} examples is {held}: both parts need one at least")
    order = np.random.default_rng([seed, count]).permutation(count)
    return np.sort(order[held:]), np.sort(order[:held])
