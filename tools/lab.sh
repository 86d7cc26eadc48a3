#!/bin/sh
# Serve JupyterLab on this machine's loopback, opened at the first notebook.
# Usage: sh tools/lab.sh [JUPYTERLAB OPTION...]      (from the top of the repository)
# LAB_ROOT names another directory to serve than the repository, for notebooks of one's own.
set -eu

# Kernels talk by Unix sockets in a directory of ours instead of by TCP ports: no other user can
# reach them. A socket's path is at most 107 bytes (unix(7)), hence /tmp and a short name.
JUPYTER_RUNTIME_DIR=$(mktemp -d /tmp/nsedu-lab.XXXXXX)
export JUPYTER_RUNTIME_DIR
trap 'rm -rf "$JUPYTER_RUNTIME_DIR"' EXIT
trap : INT  # Ctrl-C is for JupyterLab, which asks; we wait for it and then clean up
trap 'kill "$lab" 2>/dev/null' TERM HUP

# So that `nsedu check` works in a terminal of JupyterLab; last, or python3 would be another one.
# No login shell there (JupyterLab's choice without a tty): it would forget this.
PATH="$PATH:$PWD/.venv/bin"
export PATH
set -- --ServerApp.terminado_settings="shell_command=${SHELL:-/bin/sh}" "$@"

# Settings of ours that a user's own go before: a terminal opens beside the notebook.
export JUPYTER_CONFIG_PATH="$PWD/tools/jupyter${JUPYTER_CONFIG_PATH:+:$JUPYTER_CONFIG_PATH}"

set -- --KernelManager.transport=ipc "$@"
if [ "$(id -u)" = 0 ]; then
    set -- --allow-root "$@"
fi
if [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}${BROWSER:-}${WSL_DISTRO_NAME:-}" ]; then
    # Else a text browser, where there is one, would take over the terminal.
    set -- --no-browser "$@"
    echo "make lab: no display here; open the address that JupyterLab prints in a browser." >&2
fi

.venv/bin/python tools/packages.py  # what would make the course complete, in a line

.venv/bin/python -m jupyterlab \
    --ip=127.0.0.1 \
    --ServerApp.root_dir="${LAB_ROOT:-$PWD}" \
    --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb \
    "$@" <&0 &
lab=$!
status=0
while kill -0 "$lab" 2>/dev/null; do
    status=0
    wait "$lab" || status=$?
done
exit "$status"
