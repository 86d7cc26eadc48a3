"""The tree of control groups: told from the reader's own, merged, and short when there are many."""

from __future__ import annotations

import pytest

from hand_made import lines, parsed, texts
from nsedu.draw.cgroup_tree import cgroup_tree
from nsedu.observe.cgroup_limits import Limits
from nsedu.observe.cgroups import CgroupView, Hierarchy, Member

OURS = 4026531835


def v1(*keys: str) -> tuple[Hierarchy, ...]:
    return tuple(Hierarchy(key, 1, tuple(key.split(",")), f"/cg/{key}", "/") for key in keys)


V2 = (Hierarchy("", 2, ("cpu", "memory", "pids"), "/cg", "/"),)


def member(name: str, ns: int | None, inside: str | None, outside: str, keys: list[str]) -> Member:
    seen = None if inside is None else dict.fromkeys(keys, inside)
    return Member(name, 1, ns, dict.fromkeys(keys, outside), seen)


def plain(own: str, hierarchies: tuple[Hierarchy, ...] = V2) -> CgroupView:
    """The notebook and two sandboxes in its group, each with a namespace of its own."""
    keys = [hierarchy.key for hierarchy in hierarchies]
    members = [member("this notebook", OURS, own, own, keys)]
    members += [member(f'sandbox "{name}"', OURS + n, "/", own, keys)
                for n, name in enumerate(("web", "db"), 1)]  # fmt: skip
    roots = {(OURS + n, key): own for n in (1, 2) for key in keys}
    roots |= {(OURS, key): "/" for key in keys}
    return CgroupView(hierarchies, dict.fromkeys(keys, own), OURS, tuple(members), roots)


SENSE = """
a line of a tree: a group, the namespaces that have their root there, the processes in it
inside: the path a process reads of itself; outside: the path that you read of it
root: the group that it calls "/"; top: the root of your own view
"""

PLAIN = lines(
    """
in every hierarchy
yours · root of B, C · this notebook, sandbox "web", sandbox "db"
process        cgroup  root   inside  outside
this notebook  A       top    yours   yours
sandbox "web"  B       yours  /       yours
sandbox "db"   C       yours  /       yours

cgroup A cgroup:[4026531835]  B cgroup:[4026531836]  C cgroup:[4026531837]
"""
    + SENSE.lstrip("\n")
)


@pytest.mark.parametrize("own", ["/", "/user.slice/user-1000.slice/session-2.scope"])
@pytest.mark.parametrize("hierarchies", [V2, v1("pids", "memory"), (*v1("pids"), *V2)])
def test_the_text_is_the_same_wherever_the_notebook_is(
    own: str, hierarchies: tuple[Hierarchy, ...]
) -> None:
    assert str(cgroup_tree(plain(own, hierarchies))) == PLAIN


def limited(own: str = "/me") -> CgroupView:
    """Version 1: a sandbox with limits on pids and memory, and a guest in its namespace."""
    hierarchies = (*v1("memory", "pids", "name=systemd"),)
    group = f"{own.rstrip('/')}/nsedu-1-1"
    held = {"memory": group, "pids": group, "name=systemd": own}
    everywhere = dict.fromkeys(held, own)
    members = (
        Member("this notebook", 1, OURS, everywhere, everywhere),
        Member('sandbox "web"', 2, OURS + 1, held, dict.fromkeys(held, "/")),
        Member('sandbox "guest"', 3, OURS + 1, everywhere,
               {"memory": "/..", "pids": "/..", "name=systemd": "/"}),
    )  # fmt: skip
    roots = {(OURS + 1, key): path for key, path in held.items()}
    limits = {
        ("memory", group): Limits(memory_max=32 << 20, oom_kills=1),
        ("pids", group): Limits(pids_max=5, pids_now=1, pids_refused=7),
    }
    makers = {"nsedu-1-1": 'sandbox "web"'}
    return CgroupView(hierarchies, everywhere, OURS, members, roots, makers, limits)


def test_hierarchies_with_the_same_tree_are_drawn_once_with_the_limits_of_all() -> None:
    picture = cgroup_tree(limited())
    assert str(picture).startswith(
        lines(
            """
in the hierarchies of memory, pids (version 1)
yours · this notebook, sandbox "guest"
└─ sandbox "web" · root of B · sandbox "web"
      at most 32 MiB of memory (1 killed)
      at most 5 processes (1 now, 7 refused)
process          cgroup  root                 inside  outside
this notebook    A       top                  yours   yours
sandbox "web"    B       yours/sandbox "web"  /       yours/sandbox "web"
sandbox "guest"  B       yours/sandbox "web"  /..     yours

in every other hierarchy
yours · root of B · this notebook, sandbox "web", sandbox "guest"
"""
        )
    )
    drawn = texts(picture)
    assert "at most 5 processes (1 now, 7 refused)" in drawn
    assert "root of B" in drawn


def test_a_group_beside_ones_own_hangs_below_what_they_share() -> None:
    view = CgroupView(
        V2,
        {"": "/user.slice/mine"},
        OURS,
        (
            member("this notebook", OURS, "/user.slice/mine", "/user.slice/mine", [""]),
            member('sandbox "web"', OURS + 1, "/", "/user.slice/nsedu-1-1", [""]),
            member("init", OURS, "/init.scope", "/init.scope", [""]),
        ),
        {(OURS + 1, ""): "/user.slice/nsedu-1-1"},
        {"nsedu-1-1": 'sandbox "web"'},
    )
    assert str(cgroup_tree(view)).startswith(
        lines(
            """
in every hierarchy
…
├─ …
│  ├─ yours · this notebook
│  └─ sandbox "web" · root of B · sandbox "web"
└─ init.scope · init
process        cgroup  root             inside        outside
this notebook  A       top              yours         yours
sandbox "web"  B       …/sandbox "web"  /             …/sandbox "web"
init           A       top              …/init.scope  …/init.scope
"""
        )
    )


def test_the_way_from_the_top_to_the_notebook_is_told_nowhere() -> None:
    picture = cgroup_tree(limited("/secret.slice/session"))
    assert "secret" not in picture.svg
    assert "nsedu-1-1" not in picture.svg


def test_what_nobody_could_look_at_from_inside_is_said() -> None:
    members = (member("sshd", None, None, "/", [""]),)
    picture = cgroup_tree(CgroupView(V2, {"": "/"}, OURS, members, unread=1))
    assert "sshd     ?       ?     ?       yours" in str(picture)
    assert str(picture).endswith("could not enter to look from inside: 1, shown as ?")
    assert "could not enter to look from inside: 1, shown as ?" in texts(picture)


def test_a_machine_without_control_groups_is_said_to_be_one() -> None:
    picture = cgroup_tree(CgroupView((), {}, None, ()))
    assert "this process is in no control group" in str(picture)
    parsed(picture)


def many(number: int) -> CgroupView:
    members = [member("this notebook", OURS, "/", "/", ["pids"])]
    makers, limits, roots = {}, {}, {}
    for n in range(1, number + 1):
        path = f"/nsedu-1-{n}"
        members.append(member(f'sandbox "box{n}"', OURS + n, "/", path, ["pids"]))
        makers[path[1:]], roots[OURS + n, "pids"] = f'sandbox "box{n}"', path
        limits["pids", path] = Limits(pids_max=5 if n != 4 else 6, pids_now=1)
    return CgroupView(v1("pids"), {"pids": "/"}, OURS, tuple(members), roots, makers, limits)


def test_many_groups_that_are_alike_are_drawn_once_with_their_number() -> None:
    text = str(cgroup_tree(many(200)))
    assert (
        """
├─ sandbox "box1" and 198 alike · root of B · sandbox "box1"
│     at most 5 processes (1 now)
└─ sandbox "box4" · root of E · sandbox "box4"
      at most 6 processes (1 now)
"""
        in text
    )
    assert 'sandbox "box1" and 199 alike  B …     yours/sandbox "box1"' in text


def test_many_groups_that_differ_are_cut_and_counted() -> None:
    view = many(200)
    limits = {key: Limits(pids_max=n, pids_now=1) for n, key in enumerate(view.limits, 2)}
    picture = cgroup_tree(CgroupView(*list(vars(view).values())[:6], limits))
    assert "… 161 more groups, not drawn" in str(picture)
    assert "… 161 more groups, not drawn" in texts(picture)


@pytest.mark.parametrize("number", [0, 1, 10, 200])
def test_a_picture_fits_into_a_notebook(number: int) -> None:
    root = parsed(cgroup_tree(many(number)))
    assert float(root.get("width", "0")) <= 830
    assert float(root.get("height", "0")) <= 1500


def test_a_hostile_name_harms_neither_line_nor_drawing() -> None:
    members = (member("a\n<b>&", OURS, "/", "/x\x1b[2J/y", [""]),)
    picture = cgroup_tree(CgroupView(V2, {"": "/"}, OURS, members))
    parsed(picture)
    assert "\x1b" not in str(picture)
    assert r"a\n<b>&" in str(picture)
