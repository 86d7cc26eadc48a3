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
    say "making .venv with $python ($version)"
    "$python" -m venv --clear .venv
fi

say "installing what requirements.lock names (about a minute the first time)"
pip() {
    .venv/bin/python -m pip --disable-pip-version-check --no-input "$@"
}
pip install --quiet --require-hashes -r requirements.lock
pip install --quiet --no-deps --no-build-isolation --editable .
# Matplotlib's list of fonts, made once: in a notebook it would take seconds and print a warning.
mkdir -p .venv/.cache/matplotlib
MPLCONFIGDIR=$PWD/.venv/.cache/matplotlib .venv/bin/python -c 'import matplotlib.font_manager'
# A lesson does not open with JupyterLab's question about news, nor ask a server for updates.
mkdir -p .venv/share/jupyter/lab/settings
cat >.venv/share/jupyter/lab/settings/overrides.json <<'END'
{"@jupyterlab/apputils-extension:notification": {"checkForUpdates": false, "fetchNews": "false"}}
END
touch "$stamp"
say "done"
