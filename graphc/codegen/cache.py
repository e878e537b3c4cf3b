"""The cache: source text to machine code, kept between processes.

In: a module's text and the entry wanted.  Out: the function.
Always holds: an entry lives in a folder named by a hash of the text, of everything it imports, of the versions, the
CPU and the flags; an object file is loaded only if its checksum agrees, what Numba stored only if all agree with a
manifest that was renamed into place last; anything harmed costs a recompile, never an answer.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from graphc.codegen.artifact import Artifact, Entry
from graphc.codegen.plain_lapack import FUNCTIONS
from graphc.collector import uncollected
from graphc.config import cache_folder

if TYPE_CHECKING:
    from graphc.codegen.native import Loaded

_SOURCES = (
    "support.py", "lapack.py", "native.py", "call.py", "translate.py", "arithmetic.py", "prelude.py", "atomic.py",
    "threads.py", "tracing.py", "points.py", "tiles.py", "vectors.py", "definitions.py", "plain_number.py", "blas.py", "cache.py",
)  # fmt: skip
_MODULES: dict[str, ModuleType] = {}
_LOADED: dict[tuple[str, Entry, str], Any] = {}


@cache
def fingerprint() -> str:
    """Everything besides the text that the machine code depends on."""
    digest = hashlib.sha256()
    digest.update("\n".join((sys.version, sys.platform, platform.machine(), _cpu())).encode())
    for package in ("numba", "llvmlite", "numpy", "scipy"):
        spec = importlib.util.find_spec(package)
        digest.update(f"{package} {_installed(package, Path(spec.origin)) if spec and spec.origin else None}".encode())
    for file in _SOURCES:
        digest.update(Path(__file__).with_name(file).read_bytes())
    return digest.hexdigest()


def _installed(package: str, origin: Path) -> str:
    """Where a package is, and its version: the folder beside it that describes it has that in its name, and to read
    what is in there takes 20 ms."""
    beside = sorted(p.name for p in origin.parent.parent.glob(f"{package}-*"))
    return f"{origin} {' '.join(beside)}"


def _cpu() -> str:
    """The processor's name and features, as far as they are told without a library."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return "\n".join(dict.fromkeys(line for line in lines if line.startswith(("model name", "flags"))))
    return platform.processor()


@cache
def compiler_fingerprint() -> str:
    """A hash of graphc itself: a stored program is used only by the graphc that made it."""
    digest = hashlib.sha256(fingerprint().encode())
    root = Path(__file__).parent.parent
    for file in sorted((*root.rglob("*.py"), *root.rglob("*.gc"))):
        digest.update(str(file.relative_to(root)).encode() + b"\0")
        stat = file.stat()
        digest.update(f"{stat.st_size} {stat.st_mtime_ns}".encode())
    digest.update(str(root).encode())
    return digest.hexdigest()


# --- programs: the hash of a text to what was generated for it -------------------------------------------------------


def stored_program(key: str) -> Artifact | None:
    """What an earlier process generated for a program's text; None if nothing usable is there."""
    file = cache_folder() / "programs" / f"{_hash(key, compiler_fingerprint())}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        checksum, _, body = file.read_text("utf-8").partition("\n")
        if checksum == hashlib.sha256(body.encode()).hexdigest():
            return Artifact.from_json(body)
    return None


def store_program(key: str, artifact: Artifact) -> None:
    """Keep it for later processes."""
    body = artifact.to_json()
    text = f"{hashlib.sha256(body.encode()).hexdigest()}\n{body}"
    file = cache_folder() / "programs" / f"{_hash(key, compiler_fingerprint())}.json"
    with contextlib.suppress(OSError):
        _write(file, text.encode("utf-8"))


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _write(file: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as f:
            f.write(content)
        os.replace(temporary, file)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


# --- modules ---------------------------------------------------------------------------------------------------------


def native(source: str, entry: Entry, dtype: str) -> Loaded:
    """An entry that LLVM compiles; a process loads it once."""
    return _once(_native, source, entry, dtype)  # type: ignore[no-any-return]


def jitted(source: str, entry: Entry, dtype: str) -> Callable[..., Any]:
    """An entry that Numba compiles; a process compiles or loads it once."""
    return _once(_compiled, source, entry, dtype)  # type: ignore[no-any-return]


def _once(make: Callable[[str, Entry, str], Any], source: str, entry: Entry, dtype: str) -> Any:
    key = (source, entry, dtype)
    if key not in _LOADED:
        _LOADED[key] = make(source, entry, dtype)
    return _LOADED[key]


@uncollected()
def _native(source: str, entry: Entry, dtype: str) -> Loaded:
    from graphc.codegen.native import Loaded, object_code

    _bind_routines(source)
    folder = cache_folder() / "modules" / _hash(source, fingerprint())
    file = folder / f"{entry.name}.object"
    with contextlib.suppress(OSError):
        checksum, _, code = file.read_bytes().partition(b"\n")
        if checksum == hashlib.sha256(code).hexdigest().encode():
            return Loaded(code)
    code = object_code(source, entry, dtype)
    with contextlib.suppress(OSError):
        _write(folder / "module.py", source.encode())
        _write(file, hashlib.sha256(code).hexdigest().encode() + b"\n" + code)
    return Loaded(code)


def _bind_routines(source: str) -> None:
    """Tell LLVM the addresses of the libraries' functions that a module calls."""
    if "blas_gemm(" in source:
        from graphc.codegen.blas import bind_blas

        bind_blas()
    if any(f"    {name}(" in source for name in FUNCTIONS):
        from graphc.codegen.blas import bind_lapack

        bind_lapack()


def _compiled(source: str, entry: Entry, dtype: str) -> Callable[..., Any]:
    import numba

    from graphc.codegen.arithmetic import FAST

    _bind_routines(source)
    folder = cache_folder() / "modules" / _hash(source, fingerprint())
    module = _module(source, folder)
    function = getattr(module, entry.name)
    types = tuple(_numba_type(t, dtype) for t in entry.arguments)
    options = {"error_model": "numpy", "fastmath": set(FAST), "nogil": True}
    stored = folder / "__pycache__"
    manifest = folder / f"{entry.name}.manifest"
    trusted = _trusted(manifest, stored, entry.name)
    try:
        dispatcher = numba.njit(types, cache=True, **options)(function)
        if not trusted:
            _write_manifest(manifest, stored, entry.name)
    except (OSError, RuntimeError, EOFError, ValueError):  # no folder to keep it in, or what is there cannot be read
        dispatcher = numba.njit(types, **options)(function)
    return dispatcher  # type: ignore[no-any-return]


def _module(source: str, folder: Path) -> ModuleType:
    name = f"graphc_generated_{folder.name}"
    if name in _MODULES:
        return _MODULES[name]
    file = folder / "module.py"
    if _content(file) != source.encode():
        with contextlib.suppress(OSError):
            _write(file, source.encode())
    if _content(file) != source.encode():  # nothing can be kept there
        file = Path(tempfile.mkdtemp(prefix="graphc-")) / "module.py"
        file.write_bytes(source.encode())
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    keep, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = keep
    _MODULES[name] = module
    return module


def _content(file: Path) -> bytes | None:
    with contextlib.suppress(OSError):
        return file.read_bytes()
    return None


def _files(stored: Path, entry: str) -> list[Path]:
    return sorted(f for f in stored.glob(f"module.{entry}-*") if f.suffix in (".nbi", ".nbc"))


def _trusted(manifest: Path, stored: Path, entry: str) -> bool:
    """True if what Numba stored is whole; what is not is removed."""
    try:
        expected = json.loads(manifest.read_text())
        found = {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in _files(stored, entry)}
        if expected == found and found:
            return True
    except (OSError, ValueError):
        pass
    for file in _files(stored, entry):
        with contextlib.suppress(OSError):
            file.unlink()
    return False


def _write_manifest(manifest: Path, stored: Path, entry: str) -> None:
    table = {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in _files(stored, entry)}
    with contextlib.suppress(OSError):
        _write(manifest, json.dumps(table).encode())


def _numba_type(text: str, dtype: str) -> Any:
    from numba import types

    scalars = {
        "real": getattr(types, dtype), "int": types.int64, "uint": types.uint64, "bool": types.boolean,
        "float64": types.float64,
    }  # fmt: skip
    kind, _, rank = text.partition("[")
    return types.Array(scalars[kind], int(rank[:-1]), "C") if rank else scalars[kind]
