"""Check that libnvm_pmem.so stands before libpmemobj and libpmem in DT_NEEDED.

Only then does the loader bind libpmemobj's calls of libpmem to ours. Takes the
executables and extension modules to look at.
"""

import re
import subprocess
import sys

OURS = "libnvm_pmem.so"


def needed(file):
    """The libraries that an ELF file names, in the loader's order."""
    out = subprocess.run(
        ["readelf", "--wide", "--dynamic", file], check=True, capture_output=True, text=True
    ).stdout
    return re.findall(r"\(NEEDED\).*\[(.+)\]", out)


def complaint(libraries):
    """What is wrong with this order, or None."""
    pmdk = [name for name in libraries if name.startswith("libpmem")]
    for stem in ("libpmemobj.so", "libpmem.so"):
        if not any(name.startswith(stem) for name in pmdk):
            return f"does not need {stem}"
    if OURS not in libraries:
        return f"does not need {OURS}"
    if libraries.index(OURS) > libraries.index(pmdk[0]):
        return f"{OURS} stands after {pmdk[0]}"
    return None


def main(files):
    failed = not files
    for file in files:
        libraries = needed(file)
        wrong = complaint(libraries)
        failed = failed or wrong is not None
        print(f"{file}: {wrong or 'link order is right'} ({', '.join(libraries)})")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
