"""Fetch a data set through torchvision, so that a broken download leaves everything as it was."""

import contextlib
import errno
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from pcltut.data.images import DataError
from pcltut.data.sources import Source
from pcltut.data.torchvision_compat import import_torchvision
from pcltut.files import FileError, partial_folder

_ARCHIVES = (".tar.gz", ".zip")  # their content is unpacked, so they need not stay (IDX files are .gz)


def download(source: Source, root: Path) -> None:
    """Download into a new folder inside ``root``, check, and only then move file by file to the final places.

    torchvision compares each downloaded file with its list of MD5 sums. A file that is already there is
    replaced at the end, in one step, by a complete one, or not at all.
    """
    try:
        with partial_folder(root) as folder:
            with _timeout(60.0):
                _fetch(source, folder)
            _move_files(folder, root)
    except FileError as error:
        raise DataError(
            f"{source.name}: not found, and its place cannot be used ({error.problem})",
            "let PCLTUT_DATA name a folder that can be written",
        ) from error
    except Exception as error:  # torchvision and what it calls raise a dozen unrelated classes here
        reason = " ".join(f"{error}".split()) or type(error).__name__
        raise DataError(
            f"{source.name}: not found in {root} and the download failed ({reason})",
            f"connect to the network and run `python -m pcltut data get {source.name}`, or copy "
            f"{_listing(source)} to {root}, or use 'fashion-mnist-mini', which needs no download",
        ) from error


def _fetch(source: Source, folder: Path) -> None:
    cls = getattr(import_torchvision().datasets, source.torchvision_class)
    if source.name in ("svhn", "celeba64"):
        for split in ("train", "test") if source.name == "svhn" else ("train",):
            cls(folder, split=split, download=True)
    else:
        cls(folder, download=True)


def _move_files(folder: Path, root: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(_ARCHIVES)]
    for path in sorted(files, key=lambda path: (-len(path.parts), path)):  # single images before the lists of them
        target = root / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        _move(path, Path(os.path.realpath(target)))


def _move(path: Path, target: Path) -> None:
    try:
        os.replace(path, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = target.with_name(f".{target.name}.partial")  # a link leads to another disk
        shutil.copyfile(path, beside)
        os.replace(beside, target)


def _listing(source: Source) -> str:
    return f"{source.files[0]} and {len(source.files) - 1} more" if len(source.files) > 1 else source.files[0]


@contextlib.contextmanager
def _timeout(seconds: float) -> Iterator[None]:
    """A server that does not answer ends in an error, not in a wait without end."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
