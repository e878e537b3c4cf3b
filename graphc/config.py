"""Where graphc keeps what it may keep.

In: the environment.  Out: `cache_folder()`, a folder that exists and can be written.
Always holds: `$GRAPHC_CACHE` wins over the platform's convention; where neither can be used, a private temporary
folder takes its place, with one warning a process, and goes when the process ends.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import warnings
from functools import cache
from pathlib import Path

_lock = threading.Lock()


def cache_location(platform: str | None = None) -> Path:
    """The folder generated code is meant for; RuntimeError or OSError where there is no home to put it in."""
    platform = platform or sys.platform
    own = os.environ.get("GRAPHC_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    if platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "graphc" / "Cache"
    if platform == "darwin":
        return Path.home() / "Library" / "Caches" / "graphc"
    shared = os.environ.get("XDG_CACHE_HOME")
    if shared and Path(shared).is_absolute():  # the convention says to ignore a relative one
        return Path(shared) / "graphc"
    return Path.home() / ".cache" / "graphc"


def cache_folder() -> Path:
    """The folder for generated code, made if it was not there."""
    try:
        folder = cache_location()
    except (RuntimeError, OSError) as error:
        return _instead(str(error))
    try:
        return _usable(folder)
    except OSError as error:
        return _instead(f"{folder}: {error.strerror or error}")


def _usable(folder: Path) -> Path:
    """The folder, made and proved writable; OSError where it is not."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):  # what access() says is not what happens: mounts, quotas, root
        return folder


def _instead(reason: str) -> Path:
    with _lock:
        return _temporary(reason)


@cache
def _private() -> Path:
    import atexit

    folder, owner = Path(tempfile.mkdtemp(prefix="graphc-")), os.getpid()
    atexit.register(lambda: shutil.rmtree(folder, ignore_errors=True) if os.getpid() == owner else None)
    return folder


def _temporary(reason: str) -> Path:
    """The process's own temporary folder; warns the first time."""
    first = not _private.cache_info().currsize
    folder = _private()
    if first:
        message = f"generated code cannot be kept ({reason}): it is compiled anew in every process; set GRAPHC_CACHE"
        warnings.warn(message, RuntimeWarning, stacklevel=4)
    return folder
