"""The kernel ABI: every constant against the kernel's headers, every call on the running kernel."""

from __future__ import annotations

import errno
import functools
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

import nsedu as ns
from nsedu.kernel import nsfs_ioctls, syscalls
from nsedu.kernel.namespace_types import CATALOGUE, LINKS, CloneFlag, NsType
from waiting import child

CONSTANTS = {
    name: value
    for name, value in vars(syscalls).items()
    if re.fullmatch(r"[A-Z][A-Za-z0-9]*_\w+|SIOC\w+", name) and type(value) is int
}
FLAGS = {kind.clone_flag: int(kind.flag) for kind in CATALOGUE}
PIDFD = {
    f"PIDFD_GET_{link.upper()}_NAMESPACE": value for link, value in nsfs_ioctls.PIDFD_GET.items()
}

# What Debian 12's headers (Linux 6.1) lack; newer headers are compared all the same.
NEWER_THAN_6_1 = {
    *(name for name in CONSTANTS if re.match(r"NS_MNT_|NS_GET_(\w+_PIDNS|ID|MNTNS_ID)", name)),
    *(name for name in CONSTANTS if re.match(r"(SYS_)?(STATMOUNT|LISTMOUNT|LSMT)", name, re.I)),
    *PIDFD,
}  # fmt: skip
INCLUDES = (
    "linux/fcntl.h", "linux/mount.h", "linux/nsfs.h", "linux/pidfd.h", "linux/prctl.h",
    "linux/sched.h", "linux/sockios.h", "sys/ioctl.h", "sys/syscall.h",
)  # fmt: skip


@functools.cache
def headers() -> dict[str, int]:
    """What the headers say of our constants, as far as they have them."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not Path("/usr/include/linux/nsfs.h").exists():
        pytest.skip("no C compiler or kernel headers: apt install gcc libc6-dev.")
    lines = [f"#if __has_include(<{name}>)\n#include <{name}>\n#endif" for name in INCLUDES]
    lines.append("#include <stdio.h>\nint main(void) {")
    for name in {**CONSTANTS, **FLAGS, **PIDFD}:
        lines.append(
            f'#ifdef {name}\nprintf("{name} %llu\\n", (unsigned long long){name});\n#endif'
        )
    lines.append("return 0; }")
    with tempfile.TemporaryDirectory() as directory:
        source, program = Path(directory, "constants.c"), Path(directory, "constants")
        source.write_text("\n".join(lines))
        subprocess.run([compiler, "-o", program, source], check=True)
        said = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    return {name: int(value) for name, value in map(str.split, said.splitlines())}


@pytest.mark.parametrize("name", sorted({**CONSTANTS, **FLAGS, **PIDFD}))
def test_a_constant_is_what_the_kernel_headers_say(name: str) -> None:
    known = headers()
    # MNT_DETACH stands in the C library's <sys/mount.h> alone, which cannot be had together with
    # <linux/mount.h>; tests below use it.
    if name not in known and name in NEWER_THAN_6_1 | {"MNT_DETACH"}:
        pytest.skip("these headers do not have it; it is tried on the running kernel below.")
    # ioctl's request and the flags of clone3 are unsigned.
    assert known[name] == {**CONSTANTS, **FLAGS, **PIDFD}[name]


# The running kernel. What changes a process is tried in a child, and a child that fails says why.


@contextmanager
def namespace(kind: str, pid: int | str = "self") -> Iterator[int]:
    fd = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
    try:
        yield fd
    finally:
        os.close(fd)


def in_child(function: Callable[[], object]) -> str:
    """Run a function in a fork; returns what it returned, or the error it raised, as text."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = str(function())
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        os.write(write, answer.encode())
        os._exit(0)
    os.close(write)
    with open(read) as file:
        answer = file.read()
    os.waitpid(pid, 0)
    return answer


def lodger(*types: str) -> AbstractContextManager[int]:
    """A child in new namespaces, a user namespace among them, until the end of the block."""
    return child(lambda: new_user_namespace(*types))


def new_user_namespace(*others: str) -> None:
    """Unshare a user namespace, with our own id in it as root's, and further ones."""
    uid, gid = os.geteuid(), os.getegid()
    syscalls.unshare(CloneFlag.NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    for kind in others:
        syscalls.unshare(next(t.flag for t in CATALOGUE if t.name == kind))


def unsupported(error: OSError) -> bool:
    return error.errno in (errno.ENOTTY, errno.ENOSYS, errno.EINVAL)


@pytest.mark.needs("userns")
@pytest.mark.parametrize("kind", CATALOGUE, ids=lambda kind: kind.name)
def test_unshare_changes_the_link_of_its_type_alone(kind: NsType) -> None:
    def links() -> dict[str, str]:
        return {link: target(link) for link in os.listdir("/proc/self/ns")}

    def target(link: str) -> str:
        try:
            return os.readlink(f"/proc/self/ns/{link}")
        except FileNotFoundError:  # a new pid namespace, until somebody is born in it
            return ""

    def changed() -> list[str]:
        if kind.name != "user":
            new_user_namespace()
        before = links()
        syscalls.unshare(kind.flag)
        return sorted(link for link, seen in links().items() if seen != before[link])

    assert in_child(changed) == repr(
        [f"{kind.name}_for_children"] if kind.name in ("pid", "time") else [kind.name]
    )


def test_a_refused_unshare_reads_like_a_line_of_strace() -> None:
    assert in_child(lambda: syscalls.unshare(0x1)) == (
        "OSError: [Errno 22] Invalid argument: 'unshare(1)'"
    )


@pytest.mark.needs("userns")
def test_setns_by_pidfd_takes_several_flags_at_once() -> None:
    kinds = ("user", "uts", "ipc")
    with lodger("uts", "ipc") as pid:
        pidfd = os.pidfd_open(pid)

        def joined() -> list[bool]:
            syscalls.setns(pidfd, CloneFlag.NEWUSER | CloneFlag.NEWUTS | CloneFlag.NEWIPC)
            links = ((f"/proc/self/ns/{kind}", f"/proc/{pid}/ns/{kind}") for kind in kinds)
            return [os.readlink(mine) == os.readlink(theirs) for mine, theirs in links]

        assert in_child(joined) == "[True, True, True]"
        os.close(pidfd)


def test_setns_with_the_wrong_type_is_refused() -> None:
    with namespace("uts") as fd:
        answer = in_child(lambda: syscalls.setns(fd, CloneFlag.NEWNET))
    assert answer == f"OSError: [Errno 22] Invalid argument: 'setns({fd}, CLONE_NEWNET)'"


def clone_alone(make: Callable[[int], int], flags: int, end: Callable[[], int]) -> str:
    """The exit status of a clone that ends with end(), made in a process with one thread.

    Where there are threads, as in a worker of the test runner, a raw clone may hang for ever: the
    locks that other threads held are never released in it.
    """

    def status() -> int:
        pid = make(flags)
        if pid == 0:
            os._exit(end())
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    answer = in_child(status)
    if answer.startswith(f"OSError: [Errno {errno.ENOSYS}]"):
        pytest.skip("this kernel, or a seccomp filter, has no clone3 (Linux 5.3).")
    return answer


@pytest.mark.parametrize("make", [syscalls.clone, syscalls.clone3])
def test_clone_returns_twice(make: Callable[[int], int]) -> None:
    assert clone_alone(make, 0, lambda: 7) == "7"


@pytest.mark.needs("userns")
@pytest.mark.parametrize("make", [syscalls.clone, syscalls.clone3])
def test_clone_makes_a_child_that_is_number_one(make: Callable[[int], int]) -> None:
    assert clone_alone(make, CloneFlag.NEWUSER | CloneFlag.NEWPID, os.getpid) == "1"


def test_clone3_refuses_a_descriptor_that_is_no_control_group() -> None:
    with open("/dev/null") as file:
        said = in_child(lambda: syscalls.clone3(cgroup=file.fileno()))
    assert re.match(rf"OSError: \[Errno ({errno.EBADF}|{errno.ENOSYS})\] .*clone3", said)


def sibling(flags: int, act: Callable[[], object]) -> int:
    """A child of ours that a fork of ours has made with CLONE_PARENT; does something and ends."""

    def make() -> int:
        pid = syscalls.clone(flags | syscalls.CLONE_PARENT)
        if pid == 0:
            os.closerange(3, 1 << 16)  # the answer's pipe, which would not end
            act()
            os._exit(0)
        return pid

    return int(in_child(make))


def test_a_child_of_clone_with_clone_parent_is_its_makers_sibling() -> None:
    pid = sibling(0, lambda: None)
    assert os.waitpid(pid, 0)[0] == pid


@pytest.mark.needs("userns", "mnt")
def test_mounts_are_made_bound_remounted_moved_and_detached(tmp_path: Path) -> None:
    def life_of_a_mount() -> str:
        new_user_namespace("mnt")
        syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        one, two, three = (tmp_path / name for name in ("one", "two", "three"))
        for directory in (one, two, three):
            directory.mkdir()
        nothing_special = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
        syscalls.mount("none", one, "tmpfs", nothing_special, "mode=700")
        (one / "file").write_text("here")
        syscalls.mount(one, two, None, syscalls.MS_BIND)
        assert (two / "file").read_text() == "here"
        flags = syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY | nothing_special
        syscalls.mount(None, two, None, flags)
        assert os.statvfs(two).f_flag & os.ST_RDONLY and not os.statvfs(one).f_flag & os.ST_RDONLY
        syscalls.mount(two, three, None, syscalls.MS_MOVE)
        assert os.listdir(two) == [] and os.listdir(three) == ["file"]
        with open(three / "file"):
            with pytest.raises(OSError, match="umount2") as busy:
                syscalls.umount2(three)
            assert busy.value.errno == errno.EBUSY
            syscalls.umount2(three, syscalls.MNT_DETACH)
        assert os.listdir(three) == []
        return "done"

    assert in_child(life_of_a_mount) == "done"


@pytest.mark.needs("userns", "mnt")
def test_propagation_is_read_back_from_mountinfo(tmp_path: Path) -> None:
    def optional_fields() -> list[str]:
        new_user_namespace("mnt")
        syscalls.mount("none", tmp_path, "tmpfs")
        found = []
        for flag in (
            syscalls.MS_PRIVATE, syscalls.MS_SHARED, syscalls.MS_UNBINDABLE, syscalls.MS_SHARED,
            syscalls.MS_SLAVE,
        ):  # fmt: skip
            syscalls.mount(None, tmp_path, None, flag)
            line = Path("/proc/self/mountinfo").read_text().splitlines()[-1]
            found.append(line.split(" - ")[0].split()[6:])
        return [words[0].split(":")[0] if words else "" for words in found]

    # A slave of a group without other members has no master left: it is private.
    assert in_child(optional_fields) == repr(["", "shared", "unbindable", "shared", ""])


@pytest.mark.needs("userns", "mnt")
def test_pivot_root_swaps_the_root(tmp_path: Path) -> None:
    def listing() -> list[str]:
        new_user_namespace("mnt")
        syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        syscalls.mount("none", tmp_path, "tmpfs")
        (tmp_path / "old").mkdir()
        os.chdir(tmp_path)
        syscalls.pivot_root(".", "old")
        os.chdir("/")
        syscalls.umount2("old", syscalls.MNT_DETACH)
        return os.listdir("/")

    assert in_child(listing) == repr(["old"])


@pytest.mark.needs("userns", "uts")
def test_host_and_domain_name_are_set_in_a_namespace_of_their_own() -> None:
    host = os.uname().nodename

    def names() -> list[str]:
        new_user_namespace("uts")
        syscalls.sethostname(b"mars")
        syscalls.setdomainname(b"planets")
        return [os.uname().nodename, Path("/proc/sys/kernel/domainname").read_text().strip()]

    assert in_child(names) == repr(["mars", "planets"])
    assert os.uname().nodename == host


@pytest.mark.needs("userns", "uts")
@pytest.mark.parametrize("call", [syscalls.sethostname, syscalls.setdomainname])
def test_a_name_has_at_most_64_bytes(call: Callable[[bytes], None]) -> None:
    def tried() -> None:
        new_user_namespace("uts")
        call(b"x" * 64)
        call(b"x" * 65)

    assert "[Errno 22] Invalid argument" in in_child(tried)


def test_prctl_names_the_process_and_makes_it_a_subreaper() -> None:
    def set_up() -> list[str]:
        from ctypes import addressof, create_string_buffer

        name = create_string_buffer(b"a (strange) one")
        syscalls.prctl(syscalls.PR_SET_NAME, addressof(name))
        syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
        orphan = os.fork()
        if orphan == 0:
            if os.fork() == 0:
                signal.pause()
            os._exit(0)
        os.waitpid(orphan, 0)
        grandchild = int(Path("/proc/thread-self/children").read_text())
        os.kill(grandchild, signal.SIGKILL)
        status = Path("/proc/self/status").read_text()
        mine = os.waitpid(grandchild, 0)[0] == grandchild
        return [Path("/proc/self/comm").read_text(), str("NoNewPrivs:\t1" in status), str(mine)]

    assert in_child(set_up) == repr(["a (strange) one\n", "True", "True"])


def test_prctl_ends_a_process_with_its_parent() -> None:
    read, write = os.pipe()
    parent = os.fork()
    if parent == 0:
        child = os.fork()
        if child == 0:
            syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
            os.write(write, b"!")
            signal.pause()
        os.read(read, 1)
        os._exit(0)
    os.close(write)  # the end of file will say that the child, the last one to have it, has ended
    os.waitpid(parent, 0)
    assert os.read(read, 1) == b""
    os.close(read)


def test_an_unknown_prctl_is_refused() -> None:
    with pytest.raises(OSError, match=r"prctl\(987654, 0\)"):
        syscalls.prctl(987654, 0)


def status_capabilities() -> tuple[int, int, int]:
    status = Path("/proc/thread-self/status").read_text()
    lines = dict(line.split(":\t", 1) for line in status.splitlines())
    return int(lines["CapEff"], 16), int(lines["CapPrm"], 16), int(lines["CapInh"], 16)


def test_capget_says_what_status_says() -> None:
    assert syscalls.capget() == status_capabilities()


@pytest.mark.needs("userns")
def test_capabilities_can_be_dropped_but_not_taken_back() -> None:
    def drop() -> list[bool]:
        new_user_namespace()
        everything = syscalls.capget()[1]
        syscalls.prctl(syscalls.PR_CAPBSET_DROP, 40)  # CAP_CHECKPOINT_RESTORE
        syscalls.capset(1 << 40 | 1, 1 << 40 | 1, 1)
        kept = syscalls.capget() == status_capabilities() == (1 << 40 | 1, 1 << 40 | 1, 1)
        with pytest.raises(PermissionError, match="capset"):
            syscalls.capset(everything, everything)
        return [kept]

    assert in_child(drop) == "[True]"


def test_capget_of_a_process_that_is_not_there() -> None:
    with pytest.raises(ProcessLookupError, match="capget"):
        syscalls.capget(2**22 + 1)  # above the highest pid_max there can be


def test_pidfd_getfd_copies_a_descriptor_of_a_child(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("hers")
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        fd = os.open(tmp_path / "file", os.O_RDONLY)
        os.write(write, str(fd).encode())
        signal.pause()
    try:
        number = int(os.read(read, 20))
        pidfd = os.pidfd_open(pid)
        with open(syscalls.pidfd_getfd(pidfd, number)) as copy:
            assert copy.read() == "hers"
        with pytest.raises(OSError, match="pidfd_getfd") as caught:
            syscalls.pidfd_getfd(pidfd, 1000)
        assert caught.value.errno == errno.EBADF
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        for fd in (read, write, pidfd):
            os.close(fd)


# Questions to open namespaces and pidfds.


@pytest.mark.parametrize("link", LINKS)
def test_the_type_of_an_open_namespace_is_told(link: str) -> None:
    if not Path(f"/proc/self/ns/{link}").exists():
        pytest.skip(f"this kernel has no {link}.")
    with namespace(link) as fd:
        assert nsfs_ioctls.ns_get_nstype(fd) == next(k.flag for k in CATALOGUE if link in k.links)


@pytest.mark.needs("userns")
def test_a_new_user_namespace_has_ours_as_parent_and_our_id_as_owner() -> None:
    outer, uid = os.stat("/proc/self/ns/user").st_ino, os.geteuid()

    def family() -> list[bool]:
        new_user_namespace("uts")
        with namespace("user") as mine, namespace("uts") as name:
            parent, owner = None, nsfs_ioctls.ns_get_userns(name)
            try:
                parent = nsfs_ioctls.ns_get_parent(mine)
            except PermissionError:  # from inside, what lies outside is out of scope
                parent = None
            return [parent is None, os.fstat(owner).st_ino == os.fstat(mine).st_ino]

    assert in_child(family) == "[True, True]"
    with lodger() as pid, namespace("user", pid) as fd:
        parent = nsfs_ioctls.ns_get_parent(fd)
        assert os.fstat(parent).st_ino == outer
        assert nsfs_ioctls.ns_get_owner_uid(fd) == uid
        os.close(parent)


def test_only_hierarchical_types_have_a_parent() -> None:
    with namespace("uts") as fd, pytest.raises(OSError) as caught:
        nsfs_ioctls.ns_get_parent(fd)
    assert caught.value.errno == errno.EINVAL


def test_only_a_user_namespace_has_an_owner_uid() -> None:
    with namespace("uts") as fd, pytest.raises(OSError) as caught:
        nsfs_ioctls.ns_get_owner_uid(fd)
    assert caught.value.errno == errno.EINVAL


def test_the_id_of_a_namespace_is_the_same_for_all_who_ask() -> None:
    with namespace("uts") as one, namespace("uts") as two, namespace("ipc") as other:
        try:
            assert (
                nsfs_ioctls.ns_get_id(one)
                == nsfs_ioctls.ns_get_id(two)
                != nsfs_ioctls.ns_get_id(other)
            )
        except OSError as error:
            if unsupported(error):
                pytest.skip("this kernel has no NS_GET_ID (Linux 6.18).")
            raise


def test_a_mount_namespace_tells_its_id_and_number_of_mounts() -> None:
    with namespace("mnt") as fd:
        try:
            identity, mounts = nsfs_ioctls.ns_mnt_get_info(fd)
        except OSError as error:
            if unsupported(error):
                pytest.skip("this kernel has no NS_MNT_GET_INFO (Linux 6.12).")
            raise
        assert identity == nsfs_ioctls.ns_get_mntns_id(fd)
    # The kernel counts the root of roots too, which mountinfo does not list.
    assert mounts - len(Path("/proc/self/mountinfo").read_text().splitlines()) in (0, 1)


@pytest.mark.needs("userns", "mnt")
def test_root_walks_mount_namespaces_both_ways() -> None:
    with lodger("mnt"), namespace("mnt") as first:  # so there is one with a higher id than ours
        try:
            following = nsfs_ioctls.ns_mnt_get_next(first)
        except PermissionError:
            assert os.geteuid() != 0 or not in_the_first_user_namespace()
            pytest.skip("only root of the machine may ask.")
        except OSError as error:
            if unsupported(error):
                pytest.skip("this kernel has no NS_MNT_GET_NEXT (Linux 6.12).")
            raise
        back = nsfs_ioctls.ns_mnt_get_prev(following)
        ids = [nsfs_ioctls.ns_mnt_get_info(fd)[0] for fd in (first, following, back)]
        os.close(following), os.close(back)
    assert ids[0] == ids[2] < ids[1]


def test_the_neighbours_of_a_mount_namespace_are_asked_for_with_a_buffer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Linux 7.2 refuses the call without one; older kernels take both.
    def ioctl(fd: int, request: int, argument: object = 0) -> int:
        assert isinstance(argument, bytearray)
        assert len(argument) == 16
        return 7

    monkeypatch.setattr(nsfs_ioctls.fcntl, "ioctl", ioctl)
    assert nsfs_ioctls.ns_mnt_get_next(3) == nsfs_ioctls.ns_mnt_get_prev(3) == 7


def in_the_first_user_namespace() -> bool:
    return Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]


@pytest.mark.needs("userns", "pid")
def test_pids_are_translated_between_pid_namespaces() -> None:
    with ns.Sandbox("pid") as box, namespace("pid", box.pid) as fd:
        try:
            assert nsfs_ioctls.ns_get_pid_in_pidns(fd, box.pid) == 1
            assert nsfs_ioctls.ns_get_pid_from_pidns(fd, 1) == box.pid
            assert nsfs_ioctls.ns_get_tgid_in_pidns(fd, box.pid) == 1
            assert nsfs_ioctls.ns_get_tgid_from_pidns(fd, 1) == box.pid
            with pytest.raises(ProcessLookupError):
                nsfs_ioctls.ns_get_pid_in_pidns(fd, os.getpid())
        except OSError as error:
            if unsupported(error):
                pytest.skip("this kernel has no NS_GET_PID_IN_PIDNS (Linux 6.11).")
            raise


@pytest.mark.parametrize("link", LINKS)
def test_a_pidfd_gives_the_same_namespace_as_proc(link: str) -> None:
    pidfd = os.pidfd_open(os.getpid())
    try:
        fd = nsfs_ioctls.pidfd_get_namespace(pidfd, link)
    except OSError as error:
        if unsupported(error):
            pytest.skip("this kernel has no PIDFD_GET_*_NAMESPACE (Linux 6.11).")
        raise
    finally:
        os.close(pidfd)
    assert os.fstat(fd).st_ino == os.stat(f"/proc/self/ns/{link}").st_ino
    os.close(fd)


def test_a_socket_tells_its_network_namespace() -> None:
    with socket.socket() as sock:
        try:
            fd = nsfs_ioctls.socket_netns(sock.fileno())
        except PermissionError:
            pytest.skip("only root here may ask (CAP_NET_ADMIN).")
    assert os.fstat(fd).st_ino == os.stat("/proc/self/ns/net").st_ino
    os.close(fd)


@pytest.mark.needs("userns", "net")
def test_a_socket_keeps_the_network_namespace_it_was_made_in() -> None:
    def compare() -> list[bool]:
        new_user_namespace("net")
        born = os.stat("/proc/self/ns/net").st_ino
        sock = socket.socket()
        syscalls.unshare(CloneFlag.NEWNET)
        fd = nsfs_ioctls.socket_netns(sock.fileno())
        return [os.fstat(fd).st_ino == born, os.stat("/proc/self/ns/net").st_ino == born]

    assert in_child(compare) == "[True, False]"


def test_opening_a_namespace_by_pid_and_name_is_close_on_exec() -> None:
    fd = nsfs_ioctls.nsfd(os.getpid(), "uts")
    assert os.fstat(fd).st_ino == os.stat("/proc/self/ns/uts").st_ino
    assert not os.get_inheritable(fd)
    os.close(fd)


@pytest.mark.parametrize(("name", "since"), [("SYS_statmount", "6.8"), ("SYS_listmount", "6.8")])
def test_the_number_of_a_new_call_is_one_that_this_kernel_knows(name: str, since: str) -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.syscall(getattr(syscalls, name), None, None, 0, 0) == -1
    if ctypes.get_errno() == errno.ENOSYS:
        pytest.skip(f"this kernel is older than Linux {since}.")
    assert ctypes.get_errno() in (errno.EFAULT, errno.EINVAL)


@pytest.mark.parametrize("call", ["clone", "clone3"])
def test_a_process_with_threads_may_not_clone(call: str) -> None:
    enough = threading.Event()
    thread = threading.Thread(target=enough.wait)
    thread.start()
    try:
        with pytest.raises(RuntimeError, match=r"is refused in a process with \d+ threads"):
            getattr(syscalls, call)(0)
    finally:
        enough.set()
        thread.join()
