"""A module whose library was absent when nvm was built says what brings it."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys, types
import nvm
sys.modules["nvm._kit"] = types.ModuleType("nvm._kit")
try:
    import nvm.{module}
except ImportError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("pmem2", "libpmem2-dev"),
        ("pmemlog", "libpmemlog-dev"),
        ("pmemblk", "libpmemblk-dev"),
        ("pmempool", "libpmempool-dev"),
        ("vmem", "libmemkind-dev"),
    ],
)
def test_an_absent_library_is_an_import_error_that_says_what_brings_it(module, package):
    program = PROGRAM.format(module=module)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert f"nvm.{module} needs lib" in done.stdout
    assert package in done.stdout
    assert "build nvm again" in done.stdout


def test_what_pmdk_2_has_no_longer_is_said_with_what_to_use():
    for module in "pmemlog", "pmemblk":
        program = PROGRAM.format(module=module)
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        assert "PMDK 2 has it no longer" in done.stdout
        assert "nvm.pmemobj" in done.stdout


def test_importing_nvm_loads_none_of_the_kit():
    program = "import sys, nvm; print([name for name in sys.modules if '_kit' in name])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
