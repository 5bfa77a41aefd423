import re

import nvm
from nvm import _core


def test_version_is_the_package_s():
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+)?", nvm.__version__)


def test_extension_loads_with_pmdk():
    assert re.fullmatch(r"\d+\.\d+", _core.library_version())
