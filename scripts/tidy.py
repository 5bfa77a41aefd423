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
DATABASE = ROOT / "build" / "tidy"
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


def entries():
    """The compilation database's entry of each of our sources: one, of the core without hooks."""
    found = {}
    for build in ("release", sys.implementation.cache_tag):
        database = ROOT / "build" / build / "compile_commands.json"
        for entry in json.loads(database.read_text(encoding="utf-8")):
            file = Path(entry["file"]).resolve()
            if any(layer in file.parents for layer in LAYERS) and file.exists():
                found.setdefault(file, entry)
    return found


def key(file, command, common):
    # Without launcher, compiler, paths and files, so that every checkout shares the stamps.
    flags = [f for f in shlex.split(command) if f.startswith("-") and str(ROOT) not in f]
    digest = hashlib.sha256(common)
    digest.update("\0".join(flags).encode())
    for part in closure(file):
        digest.update(part.name.encode() + b"\0" + part.read_bytes())
    return digest.hexdigest()


def tidy(file):
    command = [
        *(TIDY, "--quiet", "-p", str(DATABASE)),
        *("--extra-arg=-Wno-unknown-warning-option", str(file)),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def choose(names):
    """What to look at, as (source, stamp) pairs, and how many sources are known to pass."""
    version = subprocess.run([TIDY, "--version"], check=True, capture_output=True, text=True).stdout
    common = version.encode() + (ROOT / ".clang-tidy").read_bytes()
    stamps = cache_folder()
    sources = entries()
    DATABASE.mkdir(exist_ok=True)
    (DATABASE / "compile_commands.json").write_text(json.dumps(list(sources.values())))

    chosen = {Path(name).resolve() for name in names}
    candidates = [
        (file, stamps / key(file, entry["command"], common))
        for file, entry in sorted(sources.items())
        if not chosen or file in chosen
    ]
    todo = [(file, stamp) for file, stamp in candidates if chosen or not stamp.exists()]
    return todo, len(candidates) - len(todo)


def main(names):
    todo, known = choose(names)
    failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        runs = workers.map(tidy, [file for file, _ in todo])
        for number, ((file, stamp), run) in enumerate(zip(todo, runs), 1):
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
