"""What the options that /proc is mounted with keep from its readers (proc(5), "Mount options")."""

from __future__ import annotations

import os

from nsedu.kernel import syscalls
from nsedu.kernel.mountinfo import parse_mount
from nsedu.kernel.procfs import parse_status, read
from nsedu.observe.namespace_graph import INITIAL

HIDDEN = "processes of other users, which the hidepid option of /proc hides"
LEFT_OUT = "what the kernel tells beside processes, which /proc with subset=pid leaves out"
CAP_SYS_PTRACE = 19  # <linux/capability.h>


def unseen() -> list[str]:
    """What the /proc in use does not even list to this process; nothing, as a rule."""
    options = _options()
    listed = options.get("hidepid") in ("1", "noaccess")  # and closed: who reads them counts them
    found = [HIDDEN] if _hides(options) and not listed else []
    return found + ([LEFT_OUT] if options.get("subset") == "pid" else [])


def probe() -> str | None:
    """None if /proc shows this process everything, else why not and what to do."""
    options = _options()
    if _hides(options):
        said = f"hidepid={options['hidepid']}, which hides the processes of other users"
        return f"/proc is mounted with {said}; as root: mount -o remount,hidepid=0 /proc"
    if options.get("subset") == "pid":
        said = "subset=pid, which leaves out all but processes"
        return f"/proc is mounted with {said}; as root: mount -t proc proc /proc"
    return None


def _options() -> dict[str, str]:
    device = os.stat("/proc").st_dev
    name = f"{os.major(device)}:{os.minor(device)}"
    try:
        table = read("/proc/self/mountinfo")
    except FileNotFoundError:  # no /proc, or one that does not show this process
        return {}
    for line in table.split(b"\n"):
        if b" - proc " in line and (mount := parse_mount(line)).device == name:
            pairs = (option.partition("=") for option in mount.super_options)
            return {name: value for name, _, value in pairs}
    return {}


def _hides(options: dict[str, str]) -> bool:
    hidepid = options.get("hidepid", "0")
    if hidepid in ("0", "off"):
        return False
    user = os.stat("/proc/self/ns/user").st_ino
    if _may_trace() and _owner_of_pids() == user:
        return False
    # A group may be told to see all; unless one is named, it is root's of the initial namespace.
    group = int(options.get("gid", "0"))
    named = "gid" in options or ("user", user) in INITIAL
    member = named and group in (os.getegid(), *os.getgroups())
    return not member or hidepid in ("4", "ptraceable")


def _may_trace() -> bool:
    capabilities = parse_status(read("/proc/self/status"))["CapEff"]
    return bool(int(capabilities, 16) >> CAP_SYS_PTRACE & 1)


def _owner_of_pids() -> int | None:
    """The user namespace that owns the pid namespace of this process, if that may be known."""
    pids = syscalls.nsfd(int(os.readlink("/proc/self")), "pid")
    try:
        owner = syscalls.ns_get_userns(pids)
    except OSError:
        return None
    finally:
        os.close(pids)
    try:
        return os.fstat(owner).st_ino
    finally:
        os.close(owner)
