"""The loaders of the whole data sets, on small files written in each set's own format; no network."""

import csv
import dataclasses
import gc
import gzip
import hashlib
import http.server
import io
import pickle
import shutil
import struct
import subprocess
import sys
import tarfile
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from PIL import Image

from pcltut import data
from pcltut.data import catalog, celeba, sources
from pcltut.data.idx import read_idx
from pcltut.data.torchvision_compat import import_torchvision

ROOT = Path(__file__).resolve().parents[1]
SIZES = {"train": 20, "validation": 5, "test": 6}
MAKERS = {}
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def small_sets(monkeypatch, tmp_path):
    """All sets have 20 + 5 + 6 images; no copy of the machine's own is seen, and nothing is downloaded."""
    for name, source in list(sources.SOURCES.items()):
        if name != "fashion-mnist-mini":
            monkeypatch.setitem(sources.SOURCES, name, dataclasses.replace(source, sizes=SIZES))
    monkeypatch.setattr(sources, "system_folders", lambda: (tmp_path / "system",))
    monkeypatch.delenv("PCLTUT_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def maker(function):
    MAKERS[function.__name__.removeprefix("make_").replace("fashion_mnist", "fashion-mnist")] = function
    return function


# -- each set's own format -------------------------------------------------------------------------------------


def idx_bytes(array: np.ndarray) -> bytes:
    header = struct.pack(f">BBBB{array.ndim}i", 0, 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes())


def make_idx(folder: Path, rng, monkeypatch, name: str) -> dict:
    folder.mkdir(parents=True, exist_ok=True)
    parts, sums = {}, []
    for part, prefix, n in (("train", "train", 25), ("test", "t10k", 6)):
        images, labels = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8), rng.integers(0, 10, n)
        parts[part] = images[:, None], labels
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            file = folder / f"{prefix}-{kind}-ubyte.gz"
            file.write_bytes(idx_bytes(array))
            stored = file.read_bytes()
            md5, sha256 = hashlib.md5(stored).hexdigest(), hashlib.sha256(gzip.decompress(stored)).hexdigest()
            sums.append((file.name, md5 if name == "mnist" else sha256))
    source = dataclasses.replace(sources.SOURCES[name], sums=tuple(sums))
    monkeypatch.setitem(sources.SOURCES, name, source)
    return parts


@maker
def make_fashion_mnist(root: Path, rng, monkeypatch) -> dict:
    return make_idx(root / "FashionMNIST" / "raw", rng, monkeypatch, "fashion-mnist")


@maker
def make_mnist(root: Path, rng, monkeypatch) -> dict:
    return make_idx(root / "MNIST" / "raw", rng, monkeypatch, "mnist")


def md5_of(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


@maker
def make_cifar10(root: Path, rng, monkeypatch) -> dict:
    cls = import_torchvision().datasets.CIFAR10
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)

    def write(name: str, content: dict) -> list[str]:
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
        return [name, md5_of(folder / name)]

    def batch(n: int) -> dict:
        labels = rng.integers(0, 10, n).tolist()
        return {"data": rng.integers(0, 256, (n, 3072), dtype=np.uint8), "labels": labels}

    training, test = [batch(5) for _ in range(5)], batch(6)
    lists = [write(f"data_batch_{i + 1}", content) for i, content in enumerate(training)]
    monkeypatch.setattr(cls, "train_list", lists)
    monkeypatch.setattr(cls, "test_list", [write("test_batch", test)])
    name, md5 = write("batches.meta", {"label_names": [str(i) for i in range(10)]})
    monkeypatch.setattr(cls, "meta", {"filename": name, "key": "label_names", "md5": md5})
    joined = np.concatenate([b["data"] for b in training]), np.concatenate([b["labels"] for b in training])
    return {
        "train": (joined[0].reshape(-1, 3, 32, 32), joined[1]),
        "test": (test["data"].reshape(-1, 3, 32, 32), np.array(test["labels"])),
    }


@maker
def make_svhn(root: Path, rng, monkeypatch) -> dict:
    cls = import_torchvision().datasets.SVHN
    root.mkdir(parents=True, exist_ok=True)
    parts, lists = {}, {}
    for part, n in (("train", 25), ("test", 6)):
        images, labels = rng.integers(0, 256, (n, 3, 32, 32), dtype=np.uint8), rng.integers(0, 10, n)
        file = root / f"{part}_32x32.mat"
        scipy.io.savemat(file, {"X": images.transpose(2, 3, 1, 0), "y": np.where(labels == 0, 10, labels)[:, None]})
        parts[part] = images, labels
        lists[part] = [f"{cls.split_list[part][0]}", file.name, md5_of(file)]
    monkeypatch.setattr(cls, "split_list", lists)
    return parts


@maker
def make_celeba64(root: Path, rng, monkeypatch) -> dict:
    """JPEG files of one color each inside the central 140 x 140, another outside."""
    cls = import_torchvision().datasets.CelebA
    folder = root / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    parts = {split: (np.zeros((n, 3, 64, 64), np.uint8), np.zeros(n, np.int64)) for split, n in SIZES.items()}
    rows = {"eval_partition": [], "identity": [], "bbox": [], "landmarks": [], "attr": []}
    number = 0
    for code, (split, n) in enumerate(SIZES.items()):
        for i in range(n):
            number += 1
            name, color = f"{number:06d}.jpg", rng.integers(0, 256, 3)
            picture = np.zeros((218, 178, 3), np.uint8)
            picture[39:179, 19:159] = color
            Image.fromarray(picture).save(folder / "img_align_celeba" / name, quality=100, subsampling=0)
            parts[split][0][i] = color[:, None, None]
            parts[split][1][i] = 100 + number
            rows["eval_partition"].append([name, code])
            rows["identity"].append([name, 100 + number])
            rows["bbox"].append([name, 1, 2, 3, 4])
            rows["landmarks"].append([name, *range(10)])
            rows["attr"].append([name, *([1, -1] * 20)])
    headers = {"bbox": 4, "landmarks": 10, "attr": 40}
    files = {
        "eval_partition": "list_eval_partition.txt",
        "identity": "identity_CelebA.txt",
        "bbox": "list_bbox_celeba.txt",
        "landmarks": "list_landmarks_align_celeba.txt",
        "attr": "list_attr_celeba.txt",
    }
    for key, name in files.items():
        with open(folder / name, "w", newline="") as file:
            writer = csv.writer(file, delimiter=" ", lineterminator="\n")
            if key in headers:
                writer.writerow([number])
                writer.writerow([f"column{i}" for i in range(headers[key])])
            writer.writerows(rows[key])
    listed = [("id", md5_of(folder / name), name) for name in files.values()]
    monkeypatch.setattr(cls, "file_list", [("id", "0" * 32, "img_align_celeba.zip"), *listed])
    return parts


# -- loading ---------------------------------------------------------------------------------------------------


def expected(parts: dict, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    pixels, labels = parts["train" if split == "validation" and "validation" not in parts else split]
    if "validation" not in parts:
        cut = {"train": slice(0, 20), "validation": slice(20, 25), "test": slice(None)}[split]
        pixels, labels = pixels[cut], labels[cut]
    return torch.from_numpy(pixels), torch.from_numpy(np.asarray(labels)).long()


@pytest.mark.parametrize("name", MAKERS)
def test_each_set_is_read_from_its_own_format(name, tmp_path, rng, monkeypatch):
    parts = MAKERS[name](tmp_path / "data", rng, monkeypatch)
    for split in ("train", "validation", "test"):
        images = data.load(name, split)  # from ./data
        pixels, labels = expected(parts, split)
        assert images.name == name and images.split == split
        assert images.event_shape == sources.SOURCES[name].event_shape
        assert torch.equal(images.labels, labels)
        tolerance = 2 if name == "celeba64" else 0  # JPEG
        assert (images.pixels.int() - pixels.int()).abs().max() <= tolerance
    assert data.verify(name).present
    assert data.get(name).folder  # nothing to fetch
    assert {info.name for info in data.available() if info.present} == {"fashion-mnist-mini", name}


def test_the_root_argument_goes_before_the_variable_and_that_before_the_folder(tmp_path, rng, monkeypatch):
    parts = {}
    for folder in ("argument", "variable", "data"):
        parts[folder] = make_mnist(tmp_path / folder, rng, monkeypatch)
    monkeypatch.setitem(sources.SOURCES, "mnist", dataclasses.replace(sources.SOURCES["mnist"], sums=()))
    monkeypatch.setenv("PCLTUT_DATA", str(tmp_path / "variable"))
    for root, folder in ((tmp_path / "argument", "argument"), (None, "variable")):
        assert torch.equal(data.load("mnist", "test", root).labels, expected(parts[folder], "test")[1])
    monkeypatch.delenv("PCLTUT_DATA")
    assert torch.equal(data.load("mnist", "test").labels, expected(parts["data"], "test")[1])


def test_fashion_mnist_is_taken_from_a_system_wide_copy_without_torchvision(tmp_path, rng, monkeypatch):
    parts = make_idx(tmp_path / "system", rng, monkeypatch, "fashion-mnist")
    monkeypatch.setattr(catalog, "download", None)  # would fail
    monkeypatch.setattr("pcltut.data.readers.import_torchvision", None)
    assert torch.equal(data.load("fashion-mnist", "validation").labels, expected(parts, "validation")[1])
    (info,) = (info for info in data.available() if info.name == "fashion-mnist")
    assert info.present and info.folder == str(tmp_path / "system")


def test_system_wide_means_below_the_prefix_and_usr():
    code = "from pcltut.data.sources import system_folders; print(*system_folders(), sep='\\n')"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    folders = [Path(line) for line in run.stdout.splitlines()]
    tail = Path("share/datasets/fashion-mnist")
    assert folders == list(dict.fromkeys(Path(p) / tail for p in (sys.prefix, "/usr/local", "/usr")))


# -- damage ----------------------------------------------------------------------------------------------------

VICTIMS = {
    "fashion-mnist": "FashionMNIST/raw/train-images-idx3-ubyte.gz",
    "mnist": "MNIST/raw/train-labels-idx1-ubyte.gz",
    "cifar10": "cifar-10-batches-py/data_batch_3",
    "svhn": "train_32x32.mat",
    "celeba64": "celeba/identity_CelebA.txt",
}


@pytest.mark.parametrize("damage", ["flip", "truncate"])
@pytest.mark.parametrize("name", MAKERS)
def test_a_damaged_file_is_named_in_one_line_with_the_remedy(name, damage, tmp_path, rng, monkeypatch):
    MAKERS[name](tmp_path, rng, monkeypatch)
    victim = tmp_path / VICTIMS[name]
    content = bytearray(victim.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    victim.write_bytes(bytes(content) if damage == "flip" else bytes(content[:-5]))
    for read in (lambda: data.load(name, "train", tmp_path), lambda: data.verify(name, tmp_path)):
        with pytest.raises(ValueError, match=f"pcltut data get {name}") as error:
            read()
        assert str(victim) in str(error.value) and "\n" not in str(error.value)


def test_a_set_of_another_size_is_refused(tmp_path, rng, monkeypatch):
    make_mnist(tmp_path, rng, monkeypatch)
    larger = dataclasses.replace(sources.SOURCES["mnist"], sizes={**SIZES, "test": 7})
    monkeypatch.setitem(sources.SOURCES, "mnist", larger)
    with pytest.raises(ValueError, match=r"mnist: got \(6, 1, 28, 28\) test pixels .*expected \(7, 1, 28, 28\)"):
        data.load("mnist", "test", tmp_path)


def test_a_broken_face_is_named(tmp_path, rng, monkeypatch):
    make_celeba64(tmp_path, rng, monkeypatch)
    victim = tmp_path / "celeba" / "img_align_celeba" / "000003.jpg"
    victim.write_bytes(victim.read_bytes()[:400])
    with pytest.raises(ValueError, match=r"000003\.jpg: the image cannot be read"):
        data.load("celeba64", "train", tmp_path)
    assert not (tmp_path / "celeba64").exists()


def test_faces_are_decoded_once_then_kept_and_checked(tmp_path, rng, monkeypatch):
    make_celeba64(tmp_path, rng, monkeypatch)
    first = {split: data.load("celeba64", split, tmp_path) for split in SIZES}
    shutil.rmtree(tmp_path / "celeba")
    again = data.load("celeba64", "test", tmp_path)
    assert torch.equal(again.pixels, first["test"].pixels) and torch.equal(again.labels, first["test"].labels)
    kept = tmp_path / "celeba64" / "test.safetensors"
    assert sorted(p.name for p in kept.parent.iterdir()) == [f"{s}.safetensors" for s in sorted(SIZES)]
    content = bytearray(kept.read_bytes())
    content[-100] ^= 1
    for damaged in (content, content[:-3]):
        kept.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"test\.safetensors: the file .*; delete this file"):
            data.load("celeba64", "test", tmp_path)


def test_crop_takes_the_central_140_pixels(tmp_path):
    picture = np.zeros((218, 178, 3), np.uint8)
    picture[39:179, 19:89] = 200  # left half of the crop
    Image.fromarray(picture).save(tmp_path / "face.png")
    small = celeba.crop_and_resize(tmp_path / "face.png")
    assert small.shape == (3, 64, 64)
    assert (small[:, :, :31] == 200).all() and (small[:, :, 33:] == 0).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x1f\x8b\x08\x00", "not a complete gzip file"),
        (gzip.compress(b"PK\x03\x04" * 5), "not an IDX file"),
        (gzip.compress(b"\0\0\x08\x03\0\0"), "header of the IDX file is cut off"),
        (gzip.compress(struct.pack(">BBBBi", 0, 0, 8, 1, 5) + b"1234"), r"4 values, expected 5 .*\(5,\)"),
    ],
    ids=["cut-off", "not-idx", "no-header", "too-short"],  # fixed: parallel workers must agree on them
)
def test_what_is_no_idx_file_is_refused(content, message, tmp_path):
    file = tmp_path / "x-ubyte.gz"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_idx(file)


def test_the_published_checksums_are_complete():
    official = {source.name: source for source in sources._ALL}
    datasets = import_torchvision().datasets
    assert dict(official["mnist"].sums) == dict(datasets.MNIST.resources)
    assert [name for name, _ in official["fashion-mnist"].sums] == [n for n, _ in datasets.FashionMNIST.resources]
    assert all(len(digest) == 64 for _, digest in official["fashion-mnist"].sums)


# -- downloading, from a server on this machine ----------------------------------------------------------------


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
    monkeypatch.setattr(cls, "resources", list(sources.SOURCES["mnist"].sums))
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


@pytest.mark.parametrize("arrives", [True, False])
def test_get_replaces_a_damaged_file_only_by_a_complete_one(arrives, server, tmp_path, rng, monkeypatch):
    serve_mnist(server, tmp_path, rng, monkeypatch)
    root = tmp_path / "data"
    data.get("mnist", root)
    good, bad = (root / "MNIST" / "raw" / f"{prefix}-images-idx3-ubyte.gz" for prefix in ("train", "t10k"))
    before = good.read_bytes(), bad.read_bytes()
    bad.write_bytes(b"damaged")
    with pytest.raises(ValueError, match="altered"):
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


# -- torchvision beside another build of torch -----------------------------------------------------------------


def run_python(code: str, path: Path | None = None) -> subprocess.CompletedProcess:
    prefix = f"import sys; sys.path.insert(0, {str(path)!r})\n" if path else ""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", prefix + code], capture_output=True, text=True, cwd=ROOT
    )


def test_the_installed_torchvision_can_be_imported():
    code = """
from pcltut.data.torchvision_compat import import_torchvision
torchvision = import_torchvision()
assert import_torchvision() is torchvision
import torchvision.datasets, torchvision.transforms.v2
torchvision.datasets.MNIST, torchvision.datasets.CelebA
"""
    run = run_python(code)
    assert run.returncode == 0, run.stderr


@pytest.fixture
def imitation(tmp_path):
    """A stand-in package ``torchvision`` that attaches shape functions at import, as the real one does."""

    def make(first: str) -> Path:
        package = tmp_path / "site" / "torchvision"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("from . import extension, registrations, datasets\n")
        (package / "extension.py").write_text(first)
        (package / "datasets.py").write_text("MNIST = 'MNIST'\n")
        (package / "registrations.py").write_text(
            "import torch\n"
            "for name in ('nms', 'qnms'):\n"
            "    torch.library.register_fake(f'torchvision::{name}')(lambda dets, scores, iou: dets.new_empty(0))\n"
        )
        return package.parent

    return make


def test_missing_operators_are_declared_where_the_compiled_part_does_not_load(imitation):
    site = imitation("")
    assert "torchvision::nms does not exist" in run_python("import torchvision", site).stderr
    code = """
import torch
from pcltut.data import torchvision_compat as compat
assert compat.import_torchvision().datasets.MNIST == 'MNIST'
assert len(compat._declared) == 1
torch.ops.torchvision.nms, torch.ops.torchvision.qnms
import torchvision
"""
    run = run_python(code, site)
    assert run.returncode == 0, run.stderr


def test_nothing_is_declared_where_the_compiled_part_loads(imitation):
    declares = """
import torch
library = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""
    code = """
from pcltut.data import torchvision_compat as compat
assert compat.import_torchvision().datasets.MNIST == 'MNIST'
assert compat._declared == []
"""
    run = run_python(code, imitation(declares))
    assert run.returncode == 0, run.stderr


def test_another_failure_of_torchvision_passes_through(imitation):
    code = "from pcltut.data.torchvision_compat import import_torchvision; import_torchvision()"
    run = run_python(code, imitation("raise RuntimeError('compiled with different CUDA major versions')"))
    assert run.returncode == 1 and "compiled with different CUDA major versions" in run.stderr
