"""Exercises on network namespaces: other right answers, and what only looks right."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

import nsedu
from nsedu import Sandbox
from nsedu.learning.exercises import EXERCISES, diagnosis, net
from nsedu.observe.networks import Link
from ways import (
    BWRAP,
    ENDS,
    FAKE,
    READY,
    SERVE,
    assert_refused,
    assert_solves,
    cases,
    judge,
    running,
    standing,
)

pytestmark = pytest.mark.needs("userns", "mnt", "net", "unshare", "nsenter")

NAT = (
    'PATH+=:/usr/sbin; nft "$TABLE"; nft add rule ip nat out tcp dport 80 {verdict};'
    f" exec {SERVE}"
)
UP = "ip link set lo up;"
OWN_RUN = "mount -t tmpfs none /run; mount -t sysfs none /sys;"
NAMED = f"{OWN_RUN} ip netns add a; ip netns add b; ip link add left type veth peer name right;"
LAID = f"{NAMED} ip link set left netns a; ip link set right netns b;"
ADDRESSES = "ip -n a address add 10.9.0.1/24 dev left; ip -n b address add 10.9.0.2/24 dev right;"
ON = "ip -n a link set left up; ip -n b link set right up;"
TWO = "unshare --net sleep 60 & other=$!; until [ $(readlink /proc/$other/ns/net) !="
OTHER = f"{TWO} $(readlink /proc/self/ns/net) ]; do sleep 0.02; done;"
LAY = "ip link add left type veth peer name right netns $other; ip link set left up;"
THERE = "nsenter --target $other --net"


def table(script: str) -> str:
    """The table and the chain that a script asks for by $TABLE."""
    kind = "filter" if " drop;" in script or " reject" in script else "nat"
    return f"add table ip nat; add chain ip nat out {{ type {kind} hook output priority -100; }}"


RIGHT = {
    "net-1": {
        "bwrap": f"for n in 1 2; do {BWRAP} --unshare-net {SERVE} & done; wait",
        "IPv6": 'for n in 1 2; do unshare -Ur --net "$PYTHON" -c "import socket, time; s ='
        " socket.create_server(('::', 8080), family=socket.AF_INET6); time.sleep(60)\" & done;"
        " wait",
        "ip netns": "exec unshare -Urm --net sh -c 'mount -t tmpfs none /run; mount -t sysfs none"
        " /sys; ip netns add a; ip netns add b;"
        f" for n in a b; do ip netns exec $n {SERVE} & done; wait'",
    },
    "net-3": {
        "bwrap, which switches lo on itself": f"exec {BWRAP} --unshare-net --cap-add ALL bash -c"
        f" '{NAT.format(verdict='redirect to :8080')}'",
        "dnat": f"exec unshare -Ur --net bash -c '{UP}"
        f" {NAT.format(verdict='dnat to 127.0.0.1:8080')}'",
        "no bash": f"exec unshare -Urm --net bash -c '{UP} for p in /bin/bash /usr/bin/bash; do"
        f" mount --bind /dev/null $p; done; {NAT.format(verdict='redirect to :8080')}'",
    },
    "net-2": {
        "ip netns, without a process inside": "exec unshare -Urm --net sh -c"
        f" '{LAID} {ADDRESSES} {ON} {READY}'",
        "IPv6": f"exec unshare -Ur --net bash -c '{OTHER} {LAY}"
        f" ip address add fd09::1/64 dev left nodad; {THERE} ip address add fd09::2/64 dev right"
        f" nodad; {THERE} ip link set right up; wait'",
        "one end is moved afterwards": f"exec unshare -Ur --net bash -c '{OTHER}"
        " ip link add left type veth peer name right; ip link set right netns $other;"
        " ip address add 10.9.0.1/30 dev left; ip link set left up;"
        f" {THERE} ip address add 10.9.0.2/30 dev right; {THERE} ip link set right up; wait'",
    },
}  # fmt: skip

CHEATS = {
    "net-1": {
        "one server for both, by REUSEPORT": "exec unshare -Ur --net $PYTHON -c \"import socket,"
        " time; a = [socket.create_server(('', 8080), reuse_port=True) for _ in range(2)];"
        f" {ENDS}\"",
        "UDP": "unshare -Ur --net sleep 60 & exec unshare -Ur --net $PYTHON -c \"import socket,"
        f" time; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('', 8080)); {ENDS}\"",
        "bound, and nobody listens": "bound() { exec unshare -Ur --net $PYTHON -c \"import"
        f" socket, time; s = socket.socket(); s.bind(('', 8080)); {ENDS}\"; }};"
        " bound > /dev/null & bound",
    },
    "net-3": {
        "a fake bash": f"exec unshare -Urm --net bash -c '{UP} "
        + FAKE.format(says="open", programs="/bin/bash /usr/bin/bash")
        + f" exec {SERVE}'",
        "lo is down": f"exec unshare -Ur --net bash -c '{NAT.format(verdict='redirect to :8080')}'",
        "dropped": f"exec unshare -Ur --net bash -c '{UP} {NAT.format(verdict='drop')}'",
        "to nobody": "exec unshare -Ur --net bash -c"
        f" '{UP} {NAT.format(verdict='redirect to :8081')}'",
    },
    "net-2": {
        "only what IPv6 gives each link": f"exec unshare -Urm --net sh -c '{LAID} {ON} {READY}'",
        "one end is off": f"exec unshare -Urm --net sh -c '{LAID} {ADDRESSES}"
        f" ip -n a link set left up; {READY}'",
        "one address twice": f"exec unshare -Urm --net sh -c '{LAID}"
        " ip -n a address add 10.9.0.1/24 dev left; ip -n b address add 10.9.0.1/24 dev right;"
        f" {ON} {READY}'",
        "both ends in one": "exec unshare -Ur --net sh -c 'ip link add left type veth peer name"
        " right; ip address add 10.9.0.1/24 dev left; ip address add 10.9.0.2/24 dev right;"
        " ip link set left up;"
        f" ip link set right up; {READY}'",
    },
}  # fmt: skip

SAID: dict[tuple[str, str], str] = {
    ("net-2", "only what IPv6 gives each link"): "only the link-local address",
    ("net-2", "one end is off"): "its end right is switched off",
    ("net-2", "one address twice"): "are not two of one network",
    ("net-3", "lo is down"): "lo is switched off",
    ("net-3", "dropped"): "fails: Connection timed out",
    ("net-3", "to nobody"): "is refused",
}


@pytest.mark.parametrize(("id", "name"), cases(RIGHT))
def test_a_right_answer_by_another_way_passes(id: str, name: str) -> None:
    assert_solves(id, RIGHT[id][name], TABLE=table(RIGHT[id][name]))


@pytest.mark.parametrize(("id", "name"), cases(CHEATS))
def test_what_only_looks_right_is_refused(id: str, name: str) -> None:
    assert_refused(id, CHEATS[id][name], SAID.get((id, name), ""), TABLE=table(CHEATS[id][name]))


@pytest.mark.needs("ip", "veth", "nested")
@pytest.mark.parametrize(
    ("mine", "theirs", "solved"),
    [
        ("10.7.0.1 peer 10.7.0.2/32", "10.7.0.2 peer 10.7.0.1/32", True),
        ("10.7.0.1 peer 10.7.0.2/32", "10.7.0.3 peer 10.7.0.1/32", False),
        ("fd00::1/64", "fd00::2/64 nodad", True),
        ("10.7.0.1/24", "10.7.0.1/24", False),
        ("10.7.0.1/24", "10.7.0.2/16", True),
    ],
)
def test_addresses_that_reach_each_other_solve_it(mine: str, theirs: str, solved: bool) -> None:
    with Sandbox("net") as lab, lab.sandbox("net") as one, lab.sandbox("net") as other:
        nsedu.cable((one, "eth0"), (other, "eth0"))
        one.run(f"ip address add {mine} dev eth0")
        other.run(f"ip address add {theirs} dev eth0")
        assert judge("net-2").solved is solved


def test_an_address_that_failed_reaches_nothing() -> None:
    link = Link("eth0", "veth", addresses=("fd00::1/64 dadfailed", "10.0.0.1 peer 10.0.0.2/32"))
    assert [(str(own), str(there)) for own, there in link.reaches] == [("10.0.0.1", "10.0.0.2/32")]


@pytest.mark.needs("ip", "veth")
@pytest.mark.parametrize("addresses", [ADDRESSES, ""], ids=["with addresses", "without"])
def test_what_ip_netns_has_made_in_the_notebooks_own_mount_namespace_counts_when_it_is_right(
    addresses: str,
) -> None:
    code = "import nsedu as ns; ns.check('net-2')"
    script = f'{LAID} {addresses} {ON} exec "$PYTHON" -c "$CODE"'
    with running(f"exec unshare -Urmpf --mount-proc --net sh -c '{script}'", CODE=code) as shell:
        assert shell.stdout is not None
        said = shell.stdout.read().strip()
    if addresses:
        assert said.startswith("✔ net-2: a cable between two network namespaces")
    else:
        assert said == f"… net-2: {net.NOBODY}"  # they may be another's


Fault = Callable[..., None]
Boxes = tuple[Sandbox, ...]


def broken(id: str, fault: Fault) -> AbstractContextManager[Boxes]:
    """The sandboxes of an exercise, with this fault."""
    return diagnosis.begun(id, lambda: net.BREAK[id](fault))


FAULTS = [
    *(("net-4", fault) for fault in net.CABLE_FAULTS),
    *(("net-5", fault) for fault in net.ROUTER_FAULTS),
    *(("net-6", fault) for fault in net.IPV6_FAULTS),
]
MENDED = {  # what a learner would do who has found the fault, and nothing else
    net.switch_off: ("east", "ip link set eth0 up"),
    net.other_network: ("west", "ip address add 10.7.0.1/24 dev eth0"),
    net.dead_end: ("west", "ip route del unreachable 10.7.0.2"),
    net.taken: ("west", "ip address del 10.7.0.2/32 dev lo"),
    net.no_passing_on: ("router", "echo 1 > /proc/sys/net/ipv4/ip_forward"),
    net.no_way_back: ("east", "ip route add default via 10.8.0.254"),
    net.no_way_there: ("west", "ip route add 10.8.0.0/24 via 10.7.0.254"),
    net.wrong_gateway: ("west", "ip route replace default via 10.7.0.254"),
    net.hole: ("router", "ip route del blackhole 10.8.0.2"),
    net.no_ipv6: (
        "east",
        "echo 0 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6;"
        " ip address add fd00:7::2/64 dev eth0 nodad",
    ),
    net.too_narrow: ("west", "ip -6 route add fd00:7::/64 dev eth0"),
    net.taken6: ("west", "ip address del fd00:7::2/128 dev lo"),
}
every_fault = pytest.mark.parametrize(
    ("id", "fault"), FAULTS, ids=[f"{id} {fault.__name__.strip('_')}" for id, fault in FAULTS]
)


def by_name(boxes: Boxes) -> dict[str, Sandbox]:
    return {box.name.split("-")[-1]: box for box in boxes}


@pytest.mark.needs("veth", "nested", "ip")
@every_fault
def test_a_fault_is_there_until_just_it_is_mended(id: str, fault: Fault) -> None:
    with broken(id, fault) as boxes:
        verdict = judge(id)
        assert not verdict.solved
        assert verdict.found.startswith("found that")
        name, command = MENDED[fault]
        by_name(boxes)[name].run(command)
        assert judge(id).solved, judge(id)


@pytest.mark.needs("veth", "nested", "ip")
@every_fault
def test_the_way_that_is_shown_mends_every_fault(id: str, fault: Fault) -> None:
    with broken(id, fault) as boxes:
        _, *mending = EXERCISES[id].one_way.splitlines()
        exec("\n".join(mending), dict(by_name(boxes)))
        assert judge(id).solved, judge(id)


@pytest.mark.needs("veth", "nested", "ip")
@every_fault
def test_another_fault_mended_leaves_it_broken(id: str, fault: Fault) -> None:
    with broken(id, fault) as boxes:
        for other in (one for number, one in FAULTS if number == id and one is not fault):
            name, command = MENDED[other]
            by_name(boxes)[name].run(command, check=False)
        mended = judge(id).solved
        # A route or an address that is added may lead round a wrong one; nothing else does.
        assert not mended or fault in (net.wrong_gateway, net.no_way_there), judge(id)


@pytest.mark.needs("veth", "nested")
@pytest.mark.parametrize("id", ["net-4", "net-5", "net-6"])
def test_a_cable_laid_anew_mends_it(id: str) -> None:
    far = {"net-4": "10.7.0.2/24", "net-5": "10.8.0.2/24", "net-6": "fd00:7::2/64"}[id]
    near = {"net-4": "10.7.0.1/24", "net-5": "10.8.0.1/24", "net-6": "fd00:7::1/64"}[id]
    fault = {"net-4": net.switch_off, "net-5": net.hole, "net-6": net.no_ipv6}[id]
    with broken(id, fault) as boxes:
        names = by_name(boxes)
        nsedu.cable((names["west"], "new", near), (names["east"], "eth0", far))
        assert judge(id).solved, judge(id)


@pytest.mark.needs("veth", "nested")
def test_whatever_else_answers_to_the_address_is_not_east() -> None:
    def listen() -> None:
        servers = [socket.create_server(("10.7.0.2", port)) for port in range(32768, 33768)]
        assert servers

    with broken("net-4", net.taken) as boxes:
        boxes[0].call(listen)
        verdict = judge("net-4")
    assert verdict.found == "found that 10.7.0.2 answers west, but it is not east that does."


@pytest.mark.needs("veth", "nested")
@pytest.mark.parametrize("id", ["net-4", "net-5", "net-6"])
def test_what_is_broken_or_mended_solves_no_other_exercise(id: str) -> None:
    with standing(id) as boxes:
        net.MEND[id](*boxes)
        assert judge(id).solved
        for other in ("net-1", "net-2", "net-3"):
            assert judge(other).found == net.NOBODY


@pytest.mark.needs("veth", "nested")
def test_a_check_of_net_4_to_6_without_sandboxes_says_how_to_make_them() -> None:
    for id in ("net-4", "net-5", "net-6"):
        assert judge(id).found == (
            f'found no sandboxes called "{id}-west" and "{id}-east": ns.broken("{id}") makes them.'
        )
