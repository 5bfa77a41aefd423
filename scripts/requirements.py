"""Print the requirements of the named groups of pyproject.toml, one a line.

A group is an extra (demo, test, bench) or a dependency group (build, lint, ...).
"""

import sys
from pathlib import Path

try:
    import tomllib
except ImportError:  # before Python 3.11
    from pip._vendor import tomli as tomllib


def requirements(groups):
    pyproject = Path(__file__).parent.parent / "pyproject.toml"
    table = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    known = {**table["project"]["optional-dependencies"], **table["dependency-groups"]}
    return sorted({requirement for group in groups for requirement in known[group]})


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1:])))
