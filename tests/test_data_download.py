"""Downloads, from a server on this machine: complete or not at all."""

import errno
import gc
import http.server
import io
import os
import shutil
import sys
import tarfile
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from image_sets import expected, make_celeba64, make_cifar10, make_idx, make_svhn, md5_of, use_small_sets

from pcltut import data
from pcltut.data.torchvision_compat import import_torchvision

# torchvision keeps an answer 404 open until it is collected
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def small_sets(monkeypatch, tmp_path):
    use_small_sets(monkeypatch, tmp_path)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def server(tmp_path):
    """A small web server; ``cut`` names files of which it sends half, while announcing all."""
    folder = tmp_path / "www"
    folder.mkdir()

    cut = set()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.reply(body=True)

        def do_HEAD(self):
            self.reply(body=False)

        def reply(self, body: bool):
            name = self.path.lstrip("/")
            if not (folder / name).is_file():
                self.send_error(404)
                return
            content = (folder / name).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content[: len(content) // 2] if name in cut else content)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}/", folder, cut
        httpd.shutdown()
        thread.join()
    gc.collect()  # an answer 404 that torchvision keeps is closed here, under the filter above


def serve_mnist(server, tmp_path, rng, monkeypatch) -> dict:
    url, www, _ = server
    cls = import_torchvision().datasets.MNIST
    parts = make_idx(www, rng, monkeypatch, "mnist")
    monkeypatch.setattr(cls, "mirrors", [url])
    monkeypatch.setattr(cls, "resources", [(file.name, md5_of(file)) for file in sorted(www.glob("*.gz"))])
    return parts


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()} if folder.exists() else set()


def test_mnist_is_downloaded_on_first_use_and_not_again(server, tmp_path, rng, monkeypatch):
    parts = serve_mnist(server, tmp_path, rng, monkeypatch)
    root = tmp_path / "new" / "data"
    assert torch.equal(data.load("mnist", "train", root).labels, expected(parts, "train")[1])
    assert [p.name for p in root.iterdir()] == ["MNIST"]  # no temporary folder stays
    shutil.rmtree(tmp_path / "www")
    assert torch.equal(data.load("mnist", "test", root).labels, expected(parts, "test")[1])


@pytest.mark.parametrize("trouble", ["missing", "cut", "altered"])
def test_a_failed_download_says_why_in_one_line_and_leaves_no_file(trouble, server, tmp_path, rng, monkeypatch):
    serve_mnist(server, tmp_path, rng, monkeypatch)
    victim = tmp_path / "www" / "t10k-images-idx3-ubyte.gz"
    if trouble == "missing":
        victim.unlink()
    elif trouble == "cut":
        server[2].add(victim.name)
    else:
        victim.write_bytes(victim.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match=r"mnist: not found in .* and the download failed \(.*data get mnist") as error:
        data.load("mnist", "train", tmp_path / "data")
    assert "\n" not in str(error.value) and "fashion-mnist-mini" in str(error.value)
    assert names(tmp_path / "data") == set()


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_fetched(server, tmp_path, rng, monkeypatch):
    serve_mnist(server, tmp_path, rng, monkeypatch)
    monkeypatch.setattr("pcltut.data.download._fetch", None)  # would fail with another message
    (tmp_path / "file").write_text("in the place of the folder")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ValueError, match=r"its place cannot be used .*PCLTUT_DATA") as error:
            data.load("mnist", "train", root)
        assert str(root) in str(error.value) and "\n" not in str(error.value)

    def refuse(self, *arguments, **keywords):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ValueError, match=r"Permission denied\)\); let PCLTUT_DATA name"):
        data.load("mnist", "train", tmp_path / "data")


def test_a_set_may_lie_on_another_disk(server, tmp_path, rng, monkeypatch):
    parts = serve_mnist(server, tmp_path, rng, monkeypatch)
    replace = os.replace

    def within_a_folder(source, target):
        if Path(source).parent != Path(target).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        replace(source, target)

    monkeypatch.setattr(os, "replace", within_a_folder)
    root = tmp_path / "data"
    assert torch.equal(data.load("mnist", "test", root).labels, expected(parts, "test")[1])
    assert not [path for path in root.rglob("*") if path.name.startswith(".")]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_downloaded_file_is_written_through_a_link(server, tmp_path, rng, monkeypatch):
    serve_mnist(server, tmp_path, rng, monkeypatch)
    root, real = tmp_path / "data", tmp_path / "real.gz"
    link = root / "MNIST" / "raw" / "t10k-images-idx3-ubyte.gz"
    link.parent.mkdir(parents=True)
    link.symlink_to(real)
    data.load("mnist", "test", root)
    assert link.is_symlink() and real.read_bytes() == (tmp_path / "www" / link.name).read_bytes()


@pytest.mark.parametrize("arrives", [True, False])
def test_get_replaces_a_damaged_file_only_by_a_complete_one(arrives, server, tmp_path, rng, monkeypatch):
    serve_mnist(server, tmp_path, rng, monkeypatch)
    root = tmp_path / "data"
    data.get("mnist", root)
    good, bad = (root / "MNIST" / "raw" / f"{prefix}-images-idx3-ubyte.gz" for prefix in ("train", "t10k"))
    before = good.read_bytes(), bad.read_bytes()
    bad.write_bytes(b"damaged")
    with pytest.raises(ValueError, match="not a complete gzip file"):
        data.load("mnist", "test", root)  # a damaged file is reported, not silently fetched again
    if arrives:
        data.get("mnist", root)
        assert (good.read_bytes(), bad.read_bytes()) == before
    else:
        server[2].add(good.name)
        with pytest.raises(ValueError, match="download failed"):
            data.get("mnist", root)
        assert (good.read_bytes(), bad.read_bytes()) == (before[0], b"damaged")


def test_cifar10_and_svhn_are_downloaded_through_torchvision(server, tmp_path, rng, monkeypatch):
    url, www, _ = server
    datasets = import_torchvision().datasets
    made = tmp_path / "made"
    parts = make_cifar10(made, rng, monkeypatch)
    with tarfile.open(www / "cifar-10-python.tar.gz", "w:gz") as archive:
        archive.add(made / "cifar-10-batches-py", "cifar-10-batches-py")
    monkeypatch.setattr(datasets.CIFAR10, "url", f"{url}cifar-10-python.tar.gz")
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", md5_of(www / "cifar-10-python.tar.gz"))
    assert torch.equal(data.load("cifar10", "test", tmp_path / "data").labels, expected(parts, "test")[1])

    parts = make_svhn(www, rng, monkeypatch)
    lists = {part: [url + name, name, md5] for part, (_, name, md5) in datasets.SVHN.split_list.items()}
    monkeypatch.setattr(datasets.SVHN, "split_list", lists)
    assert torch.equal(data.load("svhn", "test", tmp_path / "data").labels, expected(parts, "test")[1])
    entries = sorted(p.name for p in (tmp_path / "data").iterdir())
    assert entries == ["cifar-10-batches-py", "test_32x32.mat", "train_32x32.mat"]


def test_celeba_is_unpacked_and_the_archive_not_kept(tmp_path, rng, monkeypatch):
    parts = make_celeba64(tmp_path / "made", rng, monkeypatch)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for image in (tmp_path / "made" / "celeba" / "img_align_celeba").iterdir():
            archive.write(image, f"img_align_celeba/{image.name}")

    def fetch(file_id: str, folder: str, name: str, md5: str) -> None:
        content = packed.getvalue() if name.endswith(".zip") else (tmp_path / "made/celeba" / name).read_bytes()
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / name).write_bytes(content)

    monkeypatch.setattr(import_torchvision().datasets.celeba, "download_file_from_google_drive", fetch)
    assert torch.equal(data.load("celeba64", "train", tmp_path / "data").labels, expected(parts, "train")[1])
    assert "img_align_celeba.zip" not in names(tmp_path / "data")


def test_a_server_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(import_torchvision().datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(ValueError, match=r"download failed \(Error downloading.*refused") as error:
        data.load("mnist", "train", tmp_path / "data")
    assert "\n" not in str(error.value) and "connect to the network" in str(error.value)
