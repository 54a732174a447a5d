"""Files that are there in full or not at all, with checksums; one process a folder; the package's own files."""

import contextlib
import functools
import hashlib
import os
import platform
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

PACKAGE = Path(__file__).resolve().parent
CHECKSUM = "sha256"
_HOST = re.sub(r"\W", "", platform.node())
_PARTIAL = re.compile(r"\.partial-(\w*)-(\d+)-[0-9a-f]{8}(\.|$)")
_DAY = 86_400.0  # seconds
_own: set[str] = set()  # names of the partial files that this process is writing


class FileError(OSError, ValueError):
    """A file that cannot be read or written, or was altered; one line, remedy included."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(f"{problem}; {remedy}" if remedy else problem)
        self.problem = problem


# -- paths and writing ---------------------------------------------------------------------------------------------


def expanded(path: str | os.PathLike) -> Path:
    """The path with `~` and `~name` replaced by the home folder."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise FileError(f"got {path}, whose home folder is not known", "write the folder in full") from error


def writable_path(path: str | os.PathLike) -> Path:
    """Where a file with this name is written: `~` expanded, a symbolic link followed to what it names.

    Raises:
        FileError: a folder or a device lies there, or a file where a folder is needed.
    """
    path = Path(os.path.realpath(expanded(path)))
    if os.path.exists(path) and not os.path.isfile(path):
        raise FileError(f"got {path}, which is a folder or a device, expected a file", "choose another path")
    if blocking := [folder for folder in path.parents if os.path.isfile(folder)]:
        raise FileError(f"got {path}, but {blocking[0]} is a file, expected a folder", "choose another path")
    return path


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """A name to write to; when the block ends without an error the file moves to `path` in one step.

    A reader sees the old file or the new one, never a part, and an error leaves the old one as it was. Each call has a
    name of its own beside the target, so that two processes may write one path: the last one wins. What killed
    processes left there is removed. Folders are made if needed; a symbolic link stays, and the file it names is
    replaced.
    """
    path = writable_path(path)
    partial = _partial(path.parent, path.suffix)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path.parent)
        partial.open("xb").close()
        mode = (path if path.exists() else partial).stat().st_mode
        yield partial
        with open(partial, "rb+") as written:
            os.fsync(written.fileno())
        os.chmod(partial, mode)
        os.replace(partial, path)
    except FileError:
        raise
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        _own.discard(partial.name)


@contextlib.contextmanager
def partial_folder(parent: str | os.PathLike) -> Iterator[Path]:
    """A new folder inside `parent`, removed at the end; what killed processes left there is removed too."""
    parent = made_folder(parent)
    folder = _partial(parent)
    try:
        _remove_leftovers(parent)
        folder.mkdir()
    except OSError as error:
        raise _unwritable(parent, error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _own.discard(folder.name)


def made_folder(path: str | os.PathLike) -> Path:
    """The folder of that name, `~` expanded, made if needed.

    Raises:
        FileError: there is a file in its place, or it cannot be made.
    """
    path = expanded(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise FileError(f"got {path}, a file or below one, expected a folder", "choose another folder") from error
    except OSError as error:
        raise _unwritable(path, error) from error
    return path


def _partial(folder: Path, suffix: str = "") -> Path:
    name = f".partial-{_HOST}-{os.getpid()}-{secrets.token_hex(4)}{suffix}"
    _own.add(name)
    return folder / name


def _unwritable(path: Path, error: OSError) -> FileError:
    problem = f"got {path}, which cannot be written ({error.strerror or error})"
    return FileError(problem, "make room or give the rights there, or choose another path")


def _remove_leftovers(folder: Path) -> None:
    """Remove partial files and folders whose process is gone, as far as the system lets us."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if (match := _PARTIAL.match(path.name)) and _is_gone(path, match[1], int(match[2])):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _is_gone(path: Path, host: str, pid: int) -> bool:
    if host != _HOST:  # on a disk that several machines share
        return time.time() - path.stat().st_mtime > _DAY
    if pid == os.getpid():  # in a container each life may have the same number
        return path.name not in _own
    import psutil  # here, since its import takes a tenth of the package's

    return not psutil.pid_exists(pid)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a text file in one step, in UTF-8 with Unix line ends."""
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


# -- checksums and tensors -----------------------------------------------------------------------------------------


def verified_bytes(path: str | os.PathLike, sha256: str, remedy: str) -> bytes:
    """The content of a file whose SHA-256 is known.

    Raises:
        FileError: it cannot be read, or is another file; the message ends in `remedy`.
    """
    try:
        content = expanded(path).read_bytes()
    except OSError as error:
        raise FileError(f"got {path}, which cannot be read ({error.strerror})", remedy) from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise FileError(f"got {path}, which was altered or truncated ({len(content)} bytes)", remedy)
    return content


def sha256_of_tensors(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """SHA-256 of names, types, shapes and bits of contiguous tensors, and of text."""
    digest = hashlib.sha256(repr(sorted(metadata.items())).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def save_tensors(path: str | os.PathLike, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors and text to one safetensors file in one step; their SHA-256 goes into the metadata.

    No pickle: the file cannot run code when it is read. Tensors that share memory are written one by one.
    """
    found, seen = {}, set()
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        memory = tensor.untyped_storage().data_ptr()
        found[name] = tensor.clone() if memory in seen else tensor
        seen.add(memory)
    content = save(found, {**metadata, CHECKSUM: sha256_of_tensors(found, metadata)})
    with atomic_path(path) as partial:
        partial.write_bytes(content)  # safetensors' `save_file` has a partial file of its own, left by a kill for good


def load_tensors(path: str | os.PathLike) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors (on the CPU) and text that `save_tensors` wrote.

    Raises:
        FileError: the file is missing, truncated or altered.
    """
    path, remedy = expanded(path), "delete it and make it again"
    if not path.is_file():
        raise FileError(f"got no file at {path}, expected a safetensors file", "check the path")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError) as error:
        raise FileError(f"got an unreadable file {path} ({error})", remedy) from error
    if metadata.pop(CHECKSUM, None) != sha256_of_tensors(tensors, metadata):
        raise FileError(f"got an altered file {path}, its checksum does not match", remedy)
    return tensors, metadata


# -- one process a folder ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def exclusive(folder: str | os.PathLike) -> Iterator[None]:
    """Stop if another process holds this folder, which is made if needed; it ends with the process, however that ends.

    Where there are no file locks (Windows, some network file systems) nothing is held.
    """
    folder = made_folder(folder)
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FileError(
                f"got {folder}, where another process is running", "wait for it or choose another folder"
            ) from None
        except OSError:  # the file system has no locks on folders
            pass
        yield
    finally:
        os.close(handle)


# -- the package's own files ---------------------------------------------------------------------------------------


def results_folder() -> Path:
    """Where committed results lie: book/results of the repository, else the folder that comes with the package."""
    folder = PACKAGE.parent / "book" / "results"
    return folder if folder.is_dir() else PACKAGE / "results"


@functools.cache
def package_commit() -> str:
    """The commit of the package's own repository, "+" if the package has changed since.

    A package that was installed is in no repository, even where its folder lies inside one: then the environment
    variable PCLTUT_COMMIT, else "unknown". Looked up once, at the first call: what was imported then is what runs.
    """

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(PACKAGE), *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "--", "files.py", "../book/index.md")
        return git("rev-parse", "--short=10", "HEAD") + ("+" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get("PCLTUT_COMMIT", "unknown")
