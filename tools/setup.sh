#!/bin/sh
# Make or refresh .venv from requirements.lock, then install nsedu in it as an editable package.
# Usage: sh tools/setup.sh STAMP      (from the top of the repository; STAMP is touched last)
set -eu
stamp=$1

# Settings that would send packages, or imports, somewhere else than into the environment.
unset PYTHONHOME PYTHONPATH PIP_PREFIX PIP_REQUIRE_HASHES PIP_TARGET PIP_USER

say() {
    printf '%s\n' "make setup: $*" >&2
}

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

job=
log=$(mktemp)
trap 'test -z "$job" || kill "$job" 2>/dev/null || true; rm -f "$log"' EXIT
trap 'exit 130' INT TERM HUP

# Run a command, and say every five seconds that it still runs, and how far it is; what it prints is
# shown if it fails. Usage: patiently WORDS COMMAND...
patiently() {
    words=$1
    shift
    say "$words"
    "$@" >"$log" 2>&1 </dev/null &
    job=$!
    ticks=0
    while kill -0 "$job" 2>/dev/null; do
        sleep 0.2
        ticks=$((ticks + 1))
        if [ $((ticks % 25)) = 0 ]; then
            say "$words: $((ticks / 5)) s$(progress)"
        fi
    done
    if ! wait "$job"; then
        cat "$log" >&2
        say "$words: failed, as said above."
        exit 1
    fi
    job=
}

# How far pip is, by its own words.
progress() {
    if grep -q '^Installing collected' "$log"; then
        printf ', unpacking'
    elif seen=$(grep -c '^Collecting' "$log"); then
        printf ', %s of %s packages' "$seen" "$(grep -c '^[a-z0-9].*==' requirements.lock)"
    fi
}

# Whether others than root may enter all directories on the way to a file, and execute it.
open_to_all() {
    path=$(readlink -f "$1")
    [ -n "$(find "$path" -maxdepth 0 -perm -o=rx)" ] || return 1
    while path=$(dirname "$path") && [ "$path" != / ]; do
        [ -n "$(find "$path" -maxdepth 0 -perm -o=x)" ] || return 1
    done
}

find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if new_enough "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
}

if ! new_enough .venv/bin/python || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    python=$(find_python)
    if [ -z "$python" ]; then
        if [ -n "${PYTHON:-}" ]; then
            say "PYTHON=$PYTHON is not a Python of version 3.11 or newer; name one that is."
        else
            say "no python3 of version 3.11 or newer was found; install one" \
                "(Debian 12, Ubuntu 24.04: apt install python3 python3-venv; Fedora: dnf install python3)."
        fi
        exit 1
    fi
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        say "$python ($version) lacks the venv module;" \
            "install it (Debian, Ubuntu: apt install python$version-venv, or python3-venv)."
        exit 1
    fi
    patiently "making .venv with $python ($version)" "$python" -m venv --clear .venv
fi
if [ "$(id -u)" = 0 ] && ! open_to_all .venv/bin/python; then
    say "$(readlink -f .venv/bin/python) is for root alone: no ordinary user can use this .venv." \
        "For one that all can use: rm -r .venv && PYTHON=/usr/bin/python3 make setup"
fi

pip() {
    words=$1
    shift
    patiently "$words" \
        .venv/bin/python -m pip --disable-pip-version-check --no-input install --progress-bar off "$@"
}
say "the first time takes about a minute, on a slow machine five"
pip "installing what requirements.lock names" --require-hashes -r requirements.lock
pip "installing nsedu itself" --no-deps --no-build-isolation --editable .
# Matplotlib's list of fonts, made once: in a notebook it would take seconds and print a warning.
mkdir -p .venv/.cache/matplotlib
MPLCONFIGDIR=$PWD/.venv/.cache/matplotlib \
    patiently "listing the fonts" .venv/bin/python -c 'import matplotlib.font_manager'
# A lesson does not open with JupyterLab's question about news, nor ask a server for updates.
mkdir -p .venv/share/jupyter/lab/settings
cat >.venv/share/jupyter/lab/settings/overrides.json <<'END'
{"@jupyterlab/apputils-extension:notification": {"checkForUpdates": false, "fetchNews": "false"}}
END
touch "$stamp"
say "done"
