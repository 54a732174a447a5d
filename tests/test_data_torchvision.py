"""torchvision beside a torch of another build: imported, and only helped where it needs help."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[1]


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
