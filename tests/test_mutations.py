"""The deliberate mistakes of `make mutants` can still be made."""

from pathlib import Path

import pytest
from mutations import MUTATIONS, Mutation

PACKAGE = Path(__file__).resolve().parents[1] / "pcltut"


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_the_text_to_change_is_there_once_and_changes(mutation: Mutation):
    text = (PACKAGE / mutation.file).read_text(encoding="utf-8")
    assert text.count(mutation.old) == 1 and mutation.new != mutation.old
    assert all((PACKAGE.parent / "tests" / name).is_file() for name in mutation.tests.split())
