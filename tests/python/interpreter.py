"""What differs between interpreters, for tests."""

from __future__ import annotations

import gc
import sys

import pytest

CPYTHON = sys.implementation.name == "cpython"


def collect() -> None:
    """Lets everything end that nothing refers to: PyPy takes a few rounds for what C holds."""
    for _ in range(1 if CPYTHON else 4):
        gc.collect()


def cpython_only(reason: str) -> pytest.MarkDecorator:
    """Marks a test that means nothing elsewhere."""
    return pytest.mark.skipif(not CPYTHON, reason=f"PyPy: {reason}")
