"""The page scripts: fetched once, verified by npm, put where the book looks, and not needed for a build."""

import base64
import functools
import hashlib
import http.server
import io
import json
import sys
import tarfile
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_tools"))

import vendor  # noqa: E402

FILES = {"es5/a.js": "a", "es5/fonts/b.woff": "b", "es5/c.map": "c", "README.md": "r", "LICENSE": "l"}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A package that is installed without a network; `calls` counts how often it was."""

    class Installed:
        def __init__(self) -> None:
            self.packages = (vendor.Package("one", "@some/one", "es5", ("a.js", "fonts/*")),)
            self.target = tmp_path / "build" / "vendor" / "third-party"
            self.lock = (tmp_path / "package-lock.json",)
            self.lock[0].write_text("1.0.0")
            self.calls, self.reachable = 0, True

        def npm_ci(self, folder: Path) -> bool:
            assert (folder / "package-lock.json").read_text() == self.lock[0].read_text()
            self.calls += 1
            for name, content in FILES.items():
                path = folder / "node_modules" / "@some" / "one" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content)
            return self.reachable

        def vendor(self) -> str:
            return vendor.vendor(self.target, self.packages, self.lock)

        def found(self) -> set[str]:
            paths = self.target.rglob("*")
            return {path.relative_to(self.target).as_posix() for path in paths if path.is_file()}

    made = Installed()
    monkeypatch.setattr(vendor, "npm_ci", made.npm_ci)
    return made


def test_wanted_files_are_copied_without_their_top_folder(installed):
    assert installed.vendor() == "fetched"
    assert installed.found() == {"one/a.js", "one/fonts/b.woff", "one/LICENSE", "versions.txt"}
    assert (installed.target / "one" / "a.js").read_text() == "a"
    assert not [path for path in installed.target.parents[1].iterdir() if path.name != "vendor"]


def test_a_second_run_fetches_nothing(installed):
    installed.vendor()
    assert installed.vendor() == "fresh"
    assert installed.calls == 1


def test_another_choice_or_another_lock_replaces_what_is_there(installed):
    installed.vendor()
    installed.packages = (installed.packages[0]._replace(keep=("c.map",)),)
    assert installed.vendor() == "fetched"
    assert installed.found() == {"one/c.map", "one/LICENSE", "versions.txt"}
    installed.lock[0].write_text("1.0.1")
    assert installed.vendor() == "fetched" and installed.calls == 3


def test_a_package_without_the_wanted_files_is_named_and_leaves_what_was_there(installed):
    installed.vendor()
    before = installed.found()
    installed.packages = (installed.packages[0]._replace(keep=("dist/*",)),)
    with pytest.raises(vendor.VendorError, match=r"@some/one: none of dist/\* is in es5"):
        installed.vendor()
    assert installed.found() == before


def test_without_a_network_nothing_is_put_in_place(installed):
    installed.reachable = False
    assert installed.vendor() == "offline"
    assert not installed.target.exists()


def test_without_a_network_the_book_is_built_anyway(monkeypatch, capsys):
    monkeypatch.setattr(vendor, "vendor", lambda: "offline")
    assert vendor.main() == 0
    warning = capsys.readouterr().err
    assert "WARNING" in warning and "internet" in warning and "Run this again" in warning


def test_errors_are_one_line_and_an_exit_code(monkeypatch, capsys):
    def fail():
        raise vendor.VendorError("the message")

    monkeypatch.setattr(vendor, "vendor", fail)
    assert vendor.main() == 1
    assert capsys.readouterr().err == "vendor.py: the message\n"


# -- with npm itself -----------------------------------------------------------------------------------------------


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A registry on this machine with the package `one`, and a folder with its lockfile; both can be changed."""
    www, folder = tmp_path / "www", tmp_path / "folder"
    www.mkdir()
    folder.mkdir()
    with tarfile.open(www / "one.tgz", "w:gz") as archive:
        for name, content in {"package.json": json.dumps({"name": "one", "version": "1.0.0"}), "a.js": "a"}.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content.encode()))
    digest = base64.b64encode(hashlib.sha512((www / "one.tgz").read_bytes()).digest()).decode()
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *arguments: None})
    handler = functools.partial(quiet, directory=str(www))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        dist = {"tarball": f"{address}one.tgz"}
        versions = {number: {"name": "one", "version": number, "dist": dist} for number in ("1.0.0", "1.0.1")}
        (www / "one").write_text(json.dumps({"name": "one", "versions": versions}))
        needs = {"name": "x", "dependencies": {"one": "1.0.0"}}
        (folder / "package.json").write_text(json.dumps(needs))
        packages = {"": needs, "node_modules/one": {"version": "1.0.0", "integrity": f"sha512-{digest}"}}
        lock = {"name": "x", "lockfileVersion": 3, "requires": True, "packages": packages}
        (folder / "package-lock.json").write_text(json.dumps(lock))
        monkeypatch.setenv("npm_config_registry", address)
        monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield www, folder
        server.shutdown()


def test_npm_installs_what_the_lockfile_names(registry):
    _, folder = registry
    assert vendor.npm_ci(folder, retries=0)
    assert (folder / "node_modules" / "one" / "a.js").read_text() == "a"


@pytest.mark.parametrize("whole", [True, False])
def test_an_altered_archive_is_refused(whole, registry):
    www, folder = registry
    content = bytearray((www / "one.tgz").read_bytes())
    content[4 if whole else -1] ^= 1  # the time in the header of the compressed file, or its length
    (www / "one.tgz").write_bytes(content)
    with pytest.raises(vendor.VendorError, match="was altered on the way") as error:
        vendor.npm_ci(folder, retries=0)
    assert "\n" not in str(error.value)
    assert not (folder / "node_modules" / "one").exists()


@pytest.mark.parametrize("version", ["1.0.1", "1.0.2"], ids=["there", "not-there"])
def test_a_lockfile_that_does_not_agree_is_an_error(version, registry):
    _, folder = registry
    (folder / "package.json").write_text(json.dumps({"name": "x", "dependencies": {"one": version}}))
    with pytest.raises(vendor.VendorError, match="do not agree"):
        vendor.npm_ci(folder, retries=0)


def test_npm_that_cannot_fetch_says_so(registry, monkeypatch, capsys):
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    assert not vendor.npm_ci(registry[1], retries=0)
    assert capsys.readouterr().err


def test_the_lockfile_pins_what_is_wanted_with_checksums_and_no_address():
    needed, lock = (json.loads(path.read_text(encoding="utf-8")) for path in vendor.LOCK)
    assert set(needed["dependencies"]) == {package.name for package in vendor.PACKAGES}
    pinned = {key: entry for key, entry in lock["packages"].items() if key}
    assert {key.removeprefix("node_modules/"): entry["version"] for key, entry in pinned.items()} == (
        needed["dependencies"]
    )
    assert all(entry["integrity"].startswith("sha512-") for entry in pinned.values())
    assert not [path for path in (*vendor.LOCK, Path(vendor.__file__)) if "http" in path.read_text(encoding="utf-8")]
