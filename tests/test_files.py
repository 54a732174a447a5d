"""pcltut.files: files written in one step, checksums, one process a folder, the package's own files."""

import os
import sys
from pathlib import Path

import pytest

from pcltut.files import (
    FileError,
    atomic_path,
    write_text,
)

ROOT = Path(__file__).resolve().parents[1]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def one_line(error: pytest.ExceptionInfo) -> str:
    message = str(error.value)
    assert "\n" not in message and "got " in message and "; " in message
    assert isinstance(error.value, ValueError)
    return message


# -- written in one step -------------------------------------------------------------------------------------------


def test_atomic_path_leaves_the_old_file_after_an_error(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    write_text(path, "old\n")
    with pytest.raises(RuntimeError), atomic_path(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old\n" and names(path.parent) == ["file.txt"]
    write_text(path, "new\n")
    assert path.read_bytes() == b"new\n" and names(path.parent) == ["file.txt"]


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_a_full_disk_leaves_the_old_file_and_no_other(function, tmp_path, monkeypatch):
    def full(*arguments, **keywords):
        raise OSError(28, "No space left on device")

    path = tmp_path / "file.txt"
    write_text(path, "old\n")
    monkeypatch.setattr(os, function, full)
    with pytest.raises(FileError, match="No space left on device") as error:
        write_text(path, "new\n")
    assert str(path) in one_line(error)
    assert path.read_text() == "old\n" and names(tmp_path) == ["file.txt"]


@pytest.mark.skipif(sys.platform == "win32", reason="Unix permissions")
def test_permissions_are_the_users_and_threads_do_not_change_them(tmp_path):
    write_text(tmp_path / "plain.txt", "")
    (tmp_path / "by_hand.txt").touch()
    assert (tmp_path / "plain.txt").stat().st_mode == (tmp_path / "by_hand.txt").stat().st_mode
    (tmp_path / "plain.txt").chmod(0o600)
    write_text(tmp_path / "plain.txt", "x")
    assert (tmp_path / "plain.txt").stat().st_mode & 0o777 == 0o600
