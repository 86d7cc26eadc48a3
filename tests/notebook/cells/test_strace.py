"""strace's output becomes a line for each call that concerns namespaces."""

from __future__ import annotations

import pytest

from nsedu.notebook.cells.strace_output import calls, decode

UNSHARE = """\
100 execve("/usr/bin/unshare", ["unshare", "-Ur", "sh"], 0x7ffe74c58e08 /* 35 vars */) = 0
100 openat(AT_FDCWD</tmp>, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3</etc/ld.so.cache>
100 unshare(CLONE_NEWUTS|CLONE_NEWUSER) = 0
100 openat(AT_FDCWD</tmp>, "/proc/self/uid_map", O_WRONLY) = 3</proc/100/uid_map>
100 write(3</proc/100/uid_map>, "0 1000 1", 8) = 8
100 write(1<pipe:[12]>, "uid_map\\n", 8) = 8
100 execve("/usr/local/bin/sh", ["sh"], 0x7ffe74c58e08 /* 35 vars */) = -1 ENOENT (No such file)
100 execve("/usr/bin/sh", ["sh"], 0x7ffe74c58e08 /* 35 vars */) = 0
100 vfork( <unfinished ...>
101 execve("/usr/bin/hostname", ["hostname", "x"], 0x559301667b08 /* 35 vars */ <unfinished ...>
100 <... vfork resumed>)              = 101
101 <... execve resumed>)             = 0
101 sethostname("phobos", 6)          = 0
"""


def test_only_the_calls_that_concern_namespaces_are_shown() -> None:
    assert decode(UNSHARE, [1000]) == [
        "A unshare   unshare(CLONE_NEWUTS|CLONE_NEWUSER)",
        'A unshare   write("/proc/self/uid_map", "0 ID 1")',
        'B hostname  sethostname("phobos")',
    ]


def test_a_call_is_put_together_from_where_it_began_and_where_it_ended() -> None:
    names = [(call.pid, call.name, call.result) for call in calls(UNSHARE)][-3:]
    assert names == [(100, "vfork", "101"), (101, "execve", "0"), (101, "sethostname", "0")]


def test_a_call_that_never_ended_is_left_out() -> None:
    assert list(calls('7 mount("a", "b", "c", 0, NULL <unfinished ...>\n')) == []


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            "clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_NEWPID|SIGCHLD,"
            " child_tidptr=0x7f7836210a10) = 19457",
            "clone(CLONE_NEWPID)",
        ),
        (
            "clone3({flags=CLONE_NEWNS|CLONE_NEWUTS, exit_signal=SIGCHLD, stack=NULL}, 88) = 9",
            "clone3(CLONE_NEWNS|CLONE_NEWUTS)",
        ),
        (
            'openat(AT_FDCWD</tmp>, "/proc/1/ns/uts", O_RDONLY) = 3<uts:[4026531838]>',
            'open("/proc/1/ns/uts") = uts:[4026531838]',
        ),
        (
            'openat(4</proc/8/ns>, "net", O_RDONLY) = 3<net:[4026531840]>',
            'open("/proc/self/ns/net") = net:[4026531840]',
        ),
        (
            'openat(AT_FDCWD</tmp>, "/proc/4711/ns/uts", O_RDONLY) = -1 EACCES (Permission denied)',
            'open("/proc/PID/ns/uts") = EACCES (Permission denied)',
        ),
        (
            "setns(3<uts:[4026531838]>, CLONE_NEWUTS) = -1 EPERM (Operation not permitted)",
            "setns(uts:[4026531838], CLONE_NEWUTS) = EPERM (Operation not permitted)",
        ),
        ("setns(3<anon_inode:[pidfd]>, CLONE_NEWNET) = 0", "setns(pidfd, CLONE_NEWNET)"),
        ("setns(3<pid:4711>, CLONE_NEWNET) = 0", "setns(pidfd, CLONE_NEWNET)"),
        (
            'mount("none", "/", NULL, MS_REC|MS_PRIVATE, NULL) = 0',
            'mount("none", "/", NULL, MS_REC|MS_PRIVATE, NULL)',
        ),
        (
            'mount("/proc/4711/ns/net", "/run/x", NULL, MS_BIND, 0x7f7836210a10) = 0',
            'mount("/proc/PID/ns/net", "/run/x", NULL, MS_BIND, …)',
        ),
        (
            'move_mount(4<anon_inode:[fsmount]>, "", AT_FDCWD</>, "/mnt", 0x4) = 0',
            'move_mount(fsmount, "", /, "/mnt", 0x4)',
        ),
        ('umount2("/proc", MNT_DETACH)      = 0', 'umount2("/proc", MNT_DETACH)'),
        ('pivot_root(".", ".") = 0', 'pivot_root(".", ".")'),
        (
            r'write(3</proc/9/gid_map>, "0 1000 1\n1 100000 10\n", 23) = 23',
            r'write("/proc/PID/gid_map", "0 ID 1\n1 100000 10")',
        ),
        (
            'write(3</proc/8/setgroups>, "deny", 4) = -1 EPERM (Operation not permitted)',
            'write("/proc/self/setgroups", "deny") = EPERM (Operation not permitted)',
        ),
        (
            r'write(3</proc/8/timens_offsets>, "7 1000 0", 8) = 8',
            'write("/proc/self/timens_offsets", "7 1000 0")',
        ),
    ],
)
def test_a_call_is_shown_without_what_differs_between_machines(line: str, shown: str) -> None:
    assert decode(f"8 {line}\n", [1000]) == [f"A   {shown}"]


@pytest.mark.parametrize(
    "line",
    [
        "clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD, child_tidptr=0x7f) = 9",
        'write(1</tmp/uid_map>, "0 0 1", 5) = 5',
        'openat(AT_FDCWD</tmp>, "/proc/self/status", O_RDONLY) = 3</proc/8/status>',
        "--- SIGCHLD {si_signo=SIGCHLD} ---",
        "+++ exited with 0 +++",
    ],
)
def test_other_calls_are_left_out(line: str) -> None:
    assert decode(f"8 {line}\n") == []


def test_an_id_of_root_stays_as_it_is_in_a_map() -> None:
    line = '8 write(3</proc/8/uid_map>, "0 0 1", 5) = 5\n'
    assert decode(line) == ['A   write("/proc/self/uid_map", "0 0 1")']


def test_letters_follow_the_order_of_appearance_beyond_z() -> None:
    text = "".join(f'{pid} chroot("/") = 0\n' for pid in range(130, 100, -1))
    letters = [line.split()[0] for line in decode(text)]
    assert letters[:2] == ["A", "B"] and letters[25:] == ["Z", "AA", "AB", "AC", "AD"]


def test_a_child_in_a_new_pid_namespace_runs_what_its_parent_runs() -> None:
    text = (
        '7 execve("/usr/bin/unshare", ["unshare"], 0x1 /* 1 var */) = 0\n'
        "7 clone(child_stack=NULL, flags=SIGCHLD) = 2\n"
        '8 chroot("/") = 0\n'
    )
    assert decode(text) == ['A unshare  chroot("/")']
