"""IPC namespaces side by side: who is in them, what they hold, which keys are there twice."""

from __future__ import annotations

import errno

import pytest

from hand_made import lines, parsed, texts
from nsedu.draw.ipc import ipc
from nsedu.draw.picture import Picture
from nsedu.observe.ipc import IpcLook, IpcNamespace, IpcObject

READER = 1000
KINDS = ("shm", "sem", "msg", "mqueue")


def thing(kind: str, key: int = 0x2A, size: int = 0, number: int = 0, uid: int = READER):
    name = f"/queue-{key}" if kind == "mqueue" else f"{key:#010x}"
    return IpcObject(kind, name, -1 if kind == "mqueue" else 0, size, number, 0o600, uid)


def drawn(*namespaces: IpcNamespace, unread: tuple[str, ...] = ()) -> Picture:
    return ipc(IpcLook(namespaces, unread, READER))


def space(ns: int, *objects: IpcObject, places: tuple[str, ...] = ('sandbox "mars"',), **fields):
    return IpcNamespace(4026532000 + ns, places, objects, **fields)


def test_the_same_key_in_two_namespaces_is_two_objects() -> None:
    mars = space(1, thing("shm", size=4096), thing("msg", size=5, number=1),
                 places=('sandbox "mars"', 'sandbox "guest"'))  # fmt: skip
    venus = space(2, thing("shm", size=4096), thing("sem", number=3, uid=0),
                  places=('sandbox "venus"',))  # fmt: skip
    assert str(drawn(mars, venus)) == lines(
        """
ipc A ipc:[4026532001] · sandbox "mars", sandbox "guest"
├─ shared memory 0x0000002a · 4 KiB · made by you · another in B
└─ message queue 0x0000002a · 1 message, 5 bytes · made by you
ipc B ipc:[4026532002] · sandbox "venus"
├─ shared memory 0x0000002a · 4 KiB · made by you · another in A
└─ semaphores    0x0000002a · 3 semaphores · made by uid 0
each key and name is looked up in the namespace of whoever asks
the same key or name in two namespaces is two objects
"""
    )
    assert texts(drawn(mars, venus)).count("≠ another in B") == 1


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (thing("shm", size=1), "1 byte · made by you"),
        (thing("shm", size=1536, number=2), "1.5 KiB, attached 2 × · made by you"),
        (thing("shm", size=3 << 30), "3 GiB · made by you"),
        (thing("sem", number=1), "1 semaphore · made by you"),
        (thing("msg"), "empty · made by you"),
        (thing("msg", number=2), "2 messages, 0 bytes · made by you"),
        (thing("mqueue", size=7), "7 bytes waiting · made by you"),
        (thing("mqueue"), "empty · made by you"),
        (thing("mqueue", size=-1, uid=65534), "not readable · made by uid 65534"),
    ],
    ids=lambda value: "",
)
def test_each_object_says_how_large_it_is_and_whose(one: IpcObject, words: str) -> None:
    assert str(drawn(space(1, one))).splitlines()[1].split(" · ", 1)[1] == words


def test_objects_without_a_key_are_told_once_and_are_nobody_s_twins() -> None:
    private = [thing("shm", key=0, size=10)._replace(id=number) for number in range(3)]
    text = str(drawn(space(1, *private), space(2, *private)))
    assert text.count("shared memory private    · 3 × 10 bytes · made by you") == 2
    assert "another" not in text


def test_a_namespace_with_nothing_in_it_is_said_to_be_so() -> None:
    assert "└─ nothing in it" in str(drawn(space(1)))


def test_what_could_not_be_seen_is_said() -> None:
    queues = str(drawn(space(1, queues_refused=errno.EPERM)))
    assert "├─ no System V object\n└─ could not see its POSIX queues: Operation not" in queues
    assert "nothing in it" not in queues
    inside = drawn(space(1, refused=errno.EPERM), unread=("cron", "cron", "init"))
    assert "└─ could not look into it: Operation not permitted" in str(inside)
    assert "could not read the IPC namespace of: cron × 2, init" in str(inside)
    assert "Could not read the IPC namespace of: cron × 2, init" in texts(inside)


def test_nothing_at_all_is_a_picture_too() -> None:
    assert str(drawn(unread=("a",))).endswith("could not read the IPC namespace of: a")
    parsed(drawn())


def test_of_two_hundred_objects_each_kind_is_summed_up() -> None:
    objects = [thing(kind, key, 4096, 3) for kind in KINDS for key in range(1, 51)]
    picture = drawn(space(1, *objects))
    text = str(picture).splitlines()
    assert len(text) == 1 + 4 * 4 + 1
    assert "├─ shared memory … 47 more  · 188 KiB in all" in text
    assert "├─ semaphores    … 47 more  · 141 semaphores in all" in text
    assert "└─ POSIX queue   … 47 more  · 188 KiB waiting in all" in text
    assert {"… 47 more", "188 KiB in all"} <= set(texts(picture))


def test_of_two_hundred_namespaces_the_empty_are_one_box_and_the_rest_is_counted() -> None:
    full = [space(n, thing("shm"), places=(f"box {n}",)) for n in range(30)]
    empty = [space(n, places=(f"box {n}",)) for n in range(30, 200)]
    text = str(drawn(*empty[:2], *full, *empty[2:]))
    assert text.startswith("ipc A and 169 alike ipc:[4026532030] · box 30, box 31, box 32,")
    assert "… 164 more" in text.splitlines()[0]
    assert "others in 29 namespaces" in text
    assert "… 15 more boxes, not drawn; 30 objects in all" in text


@pytest.mark.parametrize("number", [1, 2, 3, 200])
def test_it_fits_into_a_notebook_and_cuts_nothing(number: int) -> None:
    objects = [thing(kind, key, 1 << 33, 32000, uid=65534) for kind in KINDS for key in (1, 2, 3)]
    long = tuple(f'sandbox "a rather long one {n}"' for n in range(20))
    picture = drawn(*(space(n, *objects, places=long) for n in range(number)))
    width, height = (float(parsed(picture).get(side, "0")) for side in ("width", "height"))
    assert width <= 830
    assert height <= 5000
    assert not [text for text in texts(picture) if text.endswith("…")]


def test_a_name_that_would_break_the_drawing_is_made_harmless() -> None:
    queue = thing("mqueue")._replace(name="/<a>\n&\udcff" + "x" * 250)
    picture = drawn(space(1, queue, places=("a\x1b[31m",)))
    parsed(picture)
    assert "\n&" not in str(picture)
    assert "x…" in str(picture)
