#!/usr/bin/env bash
# Prepares a checkout: system packages (by apt), a virtual environment, and in it
# what pyproject.toml names. Quick when there is nothing to do.
#
#   scripts/bootstrap.sh demo|bench       what the demo or the benchmarks need
#   scripts/bootstrap.sh test             what the tests need (PyPy and the C++ tools too)
#   scripts/bootstrap.sh power            what power cuts of an emulated machine need
#   scripts/bootstrap.sh fuzz             what libFuzzer on the core needs
#   scripts/bootstrap.sh venv DIR PYTHON  a further environment for tests
#   scripts/bootstrap.sh pythons          lists the other CPythons here: version, executable
set -euo pipefail
cd "$(dirname "$0")/.."

purpose=${1:-test}
case $purpose in
  demo | bench | test | power | fuzz | venv | pythons) ;;
  *) echo "usage: $0 demo|bench|test|power|fuzz|pythons|venv DIR PYTHON" >&2; exit 2 ;;
esac

say() { printf '\033[1m==> %s\033[0m\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

# package | for what
demo_packages="
g++|compiles the core and the bindings
pkg-config|finds PMDK
libpmem-dev|PMDK: libpmem
libpmemobj-dev|PMDK: libpmemobj
libxxhash-dev|the hash of keys and checksums
"
# The kit's; without them nvm.pmem2 and so on are not built.
kit_packages="
libpmem2-dev|PMDK: libpmem2, for nvm.pmem2
libpmemlog-dev|PMDK: libpmemlog, for nvm.pmemlog
libpmemblk-dev|PMDK: libpmemblk, for nvm.pmemblk
libpmempool-dev|PMDK: libpmempool, for nvm.pmempool
libmemkind-dev|libmemkind, for nvm.vmem
"
test_packages="
$demo_packages
$kit_packages
binutils|readelf, for the check of the link order
ccache|compiles nothing twice
libgtest-dev|GoogleTest, for the tests of the core
clang-format|layout of the C++ code
clang-tidy-16|lint of the C++ code
pypy3|the second interpreter
pypy3-dev|its headers
pypy3-venv|its virtual environments
"
power_packages="
$demo_packages
binutils|readelf, for the check of the link order; strip
libgtest-dev|GoogleTest: the tests of the core are configured with it
qemu-system-x86|the machine
seabios|its firmware
busybox-static|its shell and commands
kmod|depmod and modprobe: which modules of its kernel are needed
cpio|packs its first file system
e2fsprogs|makes its disks, and looks into what a cut has left
"
fuzz_packages="
$demo_packages
binutils|readelf, for the check of the link order
ccache|compiles nothing twice
libgtest-dev|GoogleTest: the tests of the core are configured with it
clang-16|compiles the core for libFuzzer
libclang-rt-16-dev|libFuzzer and the sanitizers
llvm-16|names and lines in what they report
"

# A Python that can make virtual environments and compile extensions.
usable_python() {
  "$1" - 2>/dev/null <<'PY'
import ensurepip, os, sys, sysconfig, venv
header = os.path.join(sysconfig.get_paths()["include"], "Python.h")
sys.exit(not (sys.version_info >= (3, 9) and os.path.exists(header)))
PY
}
find_python() {
  local candidate
  for candidate in python3.11 /usr/bin/python3.11 python3 /usr/bin/python3; do
    if usable_python "$candidate"; then echo "$candidate"; return; fi
  done
}

# "3.12 /usr/bin/python3.12", or "3.14t ..." for a free-threaded one; nothing for .venv's version.
other_pythons() {
  local candidate mine
  mine=$(version_of .venv/bin/python)
  for candidate in python3.{9..15} python3.{13..15}t ~/.pyenv/versions/*/bin/python; do
    [[ "$(version_of "$candidate")" != "$mine" ]] && usable_python "$candidate" || continue
    echo "$(version_of "$candidate") $(command -v "$candidate")"
  done | sort -u -k1,1V
}
version_of() {
  "$1" - 2>/dev/null <<'PY' || true
import sys, sysconfig
if sys.implementation.name == "cpython":
    suffix = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    print("%d.%d%s" % (sys.version_info[0], sys.version_info[1], suffix))
PY
}

install_missing() {
  local package why missing=()
  command -v dpkg-query >/dev/null ||
    { say "no dpkg here: make sure that these are installed: $(cut -d'|' -f1 <<<"$1" | xargs)"; return; }
  local installed
  # shellcheck disable=SC2016
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p')
  while IFS='|' read -r package why; do
    [ -n "$package" ] || continue
    grep -qxF "$package" <<<"$installed" && continue
    missing+=("$package")
    say "needs $package: $why"
  done <<<"$1"
  [ ${#missing[@]} -gt 0 ] || return 0

  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
      fail "Not root and no sudo. Please have these installed: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -q)
  say "${as_root[*]} install --no-install-recommends ${missing[*]}"
  "${as_root[@]}" update </dev/null
  "${as_root[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null
}

# make_venv FOLDER PYTHON GROUPS...: with the requirements of these groups, installed
# again only when they changed.
make_venv() {
  local folder=$1 python=$2
  shift 2
  if ! "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
    say "virtual environment $folder"
    rm -rf "$folder"
    "$python" -m venv "$folder"
  fi
  local stamp="$folder/.requirements-$purpose" wanted
  wanted=$("$folder/bin/python" scripts/requirements.py "$@")
  [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
  say "into $folder: $(xargs <<<"$wanted")"
  xargs -d '\n' "$folder/bin/python" -m pip install --quiet --disable-pip-version-check <<<"$wanted"
  printf '%s' "$wanted" >"$stamp"
}

case $purpose in
  venv) make_venv "$2" "$3" build test; exit ;;
  pythons) other_pythons; exit ;;
esac
case $purpose in
  demo) packages=$demo_packages ;;
  bench) packages=$demo_packages$kit_packages ;;
  test) packages=$test_packages ;;
  power) packages=$power_packages ;;
  fuzz) packages=$fuzz_packages ;;
esac
[ -n "$(find_python)" ] ||
  packages+=$'\npython3|runs it\npython3-venv|its virtual environments\npython3-dev|its headers\n'
install_missing "$packages"

python=$(find_python)
[ -n "$python" ] || fail "No Python >= 3.9 with venv and headers was found."
case $purpose in
  demo) make_venv .venv "$python" build tools demo ;;
  bench) make_venv .venv "$python" build tools bench ;;
  power | fuzz) make_venv .venv "$python" build tools ;;
  test)
    make_venv .venv "$python" build tools demo test lint
    make_venv .venv-pypy pypy3 build test-pypy
    ;;
esac
