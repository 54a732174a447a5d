"""Fixtures of the whole suite; the shape checks of pcltut are switched on before anything imports it."""

import sys
from pathlib import Path

import hypothesis
import jaxtyping
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))  # for `import oracles` and the hook, whatever the import mode
jaxtyping.install_import_hook("pcltut", "shape_checks.checked")

hypothesis.settings.register_profile(
    "pcltut",
    derandomize=True,
    deadline=None,
    max_examples=20,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("pcltut")


def pytest_configure(config: pytest.Config) -> None:
    """Warnings are errors, but for one that torch raises itself when `torch.func.jvp` first runs."""
    message = "ignore:`torch.jit.script` is (deprecated|not supported):DeprecationWarning"
    config.addinivalue_line("filterwarnings", message)


@pytest.fixture
def generator() -> torch.Generator:
    """A seeded generator, fresh in each test."""
    return torch.Generator().manual_seed(0)


@pytest.fixture
def no_shape_checks():
    """Users run without shape checks: errors are tested as they meet them."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(autouse=True)
def quiet_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """No progress bar in any test, whatever the terminal."""
    monkeypatch.setenv("PCLTUT_PROGRESS", "0")


@pytest.fixture(autouse=True)
def global_random_state_is_untouched():
    """The package draws from the generators it is given: no test may see torch's global state move."""
    before = torch.get_rng_state()
    yield
    assert torch.equal(torch.get_rng_state(), before), "torch's global random state moved"
