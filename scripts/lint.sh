#!/usr/bin/env bash
# Layout, style and types.   scripts/lint.sh check | fix
set -euo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin
python_folders=()
for folder in src tests bench examples scripts; do
  [ ! -d "$folder" ] || python_folders+=("$folder")
done

cpp_files() { find "${python_folders[@]}" \( -name '*.cpp' -o -name '*.h' \) -print0; }

case ${1:-check} in
  fix)
    cpp_files | xargs -0 clang-format -i
    $bin/ruff check --fix --exit-zero "${python_folders[@]}"
    $bin/ruff format "${python_folders[@]}"
    ;;
  check)
    cpp_files | xargs -0 clang-format --dry-run -Werror
    echo "clang-format: $(cpp_files | tr -cd '\0' | wc -c) files are laid out"
    $bin/ruff check "${python_folders[@]}"
    $bin/ruff format --check "${python_folders[@]}"
    $bin/mypy
    ;;
  *) echo "usage: $0 check|fix" >&2; exit 2 ;;
esac
