"""The page scripts: fetched once, verified, unpacked where the book looks, and not needed for a build."""

import base64
import hashlib
import io
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_tools"))

import vendor  # noqa: E402


def archive(path: Path, files: dict[str, bytes]) -> Path:
    """An archive as npm makes it."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A package that can be fetched without a network; `calls` counts how often it was."""

    class Registry:
        def __init__(self) -> None:
            files = {"es5/a.js": b"a", "es5/fonts/b.woff": b"b", "es5/c.map": b"c", "README.md": b"r"}
            self.archive: Path | None = archive(tmp_path / "one.tgz", files)
            digest = hashlib.sha512(self.archive.read_bytes()).digest()
            sha512 = base64.b64encode(digest).decode()
            self.packages = (vendor.Package("one", "one@1.0.0", sha512, ("es5/a.js", "es5/fonts/*")),)
            self.target = tmp_path / "build" / "vendor" / "third-party"
            self.calls = 0

        def pack(self, spec: str, folder: Path) -> Path | None:
            self.calls += 1
            return self.archive

        def vendor(self) -> str:
            return vendor.vendor(self.target, self.packages)

    made = Registry()
    monkeypatch.setattr(vendor, "npm_pack", made.pack)
    return made


def test_wanted_files_are_unpacked_without_their_top_folder(registry):
    assert registry.vendor() == "fetched"
    files = {path.relative_to(registry.target).as_posix() for path in registry.target.rglob("*") if path.is_file()}
    assert files == {"one/a.js", "one/fonts/b.woff", "versions.txt"}
    assert (registry.target / "one" / "a.js").read_bytes() == b"a"


def test_a_second_run_fetches_nothing(registry):
    registry.vendor()
    assert registry.vendor() == "fresh"
    assert registry.calls == 1


def test_another_pin_replaces_what_is_there(registry):
    registry.vendor()
    registry.packages = (registry.packages[0]._replace(keep=("es5/c.map",)),)
    assert registry.vendor() == "fetched"
    assert (registry.target / "one" / "c.map").exists() and not (registry.target / "one" / "a.js").exists()


def test_an_altered_archive_is_refused_and_nothing_is_left(registry):
    content = bytearray(registry.archive.read_bytes())
    content[-1] ^= 1
    registry.archive.write_bytes(content)
    with pytest.raises(vendor.VendorError, match=r"one@1\.0\.0: the downloaded archive has sha512 .*, expected"):
        registry.vendor()
    assert not registry.target.exists()


def test_an_altered_archive_leaves_the_good_files_of_before(registry):
    registry.vendor()
    registry.packages = (registry.packages[0]._replace(sha512="another"),)
    with pytest.raises(vendor.VendorError):
        registry.vendor()
    assert (registry.target / "one" / "a.js").exists()


def test_an_archive_may_not_write_outside_its_folder(registry, tmp_path: Path):
    bad = archive(tmp_path / "bad.tgz", {"es5/../../../../out.js": b"x"})
    sha512 = base64.b64encode(hashlib.sha512(bad.read_bytes()).digest()).decode()
    registry.archive, registry.packages = bad, (registry.packages[0]._replace(sha512=sha512, keep=("es5/*",)),)
    with pytest.raises(vendor.VendorError, match="leads outside"):
        registry.vendor()
    assert not list(tmp_path.rglob("out.js"))


def test_a_package_without_the_wanted_files_is_named(registry):
    registry.packages = (registry.packages[0]._replace(keep=("dist/*",)),)
    with pytest.raises(vendor.VendorError, match=r"none of dist/\* is in the archive"):
        registry.vendor()


def test_without_a_network_the_book_is_built_anyway(registry, monkeypatch, capsys):
    registry.archive = None
    monkeypatch.setattr(vendor, "TARGET", registry.target)
    monkeypatch.setattr(vendor, "vendor", lambda: "offline")
    assert vendor.main() == 0
    warning = capsys.readouterr().err
    assert "WARNING" in warning and "internet" in warning and "Run this again" in warning
    monkeypatch.undo()
    assert not registry.target.exists()


def test_errors_are_one_line_and_an_exit_code(monkeypatch, capsys):
    def fail():
        raise vendor.VendorError("the message")

    monkeypatch.setattr(vendor, "vendor", fail)
    assert vendor.main() == 1
    assert capsys.readouterr().err == "vendor.py: the message\n"


def test_npm_that_cannot_fetch_gives_none(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    folder = tmp_path / "downloads"
    folder.mkdir()
    assert vendor.npm_pack("requirejs@2.3.7", folder, retries=0) is None


def test_no_address_of_a_registry_stands_in_the_tool():
    text = (ROOT / "book" / "_tools" / "vendor.py").read_text(encoding="utf-8")
    assert "http" not in text
