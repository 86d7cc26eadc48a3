"""The programs that the course calls and a machine may lack, and the packages that bring them.

The one table of them: the doctor's remedies, the line that `make lab` and `make test` say,
`make packages`, binder/apt.txt and .ci/run come from it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

INSTALL = {
    "apt": "apt install",
    "dnf": "dnf install",
    "pacman": "pacman -S",
    "zypper": "zypper install",
    "apk": "apk add",
}
"""Package manager → the command that installs."""

_MANAGERS = {  # ID and ID_LIKE of os-release(5)
    "debian": "apt",
    "ubuntu": "apt",
    "fedora": "dnf",
    "rhel": "dnf",
    "centos": "dnf",
    "arch": "pacman",
    "suse": "zypper",
    "opensuse": "zypper",
    "alpine": "apk",
}


def _package(
    apt: str, dnf: str = "", pacman: str = "", zypper: str = "", apk: str = ""
) -> dict[str, str]:
    """Package manager → package; one not named is called what Debian calls it."""
    named = {"apt": apt, "dnf": dnf, "pacman": pacman, "zypper": zypper, "apk": apk}
    return {manager: package or apt for manager, package in named.items()}


_UTIL_LINUX = _package("util-linux")
PROGRAMS: dict[str, dict[str, str]] = {
    "bwrap": _package("bubblewrap"),
    "findmnt": _UTIL_LINUX,
    "hostname": _package("hostname", pacman="inetutils", apk="busybox"),
    "ip": _package("iproute2", dnf="iproute"),
    "ipcmk": _UTIL_LINUX,
    "ipcs": _UTIL_LINUX,
    "lsns": _UTIL_LINUX,
    "mount": _package("mount", "util-linux", "util-linux", "util-linux", "util-linux"),
    "newuidmap": _package("uidmap", "shadow-utils", "shadow", "shadow", "shadow-subids"),
    "nft": _package("nftables"),
    "nsenter": _UTIL_LINUX,
    "ping": _package("iputils-ping", "iputils", "iputils", "iputils", "iputils"),
    "ps": _package("procps", "procps-ng", "procps-ng"),
    "strace": _package("strace"),
    "unshare": _UTIL_LINUX,
}
"""What the chapters call: program → package manager → package."""

FURTHER: dict[str, dict[str, str]] = {
    "busybox": _package("busybox-static", "busybox", "busybox"),
    "chromium": _package("chromium"),
    "docker": _package("docker.io", "moby-engine", "docker", "docker", "docker"),
    "hyperfine": _package("hyperfine"),
    "iperf3": _package("iperf3", zypper="iperf"),
    "lxc-execute": _package("lxc"),
    "podman": _package("podman"),
    "qemu-system-aarch64": _package("qemu-system-arm", "qemu-system-aarch64-core"),
    "qemu-system-x86_64": _package("qemu-system-x86", "qemu-system-x86-core", zypper="qemu-x86"),
    "systemd-nspawn": _package("systemd-container", pacman="systemd"),
}
"""What only a measurement or a test has a use for."""


def manager(os_release: str | None = None) -> str | None:
    """The package manager of this distribution, a key of `INSTALL`; None where it is not known.

    Args:
        os_release: the text of an os-release(5) file; None for this machine's own.
    """
    if os_release is None:
        files = (Path(path) for path in ("/etc/os-release", "/usr/lib/os-release"))
        os_release = next((path.read_text() for path in files if path.is_file()), "")
    fields = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    for field in ("ID", "ID_LIKE"):
        for word in fields.get(field, "").strip("\"'").split():
            name = word.partition("-")[0]  # opensuse-leap, opensuse-tumbleweed
            if name in _MANAGERS:
                return _MANAGERS[name]
    return None


def path() -> str:
    """The directories where programs are looked for: root's, too, for inside one is root."""
    found = os.get_exec_path()
    return os.pathsep.join([*found, *(p for p in ("/usr/sbin", "/sbin") if p not in found)])


def lacks(program: str) -> bool:
    """Whether this is a program in the tables above that cannot be executed on this machine."""
    known = program in PROGRAMS or program in FURTHER
    return known and shutil.which(program, path=path()) is None


def absent() -> list[str]:
    """What the chapters call and this machine lacks."""
    return [program for program in PROGRAMS if lacks(program)]


def packages(programs: Iterable[str], manager: str) -> list[str]:
    """The packages that bring programs; one that the tables do not hold is its own package."""
    table = PROGRAMS | FURTHER
    return sorted({table.get(program, {}).get(manager, program) for program in programs})


def remedy(*programs: str) -> str:
    """What to do about missing programs: the command for this distribution, to be run as root."""
    chosen = manager()
    if chosen is None:
        return f"install {', '.join(programs)} with this system's package manager"
    return f"{INSTALL[chosen]} {' '.join(packages(programs, chosen))}"


def lacking(program: str) -> str:
    """One sentence on a program that is not installed and what to do; "" if it is."""
    if shutil.which(program):
        return ""
    return f"the program {program} is not installed: {remedy(program)}."
