"""Where generated code is kept."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from graphc.config import cache_folder, cache_location


def test_variable_wins(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAPHC_CACHE", str(tmp_path / "mine"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "mine"
    assert (tmp_path / "mine").is_dir()


def test_platforms(tmp_path, monkeypatch):
    monkeypatch.delenv("GRAPHC_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_location("linux") == tmp_path / "xdg" / "graphc"
    assert cache_location("darwin") == tmp_path / "Library" / "Caches" / "graphc"
    assert cache_location("win32") == tmp_path / "local" / "graphc" / "Cache"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_location("linux") == tmp_path / ".cache" / "graphc"
    monkeypatch.setenv("GRAPHC_CACHE", "")
    assert cache_location("linux") == tmp_path / ".cache" / "graphc"


def test_made_for_the_user_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAPHC_CACHE", str(tmp_path / "mine"))
    if os.name == "posix":
        assert stat.S_IMODE(cache_folder().stat().st_mode) == 0o700


@pytest.mark.parametrize("trouble", ["a file in the way", "no home"])
def test_temporary_folder_with_one_warning_a_process(tmp_path, trouble):
    (tmp_path / "file").write_text("")
    environment = {k: v for k, v in os.environ.items() if k not in ("GRAPHC_CACHE", "XDG_CACHE_HOME")}
    environment["HOME"] = str(tmp_path / "file")
    if trouble == "a file in the way":
        environment["GRAPHC_CACHE"] = str(tmp_path / "file" / "cache")
    code = (
        "import graphc.config, warnings\nwarnings.simplefilter('always')\n"
        "folders = {graphc.config.cache_folder() for _ in range(3)}\n"
        "assert len(folders) == 1 and all(f.is_dir() for f in folders)\nprint(*folders)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stderr.count("RuntimeWarning") == 1
    assert "GRAPHC_CACHE" in done.stderr
    assert not Path(done.stdout.strip()).exists()
