import platform

import nvm
from nvm import _core


def test_runs_on_pypy():
    assert platform.python_implementation() == "PyPy"


def test_extension_loads_with_pmdk():
    assert nvm.__version__
    assert _core.library_version()
