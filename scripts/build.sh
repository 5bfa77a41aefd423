#!/usr/bin/env bash
# Builds parts of a checkout that scripts/bootstrap.sh has prepared.
#
#   scripts/build.sh core PRESET TARGET...   targets of a preset, in build/PRESET
#   scripts/build.sh package VENV [PRESET]   the package, editable, into VENV, on a preset's
#                                            core (release) and with its sanitizers
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
PATH="$root/.venv/bin:$PATH"
# What one checkout compiled serves the others.
export CCACHE_BASEDIR=${CCACHE_BASEDIR-$root} CCACHE_NOHASHDIR=1

werror=OFF
[ -z "${CI:-}" ] || werror=ON

core() {
  local preset=$1
  shift
  local targets=("$@") tests=()
  # The demo does not need GoogleTest; a folder once set up with the tests stays so.
  case "$*" in
    *tests* | *power* | *fuzz*) tests=(-DNVM_BUILD_TESTS=ON) ;;
    *) [ -f "build/$preset/CMakeCache.txt" ] || tests=(-DNVM_BUILD_TESTS=OFF) ;;
  esac
  mkdir -p build
  ( # one at a time in a folder
    flock 9
    cmake --preset "$preset" -DNVM_WERROR=$werror "${tests[@]}" >/dev/null
    cmake --build --preset "$preset" --target "${targets[@]}"
  ) 9>"build/.$preset.lock"
}

package() {
  local python=$root/$1/bin/python preset=${2:-release} tag sanitizers
  core "$preset" nvm_core nvm_pmem
  sanitizers=$(sed -n 's/^NVM_SANITIZE:STRING=//p' "build/$preset/CMakeCache.txt")
  tag=$("$python" -c 'import sys; print(sys.implementation.cache_tag)')
  [ "$preset" = release ] || tag+=-$preset
  local folder="build/$tag" stamp="build/$tag/.installed" wanted
  # What an editable installation depends on besides the sources of the extension.
  wanted=$(find src/nvm -name '*.py' -o -name '*.pyi' | sort |
    cat - pyproject.toml CMakeLists.txt src/bindings/CMakeLists.txt
    echo "$werror $python")
  if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] &&
    "$python" -c 'import importlib.metadata as m; m.version("pynvm")' 2>/dev/null; then
    local site
    site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
    cmake --build "$folder"
    cmake --install "$folder" --prefix "$site" >/dev/null
    return
  fi
  "$python" -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps \
    --editable . \
    --config-settings=build-dir="$folder" \
    --config-settings=cmake.build-type=RelWithDebInfo \
    --config-settings=cmake.define.NVM_CORE_DIR="$root/build/$preset" \
    --config-settings=cmake.define.NVM_SANITIZE="$sanitizers" \
    --config-settings=cmake.define.NVM_WERROR=$werror
  "$python" scripts/check_link_order.py "$folder"/src/bindings/_{core,kit}*.so
  printf '%s' "$wanted" >"$stamp"
}

"$@"
