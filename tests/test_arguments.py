"""Numbers and choices as callers give them: what was meant, or one line that says what was expected."""

import numpy as np
import pytest
import torch

from pcltut.arguments import one_of, real_number, whole_number


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), torch.tensor(3)])
def test_whole_numbers_of_any_library_become_an_int(value):
    number = whole_number("num_steps", value)
    assert number == 3 and type(number) is int


@pytest.mark.parametrize("value", [3.0, "3", None, True, [3], np.float64(3), torch.tensor([3, 3]), 0, -1])
def test_what_is_no_whole_number_is_named(value):
    with pytest.raises(ValueError, match=r"^got num_steps=.*, expected .*; "):
        whole_number("num_steps", value)


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), np.float64(0.5), torch.tensor(0.5)])
def test_numbers_of_any_library_become_a_float(value):
    number = real_number("step_size", value, above=0.0)
    assert number == 0.5 and type(number) is float


@pytest.mark.parametrize("value", ["0.5", b"1", None, True, [0.5], 0.0, -1.0, float("nan"), float("inf"), 1j])
def test_what_is_no_number_within_its_bounds_is_named(value):
    with pytest.raises(ValueError, match=r"^got step_size=.*, expected .*; "):
        real_number("step_size", value, above=0.0)


def test_bounds_are_open_above_and_below_and_closed_at_least():
    assert real_number("decay", 0.0, at_least=0.0, below=1.0) == 0.0
    with pytest.raises(ValueError, match="at least 0 and below 1"):
        real_number("decay", 1.0, at_least=0.0, below=1.0)


def test_one_of_lists_the_choices():
    assert one_of("keep", "all", ("all", "last")) == "all"
    with pytest.raises(ValueError, match=r"got keep='none', expected one of \('all', 'last'\); choose one of them"):
        one_of("keep", "none", ("all", "last"))
