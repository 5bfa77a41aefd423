"""docs/kit.md lists every function of the headers that are installed."""

from __future__ import annotations

import re
from functools import reduce
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "kit.md"
INCLUDE = Path("/usr/include")

# Section of the page: Python module, headers, the beginning of the names.
LIBRARIES = {
    "libpmem": ("nvm.pmem", ["libpmem.h"], "pmem_"),
    "libpmem2": ("nvm.pmem2", ["libpmem2.h", "libpmem2/*.h"], "pmem2_"),
    "libpmemlog": ("nvm.pmemlog", ["libpmemlog.h"], "pmemlog_"),
    "libpmemblk": ("nvm.pmemblk", ["libpmemblk.h"], "pmemblk_"),
    "libpmempool": ("nvm.pmempool", ["libpmempool.h"], "pmempool_"),
    "libmemkind": ("nvm.vmem", ["memkind.h", "memkind_deprecated.h"], "memkind_"),
}


def sections() -> dict[str, str]:
    """The text of each section that is a library's: `## libpmem: nvm.pmem`."""
    parts = re.split(r"^## (\w+): .*$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def rows(section: str) -> dict[str, str]:
    """C name -> what the second column says."""
    return dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", section, re.MULTILINE))


def for_linux(text: str) -> str:
    """A header without what only other systems compile."""
    lines: list[str] = []
    taken: list[bool] = []
    for line in text.splitlines():
        if re.match(r"\s*#\s*if", line):
            taken.append("ifdef _WIN32" not in line)
        elif re.match(r"\s*#\s*else", line):
            taken[-1] = not taken[-1]
        elif re.match(r"\s*#\s*endif", line):
            taken.pop()
        elif all(taken):
            lines.append(line)
    return "\n".join(lines)


def declared(header: Path, prefix: str) -> set[str]:
    """The functions, and the variables, that a header declares."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", header.read_text(encoding="utf-8"), flags=re.DOTALL)
    text = re.sub(r"\btypedef\b[^;{]*;", "", for_linux(text))
    functions = re.findall(rf"^[A-Za-z][\w\s*]*?\b({prefix}\w+)\s*\(", text, re.MULTILINE)
    variables = re.findall(r"^extern\s+\w+\s+(\w+)\s*;", text, re.MULTILINE)
    return {*functions, *variables}


def headers(library: str) -> list[Path]:
    return [path for name in LIBRARIES[library][1] for path in sorted(INCLUDE.glob(name))]


@pytest.mark.parametrize("library", sections())
def test_every_function_has_a_row(library):
    found = headers(library)
    if not found:
        pytest.skip(f"the headers of {library} are not installed")
    names = set().union(*(declared(header, LIBRARIES[library][2]) for header in found))
    assert len(names) > 5
    assert set(rows(sections()[library])) == names


@pytest.mark.parametrize("library", sections())
def test_every_row_names_what_is_there_or_a_reason(library):
    module = pytest.importorskip(LIBRARIES[library][0], exc_type=ImportError)
    for name, told in rows(sections()[library]).items():
        if told.startswith("`"):
            for python in re.findall(r"`([\w.]+)[^`]*`", told):
                reduce(getattr, python.split("."), module)
        else:
            assert len(told.split()) >= 4, f"{name}: a reason is wanted, not {told!r}"


def test_the_page_has_each_library():
    assert set(sections()) == set(LIBRARIES)
