"""Run clang-tidy over the C++ sources of the core and the bindings.

A file that passed is not looked at again until it, a header of ours that it includes,
its compiler flags, .clang-tidy or clang-tidy itself changes: stamps named after a hash
of all these are kept in the user's cache folder, as ccache keeps objects. Name files
to look at these only.
"""

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAYERS = (ROOT / "src" / "core", ROOT / "src" / "bindings")
TIDY = shutil.which("clang-tidy-16") or "clang-tidy"
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "pynvm" / "tidy"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@cache
def closure(path):
    """The file and all of ours that it includes, directly or not."""
    seen, todo = set(), [path]
    while todo:
        file = todo.pop()
        if file in seen:
            continue
        seen.add(file)
        for name in INCLUDE.findall(file.read_text(encoding="utf-8")):
            todo += [c for c in (file.parent / name, *(d / name for d in LAYERS)) if c.exists()]
    return sorted({file.resolve() for file in seen})


def databases():
    """The folders of the compilation databases: the core's and the bindings'."""
    return ROOT / "build" / "release", ROOT / "build" / sys.implementation.cache_tag


def entries():
    """Each of our sources once, with its compilation database and command."""
    found = {}
    for folder in databases():
        for entry in json.loads((folder / "compile_commands.json").read_text(encoding="utf-8")):
            file = Path(entry["file"]).resolve()
            if any(layer in file.parents for layer in LAYERS) and file.exists():
                found.setdefault(file, (folder, entry["command"]))
    return found


def key(file, command, common):
    # Without launcher, compiler, paths and files, so that every checkout shares the stamps.
    flags = [f for f in shlex.split(command) if f.startswith("-") and str(ROOT) not in f]
    digest = hashlib.sha256(common)
    digest.update("\0".join(flags).encode())
    for part in closure(file):
        digest.update(part.name.encode() + b"\0" + part.read_bytes())
    return digest.hexdigest()


def tidy(file, folder):
    command = [
        *(TIDY, "--quiet", "-p", str(folder)),
        *("--extra-arg=-Wno-unknown-warning-option", str(file)),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def main(names):
    version = subprocess.run(
        [TIDY, "--version"], check=True, capture_output=True, text=True
    ).stdout
    common = version.encode() + (ROOT / ".clang-tidy").read_bytes()
    stamps = cache_folder()
    chosen = {Path(name).resolve() for name in names}
    todo, known, failed = [], 0, 0
    for file, (folder, command) in sorted(entries().items()):
        if chosen and file not in chosen:
            continue
        stamp = stamps / key(file, command, common)
        if stamp.exists() and not chosen:
            known += 1
        else:
            todo.append((file, folder, stamp))

    with ThreadPoolExecutor(os.cpu_count()) as workers:
        runs = workers.map(lambda item: tidy(item[0], item[1]), todo)
        for number, ((file, _, stamp), run) in enumerate(zip(todo, runs), 1):
            print(f"[{number}/{len(todo)}] {file.relative_to(ROOT)}", flush=True)
            if run.returncode == 0:
                stamp.touch()
            else:
                failed += 1
                print(run.stdout + run.stderr)
    print(f"clang-tidy: {len(todo)} files looked at, {known} unchanged, {failed} with findings")
    return int(failed > 0 or not (todo or known))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
