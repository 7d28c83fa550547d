#!/bin/sh
# Put the pinned uv at .tools/uv, with nothing but a Python 3 and a package registry.
#
#   sh infra/development/get-uv.sh VERSION [FOLDER]
#
# Three ways, in this order: a virtual environment; `pip install --target`, for a Python without
# venv or ensurepip (Debian ships them apart) or one that its owner manages; an uv on the PATH.
set -eu

version=$1
tools=${2:-.tools}
python=${PYTHON:-python3}

is_right() {
    [ -x "$1" ] && [ "$("$1" --version 2>/dev/null | cut -d' ' -f2)" = "$version" ]
}

try_venv() {
    "$python" -m venv --clear "$tools/venv" &&
        "$tools/venv/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$version" &&
        ln -sf venv/bin/uv "$tools/uv"
}

try_target() {
    rm -rf "$tools/lib"
    "$python" -m pip install --quiet --disable-pip-version-check --target "$tools/lib" "uv==$version" &&
        ln -sf lib/bin/uv "$tools/uv"
}

try_path() {
    found=$(command -v uv) && is_right "$found" && ln -sf "$found" "$tools/uv"
}

is_right "$tools/uv" && exit 0

mkdir -p "$tools"
echo "Getting uv $version into $tools (once)"
for way in try_venv try_target try_path; do
    if "$way" >>"$tools/get-uv.log" 2>&1 && is_right "$tools/uv"; then
        exit 0
    fi
done

cat >&2 <<END
Could not get uv $version. What was tried, and how it failed: $tools/get-uv.log
It needs one of these:
  - a Python 3 (here: $python) with venv and pip, and a package registry that pip can reach
    (on Debian and Ubuntu: apt-get install python3-venv);
  - uv $version on the PATH.
END
exit 1
