"""What the benchmarks share."""

import pytest
import torch


@pytest.fixture
def two_threads(no_shape_checks):
    """Two threads, and the package as users run it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)
