"""The rules that can stand behind a refusal: each looks at the facts, and answers if it is the one.

A function gets the step that failed (its words as "verb" and "name" if it needs them), the errno,
and the facts about the process; it returns the `Reason`, or None when this is not its case.
"""

from __future__ import annotations

import errno as _errno
import os
from typing import Any

from nsedu import programs
from nsedu.errors.namespace_error import Reason
from nsedu.kernel import syscalls
from nsedu.kernel.namespace_types import BY_NAME

MOST_NESTED = 32
README = 'see README, "What works where"'
DOCKER = (
    "start the container with --security-opt seccomp=unconfined"
    " --security-opt systempaths=unconfined, or use a virtual machine; " + README
)


def _need(type: str) -> str:
    """A namespace type as a need in the doctor's words."""
    return "userns" if type == "user" else type


def missing_type(verb: str, name: str, number: int, facts: dict[str, Any]) -> Reason | None:
    """The kernel does not have the type."""
    if verb not in ("unshare", "setns", "timens_offsets") or number not in (
        _errno.EINVAL,
        _errno.ENOENT,
    ):
        return None
    name = name or "time"
    if name not in facts.get("missing", ()):
        return None
    kind = BY_NAME[name]
    option = {"mnt": "NAMESPACES", "cgroup": "CGROUPS"}.get(name, f"{name.upper()}_NS")
    return Reason(
        f"this kernel was built without {kind.title} namespaces (CONFIG_{option}), or is older than"
        f" Linux {kind.kernel}",
        f"/proc/self/ns/{name} does not exist",
        "use a kernel that has them: any current distribution's does, User-Mode Linux may not",
        _need(name),
    )


def too_many(verb: str, name: str, number: int, facts: dict[str, Any]) -> Reason | None:
    """A limit on the number or the depth of namespaces is reached."""
    if verb not in ("unshare", "fork") or number not in (_errno.ENOSPC, _errno.EUSERS):
        return None
    limits = facts.get("limits", {})
    if verb == "fork":  # each type could be made alone
        lowest = min(limits, key=lambda kind: limits[kind], default="user")
        return Reason(
            "a limit on namespaces is used up for the moment: those of an ended sandbox are freed"
            " by and by (namespaces(7))",
            f"the lowest is {BY_NAME[lowest].sysctl}, which is {limits.get(lowest)}",
            f"try again; if that does not help, have root raise it (sysctl"
            f" {BY_NAME[lowest].sysctl}=10000)",
        )
    limit = limits.get(name)
    kind = BY_NAME[name]
    if limit is not None and limit < 64:
        return Reason(
            f"the sysctl {kind.sysctl} allows {limit} of this type per user here",
            f"/proc/sys/user/max_{name}_namespaces is {limit}",
            f"have root raise it (sysctl {kind.sysctl}=10000), or close sandboxes you do not need",
            "" if limit or facts.get("depth") else _need(name),  # a sandbox may have set its own
        )
    if kind.hierarchical and facts.get("depth", 0) >= MOST_NESTED - 4:
        return Reason(
            f"{kind.title} namespaces nest at most {MOST_NESTED} deep ({kind.man})",
            f"the sandbox around this one is {facts['depth']} deep, counted from this notebook",
            "close the innermost sandbox and make the new one further out",
        )
    return Reason(
        f"a limit on {kind.title} namespaces is used up: {kind.sysctl}, here or in a user namespace"
        f" further out, or the nesting depth of {MOST_NESTED}",
        f"{kind.sysctl} reads {limit} from inside",
        "close sandboxes you no longer need; if a container runtime or administrator set the limit,"
        f" have it raised (sysctl {kind.sysctl}=10000)",
    )


def threads(verb: str, name: str, number: int, facts: dict[str, Any]) -> Reason | None:
    """A process with threads may not do it."""
    if number not in (_errno.EINVAL, _errno.EUSERS) or facts.get("threads", 1) < 2:
        return None
    if verb not in ("unshare", "setns") or name not in ("user", "mnt", "time"):
        return None
    return Reason(
        "a process with several threads may not change this namespace (unshare(2), setns(2))",
        f"this process has {facts['threads']} threads",
        "do it in a child made by fork, or use nsedu.Sandbox, which does",
    )


def seccomp(step: str, verb: str, number: int, facts: dict[str, Any]) -> Reason | None:
    """A seccomp filter forbids the call."""
    if facts.get("seccomp") != 2 or number not in (_errno.EPERM, _errno.ENOSYS, _errno.EACCES):
        return None
    if verb not in ("unshare", "setns", "clone", "mount", "sethostname", "fork"):
        return None
    limit = facts.get("limits", {}).get("user")
    return Reason(
        "this process runs under a seccomp filter that forbids the call, as in a Docker container",
        f"Seccomp: 2 in /proc/self/status; {verb} was refused although user.max_user_namespaces is"
        f" {limit} and AppArmor's restriction is"
        f" {'on' if facts.get('apparmor') == '1' else 'not set'}",
        DOCKER,
        _REFUSED.get(step, _need(step.partition(" ")[2])),
    )


_REFUSED = {"fork": "userns", "clone": "userns", "mount private": "mnt", "sethostname": "uts"}
"""Steps that do not say which type cannot be had when they are refused."""


def distribution(
    step: str, verb: str, name: str, number: int, facts: dict[str, Any]
) -> Reason | None:
    """A rule that distributions add, or the rule against chroots."""
    if number not in (_errno.EPERM, _errno.EACCES) or (facts.get("uid") == 0 and verb == "unshare"):
        return None
    if name == "user" and facts.get("userns_clone") == "0":
        return Reason(
            "this system lets only root create user namespaces",
            "the sysctl kernel.unprivileged_userns_clone is 0",
            "have root run: sysctl kernel.unprivileged_userns_clone=1",
            "userns",
        )
    stripped = (
        "unshare",
        "setgroups",
        "uid_map",
        "gid_map",
        "lo",
        "mount",
        "sethostname",
        "timens_offsets",
    )
    if facts.get("apparmor") == "1" and verb in stripped:
        return Reason(
            "AppArmor takes the capabilities away from an unprivileged user's namespaces"
            " (Ubuntu 23.10 and later)",
            "the sysctl kernel.apparmor_restrict_unprivileged_userns is 1",
            "have root run: sysctl kernel.apparmor_restrict_unprivileged_userns=0, or install an"
            f" AppArmor profile with the userns rule for your Python; {README}",
            "userns",
        )
    if name == "user" and facts.get("chroot"):
        return Reason(
            "a process inside a chroot may not create a user namespace (unshare(2), EPERM)",
            "no mount of this process is at /",
            "leave the chroot, or enter the directory by pivot_root(2) as container engines do",
        )
    return None


def grants(step: str, number: int, facts: dict[str, Any]) -> Reason | None:
    """A range of ids was not granted."""
    if step not in ("newuidmap", "newgidmap"):
        return None
    kind = step[3:6]
    if number == _errno.ENOENT and facts.get("uid") is not None:
        return Reason(
            f"a range of ids needs the program {step} and a grant in /etc/sub{kind}",
            f"{step} or a line for uid {os.getuid()} in /etc/sub{kind} was not found",
            f"as root: {programs.remedy('newuidmap')}, then usermod --add-subuids 100000-165535"
            " --add-subgids 100000-165535 YOU; or do without: user=True maps one id",
            "range",
        )
    if number == _errno.ETIMEDOUT:
        return Reason(
            f"{step} did not finish within 10 s and was ended",
            "it may wait for a name service that does not answer (nsswitch.conf(5))",
            "use user=True (one id), or try again",
        )
    why = f"the grant in /etc/sub{kind} does not cover the range, or {step} is not setuid root"
    if facts.get("no_new_privs"):
        why = "NoNewPrivs is set, so the setuid program gains nothing"
    return Reason(
        f"{step} refused the range",
        why,
        "use user=True (one id), or ask the administrator for a setuid newuidmap and a grant",
        "range",
    )


def lending(step: str) -> Reason | None:
    """Root has no id to lend, or nobody to become."""
    if step == "join unmapped":
        return Reason(
            "root becomes somebody of a user namespace that it joins, or else its owner would get a"
            " process of root's; this one maps no id yet (user_namespaces(7))",
            "its uid_map or its gid_map is empty",
            "wait until its maps are written, or join it as the user whose it is",
        )
    if step == "join root's":
        return Reason(
            "who is in a user namespace that maps root's own id can be root outside, too"
            " (user_namespaces(7)), and a sandbox of root's shall not be",
            "0 is an outside id of its uid_map or its gid_map",
            "join the process's other namespaces only, or ask for root's power with user=False",
        )
    if step != "lend":
        return None
    return Reason(
        "what root starts here runs as an id that is nobody's outside, so that it can do no more to"
        " the machine than an ordinary user; to become one takes CAP_SETUID and CAP_SETGID, and a"
        " user namespace with more ids than one (user_namespaces(7))",
        f"effective capabilities {syscalls.capget()[0]:#x}",
        "run the notebook as an ordinary user, or give it the two capabilities; a sandbox can be"
        " root's own by user=False",
    )


def no_proc(number: int, facts: dict[str, Any]) -> Reason | None:
    """There is no /proc where it was refused, as after a change of the root."""
    if number != _errno.ENOENT or facts.get("proc", True):
        return None
    return Reason(
        "no proc file system is mounted there, and id maps and namespaces are reached through it",
        "/proc/self does not exist",
        "mount one in the sandbox first: mount -t proc proc /proc",
    )


def mounts(step: str, number: int, facts: dict[str, Any]) -> Reason | None:
    """A fresh file system would uncover what is covered."""
    if step not in ("mount proc", "mount sysfs") or number not in (_errno.EPERM, _errno.EACCES):
        return None
    where, without = ("/proc", "pid") if step == "mount proc" else ("/sys", "net")
    masked = [path for path in facts.get("masked") or [] if path.startswith(where)]
    return Reason(
        f"parts of {where} are covered here, and a fresh one would uncover them"
        " (mount_namespaces(7), restrictions)",
        f"mounted over: {', '.join(masked[:4]) or 'below ' + where}",
        "start the container with --security-opt systempaths=unconfined (Podman: --security-opt"
        f" unmask=ALL), or use a virtual machine; without that, make the sandbox with {without} but"
        " not mnt",
        "proc" if where == "/proc" else "",
    )


def control_groups(step: str, number: int, facts: dict[str, Any]) -> Reason | None:
    """The control group cannot be made, entered or limited."""
    if step != "cgroup":
        return None
    if number in (_errno.EINVAL, _errno.ERANGE):
        return Reason(
            "the controller does not take this value (cgroups(7))", "",
            "choose one within its bounds: pids up to 4194304, cpu up to the number of cores",
        )  # fmt: skip
    if number == _errno.ENOENT:
        rule = "the controller for this limit is not available on this machine"
    else:
        rule = "the control group file system does not let this user make or enter a group here"
    return Reason(
        f"{rule} (cgroups(7))",
        f"the kernel said: {os.strerror(number)}",
        "leave out limits=, or begin with a group that is delegated to you:"
        " systemd-run --user --scope -p Delegate=yes make lab",
        "cgroup-write",
    )


_EXEC = {  # the rules of execve(2)
    _errno.ENOENT: (
        "there is no such program on the PATH inside the sandbox",
        "check the spelling, or install the program; nsedu.doctor() lists what the course uses",
    ),
    _errno.E2BIG: (
        "the arguments and the environment are longer than the kernel takes: 128 KiB for one word",
        "pass what is long by input=, or in a file",
    ),
    _errno.ENOEXEC: (
        "the file is executable, but no program: {}",
        "if it is a script, begin it with #! and the interpreter",
    ),
    0: (
        "the program cannot be executed: {}",
        "check its permission bits, and whether its file system is mounted noexec",
    ),
}


def commands(step: str, number: int, facts: dict[str, Any]) -> Reason | None:
    """A program or a process cannot be started."""
    if step == "timens_offsets" and number == _errno.ERANGE:
        return Reason(
            "a clock with its offset may neither be negative nor reach half of what the kernel can"
            " count, some 146 years (time_namespaces(7), ERANGE)", "",
            "choose an offset above minus the time since boot, and below 146 years",
        )  # fmt: skip
    if step == "answer":
        return Reason(
            "this is a bug of nsedu; the sandbox and what runs in it go on", "",
            "use it in another way, and report the cell's code with this text",
        )  # fmt: skip
    if step == "exec":
        rule, remedy = _EXEC.get(number, _EXEC[0])
        return Reason(rule.format(os.strerror(number)), "", remedy)
    if step == "fork" and number == _errno.ENOMEM:
        return Reason(
            "the pid namespace has lost its first process, so nobody can be born in it any more"
            " (pid_namespaces(7))", "", "make a new sandbox",
        )  # fmt: skip
    if step in ("fork", "agent") and number == _errno.EAGAIN:
        return Reason(
            "the number of processes is limited, by pids.max of a control group or RLIMIT_NPROC"
            " (fork(2))",
            "", "raise limits={'pids': …}, or end processes of this user",
        )  # fmt: skip
    return None


def capability(
    step: str, verb: str, name: str, number: int, facts: dict[str, Any]
) -> Reason | None:
    """A capability is missing."""
    if number != _errno.EPERM:
        return None
    if verb == "setns":
        return Reason(
            f"a {BY_NAME[name].title} namespace can be entered only with CAP_SYS_ADMIN in the user"
            " namespace that owns it (setns(2))",
            f"effective capabilities {facts.get('cap_eff', 0):#x}, uid {facts.get('uid')}",
            'enter its owner, too: join=BOX, or join={"user": BOX, …} without a new "user"; the'
            " processes of another user only root can join",
        )
    if verb == "unshare" and name != "user":
        return Reason(
            f"a {BY_NAME[name].title} namespace needs CAP_SYS_ADMIN in one's user namespace",
            f"effective capabilities {facts.get('cap_eff', 0):#x}, uid {facts.get('uid')}",
            'put a user namespace first: leave user=True, or add "user" to the types',
        )
    if verb == "unshare":
        return Reason(
            "a user namespace may not be created inside a chroot, nor by who has no mapped id"
            " (unshare(2), EPERM); a security module can refuse it, too",
            f"no seccomp filter is set and {BY_NAME['user'].sysctl} is"
            f" {facts.get('limits', {}).get('user')}",
            "leave the chroot, or enter the directory by pivot_root(2) as container engines do;"
            " otherwise look for a denial in the kernel log (dmesg)",
        )
    if step == "sethostname":
        return Reason(
            "the host name may be set only with CAP_SYS_ADMIN in the user namespace that owns the"
            " UTS namespace (sethostname(2))",
            f"effective capabilities {facts.get('cap_eff', 0):#x}",
            'give the sandbox its own: nsedu.Sandbox("uts", hostname=…)',
        )
    return None
