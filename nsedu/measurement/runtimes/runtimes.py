"""How each runtime is told to run a program in a root file system: this machine's own /usr."""

from __future__ import annotations

import os
import shutil
from collections import namedtuple
from collections.abc import Sequence
from typing import Any

from nsedu.programs import lacking
from nsedu.requirements import missing

TRUE = shutil.which("true") or "/usr/bin/true"
NAME = f"nsedu-{os.getpid()}"
"""What containers are called; others on this machine may measure at the same time."""

ROOM = "/run/nsedu"
"""Where they find their files, and may write; the module `room` makes it."""
BUNDLE = f"{ROOM}/bundle"
TREE = f"{BUNDLE}/rootfs"

_TOP = [name for name in ("bin", "lib", "lib32", "lib64", "sbin") if os.path.lexists(f"/{name}")]
LINKS = {name: os.readlink(f"/{name}") for name in _TOP if os.path.islink(f"/{name}")}
"""What are links into /usr on most systems."""
BOUND = ["/usr", *(f"/{name}" for name in _TOP if name not in LINKS)]
"""What holds the programs and their libraries."""
_EMPTY = ("dev", "etc", "proc", "root", "run", "sys", "tmp", "var")


class Runtime(
    namedtuple("Runtime", "name words room needs leaves also", defaults=((), "", (), ()))
):
    """A program that runs another in namespaces.

    Attributes:
        name: what it is called in the answer.
        words: the program and its arguments, up to the program inside.
        room: the namespaces of the room that it is run in, () if it leaves nothing behind.
        needs: what an ordinary user must have for it: "root", or "range", many ids; "" for nothing.
        leaves: control groups that it leaves behind, always or when it is killed: their names, in
            the caller's group or at the top of the hierarchy.
        also: programs that it needs beside.
    """

    __slots__ = ()

    def lacking(self) -> str:
        """Why it cannot be run, in a sentence; "" if nothing is seen to be missing."""
        program = self.words[0]
        if absent := next(filter(None, map(lacking, (program, *self.also))), ""):
            return absent
        if os.geteuid() == 0 or not self.needs:
            return ""
        if self.needs == "root":
            return f"{program} needs root: ask again as root."
        refused = missing([self.needs])
        return f"{program} needs more ids than one: {refused[self.needs]}." if refused else ""

    def command(self, inside: Sequence[str]) -> list[str]:
        """The whole command line to run this inside; crun and runc read that from their bundle."""
        return [*self.words, *(() if "--bundle" in self.words else inside)]


def _each(option: str, form: str) -> list[str]:
    return [word for path in BOUND for word in (option, form.format(path))]


def _oci_runtime(program: str) -> tuple[str, ...]:
    return (program, "--root", f"{ROOM}/{program}", "run", "--bundle", BUNDLE, NAME)


_BWRAP = (
    "bwrap", "--unshare-all",
    *(word for path in BOUND for word in ("--ro-bind", path, path)),
    *(word for name, to in LINKS.items() for word in ("--symlink", to, f"/{name}")),
    "--proc", "/proc", "--dev", "/dev",
)  # fmt: skip
_NSPAWN = (
    "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", f"--directory={TREE}",
    *(f"--bind-ro={path}" for path in BOUND), "--read-only", "--as-pid2", "--private-network",
    "--pipe", "--timezone=off", "--resolv-conf=off",
)  # fmt: skip
_LXC = ("lxc-execute", "-P", f"{ROOM}/lxc", "-n", NAME, "-f", f"{ROOM}/lxc.conf", "--")
_LXC_GROUPS = ("lxc.pivot", f"lxc.monitor.{NAME}", f"lxc.payload.{NAME}")
_PODMAN = (
    "podman", "--root", f"{ROOM}/podman/root", "--runroot", f"{ROOM}/podman/run",
    "--tmpdir", f"{ROOM}/podman/tmp", "--storage-driver", "vfs", "--events-backend", "none",
    "--cgroup-manager", "cgroupfs", "--runtime", "crun", "run", "--rm", "--network", "none",
    # No control groups: it would leave some behind.  Its default limits may be above ours.
    "--cgroups", "disabled", "--ulimit", "nofile=256:256", "--ulimit", "nproc=256:256",
    "--read-only", *_each("--volume", "{0}:{0}:ro"), "--rootfs", TREE,
)  # fmt: skip

BEFORE = "env, no namespace"
"""What is no runtime, but as much of a program as one must be: it starts, and executes another."""

RUNTIMES = (
    Runtime(BEFORE, ("env",)),
    Runtime("unshare, user", ("unshare", "-Ur")),
    Runtime("unshare, all eight", ("unshare", "-UrmpfuniCT")),
    Runtime("bwrap", _BWRAP),
    # In a PID namespace it takes itself for sandboxed already, and does nothing.
    Runtime("firejail", ("firejail", "--quiet", "--noprofile"), ("mnt",), "range"),
    Runtime("systemd-nspawn", _NSPAWN, ("mnt", "pid"), "root", ("payload", "supervisor")),
    Runtime("crun", _oci_runtime("crun"), ("mnt", "pid"), leaves=(NAME,)),
    Runtime("runc", _oci_runtime("runc"), ("mnt", "pid"), leaves=(NAME,)),
    Runtime("LXC", _LXC, ("mnt", "pid"), "root", _LXC_GROUPS),
    Runtime("podman", _PODMAN, ("mnt", "pid"), "range", also=("crun",)),
)
"""All but docker, which works by an engine outside."""

DOCKER = Runtime(
    "docker",
    ("docker", "run", "--rm", "--network", "none", "--read-only", *_each("-v", "{0}:{0}:ro"), NAME),
)


def lay_out(top: str) -> None:
    """Make the directories and links of the root file system, empty as yet."""
    for path in (*BOUND, *_EMPTY):
        os.makedirs(f"{top}/{path}", exist_ok=True)
    for name, to in LINKS.items():
        os.symlink(to, f"{top}/{name}")


def lxc() -> str:
    """lxc.container.conf(5): a network namespace with nothing in it, no AppArmor profile."""
    lines = [
        f"lxc.rootfs.path = dir:{TREE}",
        "lxc.uts.name = nsedu",
        "lxc.net.0.type = empty",
        "lxc.apparmor.profile = unconfined",
        "lxc.mount.auto = proc:mixed",
        *(f"lxc.mount.entry = {path} {path[1:]} none rbind,ro 0 0" for path in BOUND),
    ]
    return "\n".join(lines) + "\n"


def oci(rootless: bool) -> dict[str, Any]:
    """What is in config.json by the OCI runtime specification.

    Args:
        rootless: whether each container has a user namespace, as an ordinary user's must.
    """
    kinds = ["mount", "uts", "ipc", "pid", "network", "cgroup", *(["user"] if rootless else [])]
    one = [{"containerID": 0, "hostID": 0, "size": 1}] if rootless else []
    return {
        "ociVersion": "1.0.2",
        "process": {
            "args": [TRUE],
            "cwd": "/",
            "env": [f"PATH={os.defpath}"],
            "user": {"uid": 0, "gid": 0},
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "mounts": [
            {"destination": "/proc", "source": "proc", "type": "proc"},
            {"destination": "/dev", "source": "tmpfs", "type": "tmpfs", "options": ["mode=755"]},
            *(
                {"destination": path, "source": path, "type": "bind", "options": ["rbind", "ro"]}
                for path in BOUND
            ),
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in kinds],
            "uidMappings": one,
            "gidMappings": one,
        },
    }
