"""The examples of the documentation do what the pages say."""

import contextlib
import doctest
import io
import re
import sys
import textwrap
import types
from pathlib import Path

import pytest

from interpreter import cpython_only
from nvm import _immutable

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(
            "first-steps.md", marks=cpython_only("gc() finds what its collector has let go")
        ),
        "own-types.md",
    ],
)
def test_the_examples_of(page, path):
    results = doctest.testfile(
        str(ROOT / "docs" / page),
        module_relative=False,
        globs={"path": path, "__name__": "__main__"},
        optionflags=doctest.ELLIPSIS,
    )
    assert results.attempted > 10
    assert results.failed == 0


def test_types(path, monkeypatch):
    tables = [_immutable.named, _immutable.aliases, _immutable._registered]
    before = [dict(table) for table in tables]
    main = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    vars(main)["path"] = path
    parser = doctest.DocTestParser()
    text = (ROOT / "docs" / "types.md").read_text(encoding="utf-8")
    test = parser.get_doctest(text, vars(main), "types.md", "types.md", 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    results = runner.run(test, clear_globs=False)
    for table, content in zip(tables, before):
        table.clear()
        table.update(content)
    assert results.attempted > 30
    assert results.failed == 0


def test_the_first_program_of_the_readme(path):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = [textwrap.dedent(block) for block in re.findall(r"(?:^    .*\n|^\n)+", text, re.M)]
    first = next(block for block in blocks if "nvm.open" in block).strip()
    within = next(block for block in blocks if "pool.transaction" in block).strip()
    first = first.replace('"people.pool"', repr(str(path)))
    program = first + "\n" + textwrap.indent(within, "    ") + "\n    print(people)\n"
    for turn in "first", "second":
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(program, {})
        assert "PersistentDict({'ada':" in output.getvalue(), turn
        assert "'grace'" in output.getvalue(), turn
