"""pcltut.files: files written in one step, checksums, one process a folder, the package's own files."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from pcltut import files
from pcltut.files import (
    FileError,
    atomic_path,
    exclusive,
    load_tensors,
    results_folder,
    save_tensors,
    sha256_of_tensors,
    writable_path,
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


def test_threads_may_write_at_once_and_the_umask_stays(tmp_path):
    before = os.umask(0o027)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda i: write_text(tmp_path / f"{i % 3}.txt", "x" * 1000), range(200)))
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert names(tmp_path) == ["0.txt", "1.txt", "2.txt"]


# -- paths ---------------------------------------------------------------------------------------------------------


def test_the_tilde_is_the_home_folder(tmp_path, monkeypatch):
    home = tmp_path / "home"
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("USERPROFILE" if sys.platform == "win32" else "HOME", str(home))
    write_text("~/a/text.txt", "x")
    save_tensors("~/a/t.safetensors", {"t": torch.ones(2)}, {})
    assert load_tensors("~/a/t.safetensors")[0]["t"].tolist() == [1, 1]
    with exclusive("~/b"):
        pass
    assert names(home) == ["a", "b"] and names(home / "a") == ["t.safetensors", "text.txt"]
    assert names(tmp_path / "here") == []
    with pytest.raises(FileError, match="home folder is not known") as error:
        write_text("~nobody-of-this-name/x.txt", "x")
    one_line(error)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("kind", ["absolute", "relative", "of a link", "to nothing yet"])
def test_a_symbolic_link_is_written_through_and_stays(kind, tmp_path):
    real, link = tmp_path / "disk" / "real.txt", tmp_path / "run" / "link.txt"
    for path in (real, link):
        path.parent.mkdir()
    if kind != "to nothing yet":
        real.write_text("old")
    if kind == "of a link":
        (tmp_path / "run" / "between").symlink_to(real)
    to = {"relative": "../disk/real.txt", "of a link": "between"}.get(kind, real)
    link.symlink_to(to)
    write_text(link, "new")
    assert link.is_symlink() and os.readlink(link) == str(to)
    assert real.read_text() == "new" and not real.is_symlink() and names(real.parent) == ["real.txt"]
    save_tensors(link, {"t": torch.ones(2)}, {})
    assert load_tensors(real)[0]["t"].tolist() == [1, 1] and link.is_symlink()


@pytest.mark.parametrize("write", [write_text, lambda path, _: save_tensors(path, {"t": torch.ones(2)}, {})])
def test_a_target_that_cannot_be_a_file_is_refused_in_one_line(write, tmp_path):
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    (tmp_path / "file").write_text("kept")
    for path in (tmp_path / "folder", tmp_path / "file" / "below", tmp_path / "file" / "far" / "below"):
        with pytest.raises(FileError) as error:
            write(path, "x")
        assert str(path) in one_line(error)
        with pytest.raises(FileError):
            writable_path(path)
    if os.path.exists(os.devnull) and sys.platform != "win32":
        with pytest.raises(FileError, match="a folder or a device"):  # root could replace it
            write(os.devnull, "x")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(FileError, match="expected a folder") as error, exclusive(folder):
            pass
        one_line(error)
    assert (tmp_path / "file").read_text() == "kept" and names(tmp_path) == ["file", "folder"]


def test_a_folder_without_rights_is_named_in_one_line(tmp_path, monkeypatch):
    def refuse(self, *arguments, **keywords):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(FileError, match=r"Permission denied\); .*choose another path") as error:
        write_text(tmp_path / "x.txt", "x")
    assert str(tmp_path / "x.txt") in one_line(error)
    monkeypatch.setattr(Path, "mkdir", refuse)
    for make in (write_text, lambda path, _: exclusive(path).__enter__()):
        with pytest.raises(FileError, match=r"Permission denied\)") as error:
            make(tmp_path / "new" / "x.txt", "x")
        one_line(error)


# -- several processes ---------------------------------------------------------------------------------------------


WRITE_OFTEN = """
import sys
from pcltut.files import write_text
print("ready", flush=True)
sys.stdin.readline()
for _ in range(100):
    write_text(sys.argv[1], sys.argv[2] * 5000)
"""


def test_two_processes_may_write_one_path_at_once(tmp_path):
    path, pipes = tmp_path / "file.txt", {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    commands = [[sys.executable, "-c", WRITE_OFTEN, str(path), letter] for letter in "ab"]
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(subprocess.Popen(command, cwd=ROOT, **pipes)) for command in commands]
        assert [process.stdout.readline() for process in processes] == [b"ready\n"] * 2
        for process in processes:
            process.stdin.write(b"go\n")
            process.stdin.flush()
        assert [process.wait() for process in processes] == [0, 0]
    assert path.read_text() in ("a" * 5000, "b" * 5000) and names(tmp_path) == ["file.txt"]


KILLED = """
import os, signal, sys
from pcltut.files import atomic_path, partial_folder
with partial_folder(sys.argv[1]) as folder, atomic_path(sys.argv[1] + "/file.txt") as part:
    (folder / "inside").write_text("half")
    part.write_text("half")
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
"""


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path):
    run = [sys.executable, "-c", KILLED, str(tmp_path)]
    assert subprocess.run(run, cwd=ROOT, check=False).returncode != 0
    assert len(names(tmp_path)) == 2 and all(name.startswith(".partial-") for name in names(tmp_path))
    with atomic_path(tmp_path / "living.txt") as living:
        living.write_text("half")
        earlier = living.with_name(living.name[:-12] + "01234567.txt")  # this process's number in another life
        earlier.write_text("half")
        write_text(tmp_path / "file.txt", "x")
        assert names(tmp_path) == [living.name, "file.txt"]
    elsewhere = tmp_path / ".partial-another_machine-1-0123abcd.txt"
    elsewhere.write_text("of a process that nobody here can see")
    write_text(tmp_path / "file.txt", "x")
    assert elsewhere.exists()
    long_ago = time.time() - 100_000
    os.utime(elsewhere, (long_ago, long_ago))
    write_text(tmp_path / "file.txt", "x")
    assert names(tmp_path) == ["file.txt", "living.txt"]


HOLD = """
import sys, time
from pcltut.files import exclusive
with exclusive(sys.argv[1]):
    print("held", flush=True)
    time.sleep(100)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no file locks")
def test_one_process_a_folder_until_it_ends_however_it_ends(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(FileError, match="another process is running") as error, exclusive(tmp_path):
            pass
        assert str(tmp_path) in one_line(error)
        holder.kill()
    with exclusive(tmp_path):
        assert names(tmp_path) == []
        with pytest.raises(FileError), exclusive(tmp_path):  # this process too
            pass


def test_a_file_system_without_locks_stops_nobody(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def missing(handle, operation):
        raise OSError(9, "Bad file descriptor")  # a folder on NFS

    monkeypatch.setattr(fcntl, "flock", missing)
    with exclusive(tmp_path):
        pass


# -- checksums and tensors -----------------------------------------------------------------------------------------


def tensors() -> dict[str, torch.Tensor]:
    weight = torch.arange(6.0).reshape(2, 3)
    return {
        "weight": weight,
        "tied": weight,
        "part": weight[1],
        "turned": weight.T,
        "count": torch.tensor(7),
        "flag": torch.tensor([True, False]),
        "half": torch.ones(3, dtype=torch.bfloat16),
        "none": torch.empty(0, 4),
    }


def test_tensors_come_back_as_they_were_whether_they_share_memory_or_not(tmp_path):
    path = tmp_path / "t.safetensors"
    save_tensors(path, tensors(), {"name": "x\ny"})
    found, metadata = load_tensors(path)
    assert metadata == {"name": "x\ny"} and found.keys() == tensors().keys()
    for name, tensor in tensors().items():
        assert torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype, name


@pytest.mark.parametrize("position", [3, 40, -5, -1])
def test_altered_truncated_and_missing_files_are_refused(position, tmp_path):
    path = tmp_path / "t.safetensors"
    with pytest.raises(FileError, match="got no file at"):
        load_tensors(path)
    save_tensors(path, tensors(), {"name": "x"})
    content = path.read_bytes()
    altered = bytearray(content)
    altered[position] ^= 1
    for damaged in (altered, content[:position], b""):
        path.write_bytes(damaged)
        with pytest.raises(FileError, match=r"t\.safetensors") as error:
            load_tensors(path)
        one_line(error)


def test_the_checksum_sees_every_part():
    metadata = {"a": "1"}
    digests = {
        sha256_of_tensors({"x": torch.zeros(4)}, metadata),
        sha256_of_tensors({"y": torch.zeros(4)}, metadata),
        sha256_of_tensors({"x": torch.zeros(2, 2)}, metadata),
        sha256_of_tensors({"x": torch.zeros(4, dtype=torch.int32)}, metadata),
        sha256_of_tensors({"x": torch.tensor([0.0, 0.0, -0.0, 0.0])}, metadata),
        sha256_of_tensors({"x": torch.zeros(4)}, {"a": "2"}),
        sha256_of_tensors({"x": torch.zeros(4)}, {}),
    }
    assert len(digests) == 7
    assert sha256_of_tensors({"x": torch.zeros(4)}, {"a": "1"}) in digests


# -- the package's own files ---------------------------------------------------------------------------------------


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=x", "-c", "user.email=x@example.org", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit_seen_from(folder: Path, monkeypatch, environment: str | None = None) -> str:
    """What a process would say whose package lies in `folder`, with a commit in its environment or without one."""
    with monkeypatch.context() as patch:
        patch.setattr(files, "PACKAGE", folder / "pcltut")
        patch.delenv("PCLTUT_COMMIT", raising=False)
        if environment:
            patch.setenv("PCLTUT_COMMIT", environment)
        files.package_commit.cache_clear()
        try:
            return files.package_commit()
        finally:
            files.package_commit.cache_clear()


@pytest.fixture
def copy(tmp_path) -> Path:
    """A folder with a copy of what of the package `package_commit` needs."""
    folder = tmp_path / "project"
    (folder / "pcltut").mkdir(parents=True)
    for name in ("__init__.py", "files.py"):
        shutil.copy(ROOT / "pcltut" / name, folder / "pcltut")
    return folder


def test_the_commit_of_another_project_around_the_package_is_not_ours(copy, monkeypatch):
    assert commit_seen_from(copy, monkeypatch) == "unknown"  # no git at all
    assert commit_seen_from(copy, monkeypatch, "abc") == "abc"
    git(copy, "init", "-q")
    (copy / "mine.txt").touch()
    git(copy, "add", "mine.txt")
    git(copy, "commit", "-q", "-m", "mine")
    assert commit_seen_from(copy, monkeypatch) == "unknown"
    assert commit_seen_from(copy, monkeypatch, "abc") == "abc"
    git(copy, "add", ".")  # as a part of that project
    git(copy, "commit", "-q", "-m", "with a copy of the package")
    assert commit_seen_from(copy, monkeypatch) == "unknown"


def test_the_commit_of_the_packages_own_repository_and_whether_it_changed(copy, monkeypatch):
    (copy / "book").mkdir()
    (copy / "book" / "index.md").touch()
    git(copy, "init", "-q")
    git(copy, "add", "pcltut/*.py", "book")
    git(copy, "commit", "-q", "-m", "ours")
    (copy / ".gitignore").write_text("__pycache__\n")  # beside the package: not a change of it
    commit = git(copy, "rev-parse", "--short=10", "HEAD")
    assert commit_seen_from(copy, monkeypatch, "abc") == commit
    with (copy / "pcltut" / "files.py").open("a") as file:
        file.write("# changed\n")
    assert commit_seen_from(copy, monkeypatch) == commit + "+"
    installed = copy / ".venv" / "site-packages"  # a wheel in an environment inside the repository is not its files
    shutil.copytree(copy / "pcltut", installed / "pcltut")
    assert commit_seen_from(installed, monkeypatch) == "unknown"


def test_results_are_the_repositorys(monkeypatch, tmp_path):
    assert results_folder() == ROOT / "book" / "results"
    monkeypatch.chdir(tmp_path)
    assert results_folder() == ROOT / "book" / "results"


SAVED_BEYOND_A_LIMIT = """
import resource, signal, sys, torch
from pcltut.files import save_tensors
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it; like this it kills at the first byte too many
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
save_tensors(sys.argv[1], {"weight": torch.zeros(10_000)}, {})
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of processes")
def test_a_process_killed_in_the_middle_of_tensors_leaves_only_what_the_next_one_removes(tmp_path: Path):
    path = tmp_path / "weights.safetensors"
    done = subprocess.run([sys.executable, "-c", SAVED_BEYOND_A_LIMIT, str(path)], cwd=ROOT, capture_output=True)
    assert done.returncode == -signal.SIGXFSZ, done.stderr
    left = names(tmp_path)
    assert left and all(name.startswith(".partial-") for name in left)
    save_tensors(path, {"weight": torch.zeros(3)}, {})
    assert names(tmp_path) == [path.name]
