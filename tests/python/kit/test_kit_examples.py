"""The examples in docs/kit.md do what the page says."""

from __future__ import annotations

import doctest
from typing import TYPE_CHECKING

import pytest
from test_kit_table import LIBRARIES, PAGE, sections

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("library", sections())
def test_the_examples_of(library: str, folder: Path) -> None:
    pytest.importorskip(LIBRARIES[library][0], exc_type=ImportError)
    names = {"folder": folder}
    test = doctest.DocTestParser().get_doctest(sections()[library], names, library, str(PAGE), 0)
    results = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test)
    assert results.attempted > 5
    assert results.failed == 0
