"""From (step, errno, facts) to a reason that teaches; and the facts, gathered live."""

from __future__ import annotations

import errno
import os
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsedu import TYPES, NamespaceError, Sandbox
from nsedu.errors import explain, namespace_error
from nsedu.errors.namespace_error import Reason
from nsedu.errors.process_facts import facts as gather

PLAIN: dict[str, Any] = {
    "uid": 1000, "seccomp": 0, "no_new_privs": 0, "threads": 1, "cap_eff": 0,
    "limits": dict.fromkeys(TYPES, 96365), "userns_clone": None, "apparmor": None, "missing": [],
    "chroot": False, "masked": [], "depth": 0,
}  # fmt: skip
STEPS = (
    *(f"{verb} {name}" for verb in ("unshare", "setns") for name in TYPES),
    "setgroups", "uid_map", "gid_map", "newuidmap", "newgidmap", "mount private", "mount proc",
    "mount sysfs", "lo up", "sethostname", "timens_offsets", "cgroup", "fork", "exec", "agent",
    "start",
)  # fmt: skip


@pytest.mark.parametrize(
    ("step", "number", "facts", "rule", "remedy"),
    [
        # seccomp
        ("unshare user", errno.EPERM, {"seccomp": 2}, "seccomp filter", "seccomp=unconfined"),
        ("unshare net", errno.EPERM, {"seccomp": 2, "uid": 0}, "seccomp filter", "seccomp="),
        ("mount private", errno.EPERM, {"seccomp": 2}, "seccomp filter", "seccomp=unconfined"),
        ("setns pid", errno.EPERM, {"seccomp": 2}, "seccomp filter", "seccomp=unconfined"),
        ("unshare user", errno.ENOSYS, {"seccomp": 2}, "seccomp filter", "virtual machine"),
        # sysctls
        ("unshare user", errno.ENOSPC, {"limits": {"user": 0}},
         "user.max_user_namespaces allows 0", "sysctl user.max_user_namespaces="),
        ("unshare net", errno.ENOSPC, {"limits": {"net": 2}},
         "user.max_net_namespaces allows 2", "sysctl user.max_net_namespaces="),
        ("unshare uts", errno.ENOSPC, {}, "user.max_uts_namespaces", "close sandboxes"),
        ("fork", errno.ENOSPC, {"limits": {"net": 2, "pid": 9}},
         "used up for the moment", "user.max_net_namespaces"),
        ("unshare user", errno.EPERM, {"userns_clone": "0"},
         "only root create user namespaces", "sysctl kernel.unprivileged_userns_clone=1"),
        # AppArmor as in Ubuntu 24.04: created, but without capabilities
        *[(step, number, {"apparmor": "1"}, "AppArmor",
           "sysctl kernel.apparmor_restrict_unprivileged_userns=0")
          for step, number in (
              ("unshare user", errno.EACCES), ("unshare net", errno.EPERM),
              ("uid_map", errno.EPERM), ("setgroups", errno.EACCES), ("lo up", errno.EPERM),
              ("mount private", errno.EACCES), ("mount proc", errno.EPERM),
              ("sethostname", errno.EPERM), ("timens_offsets", errno.EACCES))],
        # the kernel's own rules
        ("unshare user", errno.EPERM, {"chroot": True}, "inside a chroot", "pivot_root(2)"),
        ("unshare user", errno.EPERM, {}, "inside a chroot", "dmesg"),
        ("unshare time", errno.EINVAL, {"missing": ["time"]}, "CONFIG_TIME_NS", "use a kernel"),
        ("unshare cgroup", errno.EINVAL, {"missing": ["cgroup"]}, "Linux 4.6", "use a kernel"),
        ("timens_offsets", errno.ENOENT, {"missing": ["time"]}, "CONFIG_TIME_NS", "use a kernel"),
        ("unshare user", errno.ENOSPC, {"depth": 32}, "at most 32 deep", "further out"),
        ("unshare pid", errno.ENOSPC, {"depth": 31}, "at most 32 deep", "further out"),
        ("unshare user", errno.EUSERS, {"depth": 31}, "at most 32 deep", "further out"),
        ("unshare user", errno.EINVAL, {"threads": 13}, "several threads", "nsedu.Sandbox"),
        ("setns mnt", errno.EINVAL, {"threads": 2}, "several threads", "fork"),
        ("setns time", errno.EUSERS, {"threads": 2}, "several threads", "fork"),
        ("unshare uts", errno.EPERM, {}, "needs CAP_SYS_ADMIN", "leave user=True"),
        ("setns net", errno.EPERM, {}, "user namespace that owns it", "join=BOX"),
        ("sethostname", errno.EPERM, {}, "CAP_SYS_ADMIN", "hostname="),
        ("timens_offsets", errno.ERANGE, {}, "negative", "146 years"),
        # ranges
        ("newuidmap", errno.ENOENT, {}, "/etc/subuid", "usermod --add-subuids"),
        ("newgidmap", errno.ENOENT, {}, "/etc/subgid", "apt install uidmap"),
        ("newuidmap", errno.EPERM, {"no_new_privs": 1}, "newuidmap refused", "user=True"),
        # masked
        ("mount proc", errno.EPERM, {"masked": ["/proc/kcore"]}, "/proc are covered",
         "systempaths=unconfined"),
        ("mount proc", errno.EPERM, {"masked": ["/proc/kcore"], "seccomp": 2},
         "/proc are covered", "unmask=ALL"),
        ("mount proc", errno.EPERM, {"seccomp": 2}, "seccomp filter", "seccomp=unconfined"),
        ("mount sysfs", errno.EPERM, {}, "/sys are covered", "virtual machine"),
        # control groups
        ("cgroup", errno.EACCES, {}, "does not let this user make", "Delegate=yes"),
        ("cgroup", errno.EROFS, {"uid": 0}, "does not let this user make", "leave out limits="),
        ("cgroup", errno.ENOENT, {}, "controller for this limit is not available", "limits="),
        ("cgroup", errno.EINVAL, {}, "does not take this value", "within its bounds"),
        # commands
        ("exec", errno.ENOENT, {}, "no such program", "install the program"),
        ("exec", errno.EACCES, {}, "cannot be executed", "permission bits"),
        ("fork", errno.ENOMEM, {}, "lost its first process", "make a new sandbox"),
        ("fork", errno.EAGAIN, {}, "number of processes is limited", "limits="),
    ],
)  # fmt: skip
def test_a_refusal_is_traced_to_its_rule_and_a_remedy(
    step: str, number: int, facts: dict[str, Any], rule: str, remedy: str
) -> None:
    reason = explain.explain(step, number, {**PLAIN, **facts})
    assert rule in reason.rule
    assert remedy in reason.remedy


@pytest.mark.parametrize(
    ("step", "number", "facts", "lacks"),
    [
        ("unshare user", errno.EPERM, {"seccomp": 2}, "userns"),
        ("unshare net", errno.EPERM, {"seccomp": 2}, "net"),
        ("fork", errno.EPERM, {"seccomp": 2}, "userns"),
        ("mount private", errno.EPERM, {"seccomp": 2}, "mnt"),
        ("sethostname", errno.EPERM, {"seccomp": 2}, "uts"),
        ("mount proc", errno.EPERM, {"masked": ["/proc/kcore"]}, "proc"),
        ("unshare user", errno.EPERM, {"userns_clone": "0"}, "userns"),
        ("uid_map", errno.EPERM, {"apparmor": "1"}, "userns"),
        ("unshare time", errno.EINVAL, {"missing": ["time"]}, "time"),
        ("unshare user", errno.ENOSPC, {"limits": {"user": 0}}, "userns"),
        ("unshare user", errno.ENOSPC, {"limits": {"user": 0}, "depth": 1}, ""),
        ("unshare user", errno.ENOSPC, {"limits": {"user": 2}}, ""),
        ("unshare uts", errno.EPERM, {}, ""),
        ("exec", errno.ENOENT, {}, ""),
    ],
)
def test_what_no_other_call_could_do_here_is_a_lack_of_the_machine(
    step: str, number: int, facts: dict[str, Any], lacks: str
) -> None:
    assert explain.explain(step, number, {**PLAIN, **facts}).lacks == lacks


def test_a_newuidmap_that_gains_nothing_is_told_from_one_without_a_grant() -> None:
    facts = {**PLAIN, "no_new_privs": 1}
    assert "NoNewPrivs is set" in explain.explain("newuidmap", errno.EPERM, facts).evidence
    facts["no_new_privs"] = 0
    assert "does not cover the range" in explain.explain("newuidmap", errno.EPERM, facts).evidence


def test_apparmor_is_not_blamed_for_what_is_refused_to_root() -> None:
    facts = {**PLAIN, "uid": 0, "apparmor": "1"}
    assert "AppArmor" not in explain.explain("unshare user", errno.EPERM, facts).rule


def test_what_has_no_known_rule_is_told_as_the_kernel_says_it() -> None:
    reason = explain.explain("lo up", errno.EIO, PLAIN)
    assert reason.rule == "the kernel said: Input/output error"
    assert "doctor()" in reason.remedy


known_facts = st.fixed_dictionaries(
    {},
    optional={
        "uid": st.integers(0, 2000), "seccomp": st.integers(0, 2),
        "no_new_privs": st.integers(0, 1), "threads": st.integers(1, 9),
        "cap_eff": st.integers(0, 2**41), "depth": st.integers(0, 33),
        "limits": st.dictionaries(st.sampled_from(TYPES), st.integers(0, 10**5)),
        "userns_clone": st.sampled_from([None, "0", "1"]),
        "apparmor": st.sampled_from([None, "0", "1"]), "chroot": st.booleans(),
        "missing": st.lists(st.sampled_from(TYPES)), "masked": st.lists(st.just("/proc/kcore")),
    },
)  # fmt: skip


@settings(max_examples=300)
@given(st.sampled_from(STEPS), st.sampled_from(sorted(errno.errorcode)), known_facts)
def test_every_refusal_is_explained_in_sentences_whatever_is_known(
    step: str, number: int, facts: dict[str, Any]
) -> None:
    reason = explain.explain(step, number, facts)
    text = str(NamespaceError(step, number, "call()", reason))
    first, *lines = text.splitlines()
    assert re.fullmatch(r"could not [a-z].* \(call\(\): E[A-Z0-9]+\)\.", first)
    labels = [line[:14].strip() for line in lines]
    assert labels in (["Rule", "Evidence", "What to do"], ["Rule", "What to do"])
    assert all(len(line) > 24 and line.endswith(".") and ".." not in line for line in lines)


@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_described_in_words(step: str) -> None:
    assert " " in namespace_error.describe(step)
    assert "a IPC" not in namespace_error.describe(step)


# The error itself


def example() -> NamespaceError:
    message = {"failed": "unshare user", "errno": errno.EPERM, "call": "unshare(CLONE_NEWUSER)"}
    return explain.error({**message, "facts": {**PLAIN, "seccomp": 2}})


def test_an_error_teaches() -> None:
    assert str(example()).splitlines() == [
        "could not create a user namespace (unshare(CLONE_NEWUSER): EPERM).",
        "  Rule        this process runs under a seccomp filter that forbids the call, as in a"
        " Docker container.",
        "  Evidence    Seccomp: 2 in /proc/self/status; unshare was refused although"
        " user.max_user_namespaces is 96365 and AppArmor's restriction is not set.",
        "  What to do  start the container with --security-opt seccomp=unconfined --security-opt"
        " systempaths=unconfined, or use a virtual machine; see README, \"What works where\".",
    ]  # fmt: skip


def test_an_error_has_step_errno_cause_and_remedy() -> None:
    error = example()
    assert isinstance(error, OSError)
    assert (error.step, error.errno) == ("unshare user", errno.EPERM)
    assert error.cause.startswith("this process runs under a seccomp filter")
    assert "Seccomp: 2" in error.cause
    assert error.remedy.startswith("start the container with")


def test_an_error_travels_between_processes() -> None:
    error = example()
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is NamespaceError
    assert (str(again), again.step, again.errno) == (str(error), error.step, error.errno)


def test_a_notebook_shows_the_sentence_and_no_traceback() -> None:
    assert example()._render_traceback_() == [f"NamespaceError: {example()}"]


def test_without_evidence_the_cause_is_the_rule() -> None:
    error = NamespaceError("exec", errno.ENOENT, "x", Reason("no such program", "", "install it"))
    assert error.cause == "no such program"
    assert "Evidence" not in str(error)


# Facts


def test_the_facts_are_what_proc_says() -> None:
    facts = gather()
    status = dict(
        line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines()
    )
    assert facts["uid"] == os.geteuid()
    assert facts["seccomp"] == int(status["Seccomp"])
    assert facts["cap_eff"] == int(status["CapEff"], 16)
    assert set(facts["missing"]) == set(TYPES) - set(os.listdir("/proc/self/ns"))
    assert facts["limits"]["uts"] == int(Path("/proc/sys/user/max_uts_namespaces").read_text())
    assert facts["chroot"] is False


@pytest.mark.needs("userns", "mnt", "pid")
def test_covered_files_of_proc_are_seen() -> None:
    with Sandbox("mnt", "pid") as box:
        box.run("mount --bind /dev/null /proc/version")
        assert box.call(gather)["masked"] == ["/proc/version"]


@pytest.mark.needs("userns", "mnt", "pid")
def test_a_chroot_is_seen(open_path: Path) -> None:
    (open_path / "proc").mkdir()

    def look() -> tuple[bool, str]:
        from nsedu.errors import explain
        from nsedu.errors.process_facts import facts as gather
        from nsedu.kernel import namespace_types, syscalls

        syscalls.mount("proc", open_path / "proc", "proc")
        os.chroot(open_path)
        try:
            syscalls.unshare(namespace_types.CloneFlag.NEWUSER)
        except PermissionError as refused:
            facts = gather()
            return facts["chroot"], explain.explain("unshare user", refused.errno or 0, facts).rule
        return False, ""

    with Sandbox("mnt", "pid") as box:
        seen, rule = box.call(look)
    assert seen and "inside a chroot" in rule


@pytest.mark.needs("userns", "mnt", "pid")
def test_the_facts_of_a_machine_without_proc_are_unknown(open_path: Path) -> None:
    def look() -> Any:
        from nsedu.errors import explain
        from nsedu.errors.process_facts import facts as gather

        os.chroot(open_path)
        facts = gather()
        return facts["limits"], str(explain.explain("unshare uts", errno.EPERM, facts))

    with Sandbox("mnt") as box:
        limits, reason = box.call(look)
    assert limits == {} and "CAP_SYS_ADMIN" in reason
