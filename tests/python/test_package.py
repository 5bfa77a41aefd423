import re

import nvm


def test_version_is_the_package_s():
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+)?", nvm.__version__)


def test_libraries_tells_versions_and_places():
    libraries = nvm.libraries()
    assert set(libraries) == {"libpmem", "libpmemobj"}
    for library in libraries.values():
        assert re.fullmatch(r"\d+\.\d+", library["version"])
        assert "/" in library["path"]
