"""Why a namespace is alive, drawn from records made by hand."""

from __future__ import annotations

import pytest

from hand_made import FIRST, lines, notebook, parsed, texts
from nsedu.draw.why_alive import why_alive
from nsedu.kernel.namespace_types import NAMES
from nsedu.observe.records import Namespace, Pin, Process, Snapshot

KEPT = 4026537000


def looked(*pins: Pin, type: str = "net", **fields: object) -> Snapshot:
    """The notebook (101) and its agent (102), and a namespace with these pins if there are any."""
    family, _ = notebook()
    if pins:
        family.namespaces[type, KEPT] = Namespace(type, KEPT, pins=pins)
    return family.snapshot(deep=True, **fields)


def test_each_kind_of_pin_is_told_with_who_holds_it():
    snapshot = looked(
        Pin("process", 102, ""),
        Pin("thread", 102, "103"),
        Pin("fd", 101, "7"),
        Pin("bind", 102, "/run/web"),
        Pin("socket", 101, "8"),
    )
    assert str(why_alive(snapshot, "net", KEPT)) == lines(
        """
net:[4026537000] · 5 things keep it alive
├─ process     agent
├─ thread      of agent
├─ descriptor  of this notebook
├─ bind mount  /run/web, seen by agent
└─ socket      of this notebook
looked at: this notebook and all that it started
"""
    )


def test_without_a_process_in_it_that_is_said():
    text = str(why_alive(looked(Pin("fd", 101, "7")), "net", KEPT))
    assert text.startswith("net:[4026537000] · 1 thing keeps it alive, and no process is in it\n")


def test_a_process_that_holds_it_for_its_children_is_not_in_it():
    text = str(why_alive(looked(Pin("process", 102, "pid_for_children"), type="pid"), "pid", KEPT))
    assert "and no process is in it" in text
    assert "└─ process  agent, for its next child" in text


def test_a_mount_that_no_process_sees_is_told_by_its_mount_namespace():
    text = str(why_alive(looked(Pin("bind", None, "mnt:[5]/run/web")), "net", KEPT))
    assert "└─ bind mount  /run/web, in mnt:[5] without a process" in text


def test_child_and_owned_namespaces_are_told_by_who_is_in_them():
    family, agent = notebook()
    box = family.add(agent, "box", ("user", "uts"), role='sandbox "web"')
    sleep = family.add(box, "sleep")
    child, owned = (family.processes[box].links[kind] for kind in ("user", "uts"))
    family.namespaces["user", child] = Namespace("user", child, members=(box, sleep))
    family.namespaces["uts", owned] = Namespace("uts", owned)
    kept = (
        Pin("child", None, str(child)),
        Pin("owned", None, str(owned)),
        Pin("owned", None, "12345"),
    )
    family.namespaces["user", KEPT] = Namespace("user", KEPT, pins=kept)
    text = str(why_alive(family.snapshot(deep=True), "user", KEPT))
    assert '├─ child  user namespace of sandbox "web" and 1 more' in text
    assert "├─ owned  uts namespace with no process" in text
    assert "└─ owned  a namespace out of sight" in text


def test_what_has_let_go_stays_in_the_picture_struck_out():
    before = looked(Pin("process", 102, ""), Pin("fd", 101, "7"))
    picture = why_alive(looked(Pin("fd", 101, "7")), "net", KEPT, before)
    assert str(picture).splitlines()[1:3] == [
        "✂  process     agent: let go",
        "└─ descriptor  of this notebook",
    ]
    assert 'text-decoration="line-through"' in picture.svg


def test_the_last_row_closes_the_tree_even_when_it_has_let_go():
    before = looked(Pin("process", 102, ""), Pin("fd", 101, "7"))
    text = str(why_alive(looked(Pin("process", 102, "")), "net", KEPT, before))
    assert text.splitlines()[1:3] == [
        "└─ process     agent",
        "✂  descriptor  of this notebook: let go",
    ]


def test_a_gone_namespace_is_told_and_is_no_error():
    picture = why_alive(looked(), "net", KEPT)
    assert str(picture).splitlines()[0] == "net:[4026537000] · gone: nothing in sight keeps it"
    assert "gone" in texts(picture)


def test_one_that_is_known_without_a_pin_is_not_called_gone():
    text = str(why_alive(looked(), "net", FIRST["net"]))
    assert "alive, but what keeps it is out of sight" in text


@pytest.mark.parametrize(
    ("scope", "said"),
    [("mine", "this notebook and all that it started"), ("machine", "every process of the machine"),
     ("4711", "one process and all below it")],
)  # fmt: skip
def test_it_says_where_was_looked(scope: str, said: str):
    assert f"looked at: {said}" in str(why_alive(looked(scope=scope), "net", KEPT))


def test_it_says_when_only_processes_were_looked_at():
    family, _ = notebook()
    text = str(why_alive(family.snapshot(), "net", FIRST["net"]))
    assert text.endswith("and there at processes alone")


def test_what_could_not_be_read_is_counted():
    assert "could not read sockets: 3" in str(why_alive(looked(unread={"sockets": 3}), "net", KEPT))


def many(count: int) -> Snapshot:
    processes = {
        pid: Process(pid, 0, "worker", f"/bin/worker-{pid % 20}") for pid in range(1, count + 1)
    }
    pins = [Pin("process", pid, "") for pid in processes]
    pins += [Pin("bind", 1, f"/run/netns/{'long-' * 30}{n}") for n in range(count)]
    pins += [Pin("fd", 1, str(n)) for n in range(count)]
    return Snapshot(processes, {("net", KEPT): Namespace("net", KEPT, pins=tuple(pins))})


def test_of_many_the_alike_are_one_row_and_the_rest_is_counted():
    text = str(why_alive(many(200), "net", KEPT))
    assert "600 things keep it alive" in text
    assert "processes    worker-1 × 10" in text
    assert "processes    … 170 more" in text
    assert "descriptors  of worker-1 × 200" in text
    assert "bind mounts  … 197 more" in text


@pytest.mark.parametrize("count", [1, 10, 200])
def test_the_drawing_is_well_formed_and_fits_into_a_notebook(count: int):
    root = parsed(why_alive(many(count), "net", KEPT))
    assert float(root.get("width", "0")) <= 830
    assert float(root.get("height", "0")) < 800


def test_the_description_is_the_text_twin():
    picture = why_alive(looked(Pin("fd", 101, "7")), "net", KEPT)
    desc = next(parsed(picture).iter("{http://www.w3.org/2000/svg}desc"))
    assert desc.text == str(picture)


def test_another_type_is_refused_with_the_names_of_the_eight():
    with pytest.raises(ValueError, match=", ".join(NAMES)):
        why_alive(looked(), "hostname", 1)
