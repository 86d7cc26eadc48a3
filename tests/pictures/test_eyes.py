"""`nsedu.eyes`: what each place sees of one thing, as the kernel tells it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import nsedu as ns
from ordinary_user import Learner

userns = pytest.mark.needs("userns")
SERVER = """
import socket, time
door = socket.create_server(("127.0.0.1", {port}))
print("ready", flush=True)
time.sleep(60)
"""


def seen(picture: ns.Picture) -> dict[str, str]:
    """Who → the sign, what is seen, and why, of the text twin."""
    rows = {}
    for line in str(picture).splitlines()[1:]:
        for sign in ("≠", "=", "?"):
            name, found, rest = line.partition(f"  {sign}  ")
            if found:
                rows[name.strip()] = f"{sign} {' '.join(rest.split())}"
                break
        else:
            if line.startswith("this program"):
                rows["this program"] = line.removeprefix("this program").strip()
    return rows


@userns
@pytest.mark.needs("uts")
def test_a_host_name_is_told_by_each_uts_namespace() -> None:
    with (
        ns.Sandbox("uts", hostname="mars", name="mars") as mars,
        ns.Sandbox("uts", name="copy") as copy,
        ns.Sandbox("user", name="plain") as plain,
    ):
        found = seen(ns.eyes(mars, copy, plain, hostname=True))
    assert found == {
        "this program": "yours",
        'sandbox "mars"': "≠ mars",
        'sandbox "copy"': "≠ yours · a name of its own, and as yet the same",
        'sandbox "plain"': "= yours",
    }
    assert socket.gethostname() not in ("mars", "copy")


@userns
@pytest.mark.needs("pid")
def test_a_process_has_a_number_where_it_can_be_seen_and_none_elsewhere() -> None:
    with (
        ns.Sandbox("pid", name="lab") as lab,
        ns.Sandbox("pid", name="beside") as beside,
        lab.sandbox("pid", name="inner") as inner,
        inner.popen(["sleep", "60"]) as sleep,
    ):
        picture = ns.eyes(lab, inner, beside, pid=sleep)
        with open(f"/proc/{sleep.pid}/status") as status:
            line = next(line for line in status if line.startswith("NSpid:"))
        _, in_lab, in_inner = line.split()[-3:]
        found = seen(picture)
        assert f">{sleep.pid}<" in picture.svg
    assert found["this program"] == "p1"
    assert found['sandbox "lab"'] == f"≠ {in_lab}"
    assert found['sandbox "inner"'] == f"≠ {in_inner}"
    assert found['sandbox "beside"'].startswith("≠ no such process · it lives neither in this")


@userns
@pytest.mark.needs("pid")
def test_where_the_ioctl_is_missing_nspid_tells_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_fd: int, _pid: int) -> int:
        raise OSError(25, "ENOTTY")

    with ns.Sandbox("pid", name="lab") as lab, ns.Sandbox("pid", name="beside") as beside:
        by_ioctl = seen(ns.eyes(lab, beside, pid=lab))
        monkeypatch.setattr("nsedu.kernel.syscalls.ns_get_pid_in_pidns", unknown)
        picture = ns.eyes(lab, beside, pid=lab)
    assert seen(picture) == by_ioctl
    assert "NSpid" in str(picture)


@userns
def test_a_user_id_is_another_inside_and_nobody_without_a_map() -> None:
    with (
        ns.Sandbox("user", name="box") as box,
        box.popen(["unshare", "--user", "sh", "-c", "echo ready; read -r stop"]) as unmapped,
    ):
        assert unmapped.stdout.readline() == "ready\n"
        found = seen(ns.eyes(box, unmapped, uid=box.root_uid))
    assert found["this program"] == "yours"
    assert found['sandbox "box"'] == "≠ 0"
    assert found["sh"].startswith("≠ 65534 · no id map has been written there yet")


@userns
@pytest.mark.needs("mnt")
def test_the_owner_of_one_file_is_told_in_the_numbers_of_who_asks(open_path: Path) -> None:
    letter = open_path / "letter"
    letter.touch()
    with ns.Sandbox("user", "mnt", name="box") as box, box.sandbox("pid", name="other") as other:
        os.chown(letter, box.root_uid, -1)
        box.run(f"mount -t tmpfs none {open_path}")  # the path leads elsewhere there; the file not
        found = seen(ns.eyes(box, other, owner=letter))
    assert found == {
        "this program": "yours",
        'sandbox "box"': "≠ 0",
        'sandbox "other"': "≠ 0",
    }


LEARNERS_EYES = """
import os
import nsedu as ns
with ns.Sandbox("uts", hostname="mars", name="mars") as mars:
    print(ns.eyes(mars, hostname=True))
    print(ns.eyes(mars, uid=os.getuid()))
    print(ns.eyes(mars, owner="/etc/passwd"))
    try:
        ns.eyes(mars, uid=0)
    except ValueError as refused:
        print(refused)
"""


@userns
def test_an_ordinary_user_sees_it_too(learner: Learner) -> None:
    said = learner.run_python(LEARNERS_EYES).stdout
    assert 'sandbox "mars"  ≠  mars' in said
    assert 'sandbox "mars"  ≠  0\n' in said
    assert "this program       0\n" in said
    assert 'sandbox "mars"  ≠  65534  · it has no number in the id map there' in said
    assert "only root may speak as another user" in said


@userns
@pytest.mark.needs("mnt")
def test_a_mount_is_there_for_some_and_not_for_others(open_path: Path) -> None:
    with (
        ns.Sandbox("mnt", name="mars") as mars,
        ns.Sandbox("mnt", name="bare") as bare,
    ):
        mars.run(f"mount -t tmpfs lower {open_path} && mount -t tmpfs drawer {open_path}")
        with mars.sandbox("mnt", name="twin") as twin:
            found = seen(ns.eyes(mars, twin, bare, mount=f"{open_path}/"))
    assert found == {
        "this program": "no mount here",
        'sandbox "mars"': "≠ tmpfs drawer",
        'sandbox "twin"': '≠ tmpfs drawer · the same file system as for sandbox "mars"',
        'sandbox "bare"': "≠ no mount here",
    }


def test_the_root_is_a_mount() -> None:
    assert "no mount here" not in str(ns.eyes(mount="/"))


@userns
@pytest.mark.needs("time")
def test_a_clock_is_ahead_by_its_offset() -> None:
    back = 3 if time.monotonic() > 3 else 0.5  # a clock may not read less than 0
    with (
        ns.Sandbox("time", boottime=3600.25, name="old") as old,
        ns.Sandbox("time", monotonic=-back, name="slow") as slow,
    ):
        boottime = seen(ns.eyes(old, slow, clock="boottime"))
        monotonic = seen(ns.eyes(old, slow, clock="monotonic"))
        realtime = seen(ns.eyes(old, slow, clock="realtime"))
    assert boottime['sandbox "old"'] == "≠ +1 h 0.25 s"
    assert boottime['sandbox "slow"'] == "≠ yours"
    assert monotonic['sandbox "slow"'] == f"≠ −{back} s"
    assert set(realtime.values()) == {"yours", "≠ yours"}


@userns
@pytest.mark.needs("net")
def test_somebody_listens_in_one_network_and_nobody_in_another() -> None:
    with socket.socket() as probe:  # a port that is free out here
        probe.bind(("", 0))
        port = probe.getsockname()[1]
    with (
        ns.Sandbox("net", name="alice") as alice,
        ns.Sandbox("net", name="bob") as bob,
        alice.popen([sys.executable, "-I", "-c", SERVER.format(port=port)]) as server,
    ):
        assert server.stdout.readline() == "ready\n"
        found = seen(ns.eyes(alice, bob, server, port=port))
    assert found["this program"] == "nobody listens"
    assert found['sandbox "alice"'] == "≠ somebody listens · at 127.0.0.1"
    assert found['sandbox "bob"'] == "≠ nobody listens"


def test_somebody_who_listens_on_every_address_is_found() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as door:
        assert "at any address" in str(ns.eyes(port=door.getsockname()[1]))


def test_the_port_of_a_connection_is_not_one_where_somebody_listens() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as door,
        socket.create_connection(door.getsockname()) as caller,
    ):
        assert seen(ns.eyes(port=caller.getsockname()[1]))["this program"] == "nobody listens"


@userns
@pytest.mark.needs("uts")
def test_nobody_named_means_all_sandboxes() -> None:
    with ns.Sandbox("uts", hostname="mars", name="mars"):
        assert seen(ns.eyes(hostname=True))['sandbox "mars"'] == "≠ mars"


@userns
@pytest.mark.needs("uts")
def test_this_notebook_comes_first_and_once() -> None:
    with ns.Sandbox("uts", hostname="mars", name="mars") as mars:
        said = str(ns.eyes(mars, os.getpid(), hostname=True)).splitlines()
    assert said[1].startswith("this program")
    assert sum("this program" in line for line in said) == 1


def test_what_has_ended_is_refused() -> None:
    ended = subprocess.Popen(["true"])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)  # ended, but not gone
    with pytest.raises(ValueError, match=f"there is no process {ended.pid} any more"):
        ns.eyes(ended.pid, hostname=True)
    ended.wait()


@pytest.mark.parametrize("things", [{}, {"hostname": False}])
def test_a_thing_must_be_named(things: dict[str, object]) -> None:
    with pytest.raises(TypeError, match="no thing is named; name exactly one of hostname=True"):
        ns.eyes(**things)


def test_one_thing_at_a_time() -> None:
    with pytest.raises(TypeError, match="pid and port are 2 things"):
        ns.eyes(pid=1, port=80)


@pytest.mark.parametrize(
    ("things", "words"),
    [
        ({"hostname": "mars"}, "hostname must be True"),
        ({"pid": "mars"}, "name a sandbox, a process or a pid"),
        ({"uid": "root"}, "uid must be a whole number"),
        ({"port": True}, "port must be a whole number"),
        ({"owner": 5}, "owner must be a path"),
        ({"mount": b"/mnt"}, "mount must be a path"),
    ],
)
def test_another_kind_of_value_is_a_type_error(things: dict[str, object], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        ns.eyes(**things)


@pytest.mark.parametrize(
    ("things", "words"),
    [
        ({"pid": 4194305}, "there is no process 4194305"),
        ({"uid": -1}, "uid must be from 0 to 4294967294"),
        ({"mount": "mnt"}, "mount must be a path from the root"),
        ({"clock": "utc"}, "clock must be one of realtime, monotonic, boottime"),
        ({"port": 0}, "port must be from 1 to 65535"),
    ],
)
def test_another_value_is_a_value_error(things: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ns.eyes(**things)


def test_a_file_that_is_not_there_is_said() -> None:
    with pytest.raises(FileNotFoundError, match="no-such-file"):
        ns.eyes(owner="/no-such-file")
