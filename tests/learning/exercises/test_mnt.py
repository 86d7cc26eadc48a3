"""The exercises on mount namespaces: other right answers, and what only looks right."""

from __future__ import annotations

import os
import shlex

import pytest

import nsedu as ns
from nsedu.learning.exercises import EXERCISES, diagnosis
from ways import READY, assert_refused, assert_solves, cases, entering, judge

pytestmark = pytest.mark.needs("userns", "mnt", "mount", "unshare", "nsenter")

ROOTFS = (
    "mount -t tmpfs new /mnt; cd /mnt; mkdir old; for d in usr bin lib lib64 proc; do"
    " [ ! -e /$d ] || { mkdir $d; mount --rbind /$d $d; }; done;"
)
PIVOT = "pivot_root . old; cd /; umount -l old;"
LAYERS = (
    "mount -t tmpfs layers /mnt; cd /mnt; mkdir -p lower/sub upper work merged;"
    " echo a > lower/letter; echo b > lower/sub/letter;"
    " mount -t overlay overlay -o"
    " lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work,userxattr /mnt/merged;"
)
SHARED = "mount -t tmpfs pool /mnt; mount --make-shared /mnt;"
COPY = "unshare --mount --propagation"
BINDS = "for d in usr bin lib lib64; do [ ! -e /$d ] || { mkdir $d; mount --rbind /$d $d; }; done;"
PIVOT_ROOT = (  # there is no function of libc for this call
    "import ctypes, os, time; libc = ctypes.CDLL(None);"
    " libc.syscall({'x86_64': 155}.get(os.uname().machine, 41), b'.', b'.');"
    " libc.umount2(b'.', 2); os.chdir('/'); time.sleep(60)"
)
CHROOTED = f"PATH=$PATH:/usr/sbin; exec chroot . sh -c '{READY}'"


def in_mnt(script: str) -> str:
    """The same script in a mount namespace of its own."""
    return f"exec unshare -Urm bash -ec {shlex.quote('PATH+=:/usr/sbin; ' + script)}"


RIGHT = {
    "mnt-1": {
        "bwrap": f"exec bwrap --unshare-user --dev-bind / / --tmpfs /mnt sh -c '{READY}'",
        "ctypes": 'exec unshare -Urm "$PYTHON" -c "import ctypes, time;'
        " ctypes.CDLL(None).mount(b'x', b'/mnt', b'tmpfs', 0, None); time.sleep(60)\"",
        "nsenter mounts it": "unshare -Urm sleep 60 & "
        + entering("--mount", "mount -t tmpfs x /mnt; wait"),
        "in a root of its own": "exec bwrap --unshare-user --ro-bind /usr /usr --symlink usr/lib"
        " /lib --symlink usr/lib64 /lib64 --symlink usr/bin /bin --tmpfs /mnt sleep 60",
        "not the first process of its namespace": in_mnt(
            f"mount -t tmpfs none /media; cd /media; {BINDS} mkdir mnt; mount -t tmpfs x mnt;"
            " chroot . sleep 60 & sleep 60"
        ),
    },
    "mnt-2": {
        "ctypes": in_mnt(
            f'{SHARED} exec "$PYTHON" -c "import ctypes, os, time; libc = ctypes.CDLL(None);'
            " two = os.fork() == 0; two and libc.unshare(0x20000);"
            " two and libc.mount(None, b'/mnt', None, 0x80000, None); time.sleep(60)\""
        ),
        "bwrap is the second": in_mnt(f"{SHARED} bwrap --dev-bind / / sleep 60 & sleep 60"),
        "a slave that is shared on": in_mnt(
            f"{SHARED} {COPY} slave sh -c 'mount --make-shared /mnt; sleep 60' & sleep 60"
        ),
        "made a slave later": in_mnt(
            f"{SHARED} {COPY} unchanged sh -c 'mount --make-slave /mnt; sleep 60' & sleep 60"
        ),
        "by way of a third": in_mnt(
            f"{SHARED} {COPY} slave sh -c 'mount --make-shared /mnt; {COPY} slave sleep 60 &"
            " sleep 60' & sleep 60"
        ),
    },
    "mnt-3": {
        "one on the other": in_mnt(f"{ROOTFS} pivot_root . .; umount -l /; {READY}"),
        "bwrap": "exec bwrap --unshare-user --ro-bind /usr /usr --symlink usr/lib /lib --symlink"
        " usr/lib64 /lib64 --symlink usr/bin /bin sleep 60",
        "ctypes": in_mnt(f"{ROOTFS} exec python3 -c {shlex.quote(PIVOT_ROOT)}"),
        "a second namespace, in the first": in_mnt(
            f"unshare -m bash -c {shlex.quote(f'{ROOTFS} {PIVOT} sleep 60')} & sleep 60"
        ),
    },
    "mnt-4": {
        "in a directory below": f"exec unshare -Urm sh -c '{LAYERS} rm merged/sub/letter; {READY}'",
        "a directory made anew": f"exec unshare -Urm sh -c '{LAYERS} rm -r merged/sub;"
        f" mkdir merged/sub; {READY}'",
        "two lower directories": "exec unshare -Urm sh -c 'mount -t tmpfs layers /mnt; cd /mnt;"
        " mkdir one two upper work merged; echo a > two/letter; mount -t overlay overlay -o"
        " lowerdir=/mnt/one:/mnt/two,upperdir=/mnt/upper,workdir=/mnt/work,userxattr /mnt/merged;"
        f" rm merged/letter; {READY}'",
        "in a copy of the mount namespace": f"exec unshare -Urm sh -c '{LAYERS} rm merged/letter;"
        f" exec unshare -m sh -c \"{READY}\"'",
    },
}  # fmt: skip

CHEATS = {
    "mnt-1": {
        "not empty": in_mnt(f"mount -t tmpfs x /mnt; touch /mnt/a; {READY}"),
        "covered by another directory": in_mnt(
            f"mount -t tmpfs x /mnt; mount --bind /etc /mnt; {READY}"
        ),
        "the notebook's own tmpfs": in_mnt(f"mount --bind /dev/shm /mnt; {READY}"),
        "a directory of a tmpfs": in_mnt(
            f"mount -t tmpfs x /media; mkdir /media/a; mount --bind /media/a /mnt; {READY}"
        ),
        "another kind of file system": in_mnt(f"mount -t ramfs x /mnt; {READY}"),
        "a file that says so": in_mnt(
            "mount -t tmpfs x /media; echo 9 9 0:99 / /mnt rw - tmpfs x rw > /media/m;"
            f" mount --bind /media/m /proc/$$/mountinfo; umount -l /media; {READY}"
        ),
    },
    "mnt-2": {
        "another mount that passes both ways": in_mnt(
            f"{SHARED} mount -t tmpfs x /media; mount --make-shared /media;"
            f" {COPY} unchanged sh -c 'mount --make-slave /mnt; {READY}' & sleep 60"
        ),
        "each is the slave of the other": in_mnt(
            f"{SHARED} mount -t tmpfs x /media; mount --make-shared /media;"
            f" {COPY} unchanged sh -c 'mount --make-slave /mnt; sleep 60' &"
            f" {COPY} unchanged sh -c 'mount --make-slave /media; sleep 0.3; {READY}' & sleep 60"
        ),
        "private in the end": in_mnt(
            f"{SHARED} {COPY} slave sh -c 'mount --make-private /mnt; {READY}' & sleep 60"
        ),
        "both in one namespace": in_mnt(
            f"{SHARED} mount --bind /mnt /media; mount --make-slave /media;"
            f" {COPY} private sh -c '{READY}' & sleep 60"
        ),
        "the other mount hidden by a chroot": in_mnt(
            f"{SHARED} mount -t tmpfs x /media; mount --make-shared /media; cd /mnt; {BINDS}"
            f" {COPY} unchanged bash -c {shlex.quote(f'mount --make-slave /mnt; {CHROOTED}')} &"
            " sleep 60"
        ),
    },
    "mnt-3": {
        "a descriptor of the old root": in_mnt(f"{ROOTFS} exec 9</; {PIVOT} {READY}"),
        "a descriptor below the old root": in_mnt(f"{ROOTFS} exec 9</tmp; {PIVOT} {READY}"),
        "a working directory": in_mnt(
            f"{ROOTFS} cd /tmp; pivot_root /mnt /mnt/old; umount -l /old; {READY}"
        ),
        "moved over the old root": in_mnt(f"{ROOTFS} mount --move . / || true; {CHROOTED}"),
        "covered by an empty root": in_mnt(f"mount -t tmpfs x /; {READY}"),
        "the old root in another place": in_mnt(
            f"{ROOTFS} mkdir far; mount --rbind / far; {PIVOT} {READY}"
        ),
        "a chroot in the new root": in_mnt(f"{ROOTFS} {PIVOT} mkdir x; cd x; {BINDS} {CHROOTED}"),
    },
    "mnt-4": {
        "covered by an empty file system": f"exec unshare -Urm sh -c '{LAYERS} mount -t tmpfs none"
        f" merged; {READY}'",
        "the lower directory covered": f"exec unshare -Urm sh -c '{LAYERS} mount -t tmpfs none"
        f" lower; touch lower/another; {READY}'",
        "a directory covered": f"exec unshare -Urm sh -c '{LAYERS} mount -t tmpfs none merged/sub;"
        f" {READY}'",
        "only changed": f"exec unshare -Urm sh -c '{LAYERS} echo c > merged/letter; {READY}'",
    },
}  # fmt: skip

SAID = {
    ("mnt-1", "not empty"): "it is not empty: a is in it",
    ("mnt-1", "covered by another directory"): "something else is mounted over it",
    ("mnt-1", "the notebook's own tmpfs"): "you have it mounted, too",
    ("mnt-1", "a directory of a tmpfs"): "a directory of a tmpfs, /a, and not the whole of it",
    ("mnt-2", "another mount that passes both ways"): "passes both ways",
    ("mnt-2", "each is the slave of the other"): "passes both ways",
    ("mnt-2", "private in the end"): "nothing passes between them",
    ("mnt-2", "the other mount hidden by a chroot"): "passes both ways",
    ("mnt-3", "a descriptor of the old root"): "a way still leads to the old one: its descriptor 9",
    ("mnt-3", "a descriptor below the old root"): "its descriptor 9",
    ("mnt-3", "a working directory"): "its working directory",
    ("mnt-3", "moved over the old root"): "only covers the old one",
    ("mnt-3", "covered by an empty root"): "only covers the old one",
    ("mnt-3", "the old root in another place"): "still mounted at /far",
    ("mnt-3", "a chroot in the new root"): "has another root directory, as after chroot(2)",
}


@pytest.mark.parametrize(("id", "name"), cases(RIGHT))
def test_a_right_answer_by_another_way_passes(id: str, name: str) -> None:
    assert_solves(id, RIGHT[id][name])


@pytest.mark.parametrize(("id", "name"), cases(CHEATS))
def test_what_only_looks_right_is_refused(id: str, name: str) -> None:
    assert_refused(id, CHEATS[id][name], SAID.get((id, name), ""))


def test_who_was_there_before_the_pivot_keeps_its_working_directory() -> None:
    with ns.Sandbox("mnt") as box:
        box.run(f"PATH+=:/usr/sbin; set -e; {ROOTFS} {PIVOT}")
        assert "its working directory (cd / leaves it)" in judge("mnt-3").found
        with box.popen("cd /; echo; exec sleep 60") as process:
            process.stdout.readline()
            verdict = judge("mnt-3")
    assert verdict.solved, verdict


@pytest.fixture
def covered() -> object:
    exercise = EXERCISES["mnt-5"]
    assert exercise.broken is not None
    with diagnosis.begun("mnt-5", exercise.broken) as (box,):
        yield box


def covers(box: ns.Sandbox) -> int:
    """How many mounts lie on the letters."""
    with open(f"/proc/{box.pid}/mountinfo") as file:
        table = [line for line in file if line.split()[4] == "/mnt"]
    (at,) = [number for number, line in enumerate(table) if "size=3144k" in line]
    return len(table) - 1 - at


def by_call(box: ns.Sandbox) -> None:
    def umount() -> int:
        import ctypes

        return int(ctypes.CDLL(None).umount2(b"/mnt", 0))

    assert not any(box.call(umount) for _ in range(covers(box)))
    box.run("mount -o remount,rw letters /mnt")


def by_nsenter(box: ns.Sandbox) -> None:
    # Root outside is nobody in there, an ordinary user is root.
    enter = f"nsenter -t {box.pid} -m -U" + " --preserve-credentials" * (os.geteuid() != 0)
    for _ in range(covers(box)):
        assert os.system(f"{enter} umount /mnt") == 0
    assert os.system(f"{enter} mount -o remount,rw letters /mnt") == 0


def by_moving_the_others_away(box: ns.Sandbox) -> None:
    for _ in range(covers(box)):
        box.run("mount --move /mnt /media || true")  # it cannot note it in /run
    box.run("mount -o remount,rw letters /mnt")


@pytest.mark.parametrize("mend", [by_call, by_nsenter, by_moving_the_others_away])
def test_the_letters_are_uncovered_in_several_ways(covered: ns.Sandbox, mend: object) -> None:
    mend(covered)  # type: ignore[operator]
    verdict = judge("mnt-5")
    assert verdict.solved, verdict


def test_a_file_system_of_the_same_size_is_not_the_same(covered: ns.Sandbox) -> None:
    for _ in range(covers(covered) + 1):
        covered.run("umount /mnt")
    covered.run("mount -t tmpfs -o size=3144k letters /mnt; echo hello > /mnt/letter")
    verdict = judge("mnt-5")
    assert not verdict.solved
    assert "found at /mnt a mount that was made later" in verdict.found


def test_letters_that_are_seen_elsewhere_are_not_seen_at_their_place(covered: ns.Sandbox) -> None:
    for _ in range(covers(covered)):
        covered.run("umount /mnt")
    covered.run("mount -o remount,rw letters /mnt; mount --move /mnt /media || true")
    assert "what is seen at /mnt is another one" in judge("mnt-5").found


def test_what_is_still_read_only_is_named(covered: ns.Sandbox) -> None:
    for _ in range(covers(covered)):
        covered.run("umount /mnt")
    assert "found the letters again, but the mount is read-only" in judge("mnt-5").found
