"""The ids that root lends to its sandboxes: outside they are nobody's and own nothing.

A sandbox of an ordinary user's is that user's outside.  If root's were root's, whatever runs inside
would own root's files and the machine's settings: capabilities end at the user namespace, ownership
does not (user_namespaces(7)).  So 0 inside a sandbox that root makes is an id outside that has no
account, no grant and no files, another one for each sandbox, or they could signal and trace each
other.

Where: above what systemd-nspawn takes (to 0x6FFFFFFF), what SSSD gives out (to 2000200000) and what
/etc/subuid grants by default (to 600100000); below systemd's foreign ids (0x7FFE0000) and 2**31.
"""

from __future__ import annotations

import errno
import functools
import os
import socket
from collections import namedtuple

from nsedu.kernel import syscalls

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from collections.abc import Iterator

CELLS, SINGLES, BLOCKS, END = 0x77C00000, 0x78000000, 0x79000000, 0x7FFE0000
BLOCK, SMALL_BLOCK = 1 << 16, 1 << 12  # ids of a sandbox with user="range"
_STRIDE = 61  # blocks between those where two lenders start
_CAP_SETGID, _CAP_SETUID = 6, 7  # <linux/capability.h>
_SMALLEST = 1000  # below are the accounts of a system
_NOBODY = 65534, 65535  # the overflow id (/proc/sys/kernel/overflowuid), and (uint16_t) -1


class Window(namedtuple("Window", "cells singles blocks size")):
    """What there is to lend: each the first id and how many there are of a kind.

    Attributes:
        cells: one for each cell that runs by hand.
        singles: one for each sandbox.
        blocks: one block of ids for each sandbox with a range.
        size: of a block, in ids.
    """

    __slots__ = ()
    cells: tuple[int, int]
    singles: tuple[int, int]
    blocks: tuple[int, int]
    size: int

    def __contains__(self, uid: object) -> bool:
        """Whether it is an id that may have been lent."""
        if not isinstance(uid, int):
            return False
        (first, count), size = self.blocks, self.size
        ranges = self.cells, self.singles, (first, count * size)
        return any(first <= uid < first + count for first, count in ranges)


NOTHING = Window((0, 0), (0, 0), (0, 0), 0)
"""There is only the one id of this root's own."""


def window() -> Window:
    """What root may lend here: of the ids that exist in its user namespace those that are nobody's.

    Accounts come from the files alone: a name service could be slow to answer, or not answer.
    """
    free = list(_ids_here())
    for low, high in sorted(_taken()):
        free = [
            (first, last)
            for start, end in free
            for first, last in ((start, min(end, low - 1)), (max(start, high + 1), end))
            if first <= last
        ]
    if any(first <= CELLS and last >= END - 1 for first, last in free):
        blocks = (END - BLOCKS) // BLOCK
        cells, singles = (CELLS, SINGLES - CELLS), (SINGLES, BLOCKS - SINGLES)
        return Window(cells, singles, (BLOCKS, blocks), BLOCK)
    pieces = [(max(first, _SMALLEST), last) for first, last in free if last > _SMALLEST]
    if not pieces:
        return NOTHING
    first, last = max(pieces, key=lambda piece: piece[1] - piece[0])
    third = (last - first + 1) // 3
    if not third:
        return NOTHING
    size = min(third, SMALL_BLOCK)
    blocks = third // size
    return Window((first, third), (first + third, third), (first + 2 * third, blocks), size)


def to_lend() -> Window | None:
    """What this process lends to its sandboxes; None if they are its own user's, as it is not root.

    Root of a user namespace that has no other id is somebody else outside, and as good as an
    ordinary user; root that may not give ids away has `NOTHING` to lend.
    """
    if os.geteuid() != 0:
        return None
    needed = 1 << _CAP_SETGID | 1 << _CAP_SETUID
    found = window() if syscalls.capget()[0] & needed == needed else NOTHING
    return None if found is NOTHING and not _owns_the_machine() else found


def is_yours(uid: int | None, reader: int | None) -> bool:
    """Whether an id is the reader's own or, if the reader is root, may be lent to its sandboxes."""
    return uid == reader or (reader == 0 and uid in _window_here())


@functools.cache
def _window_here() -> Window:
    try:
        return window()
    except OSError:  # no /proc is mounted
        return NOTHING


def _owns_the_machine() -> bool:
    """Whether this process's user is root outside all user namespaces, and not only inside one.

    The settings of the kernel belong to that root; from a user namespace in which it has no id
    they seem to be 65534's.
    """
    try:
        return os.stat("/proc/sys/kernel/ostype").st_uid == os.geteuid() == 0
    except OSError:
        return True


def _ids_here() -> Iterator[tuple[int, int]]:
    """The ids that exist here both as user and as group: pairs of the first and the last."""
    with open("/proc/self/uid_map") as users, open("/proc/self/gid_map") as groups:
        both = [[[int(word) for word in line.split()] for line in file] for file in (users, groups)]
    for user, _, user_count in both[0]:
        for group, _, group_count in both[1]:
            first, last = max(user, group), min(user + user_count, group + group_count) - 1
            if first <= last:
                yield first, last


def _taken() -> Iterator[tuple[int, int]]:
    """The ids that are somebody's: accounts, groups and grants."""
    yield _NOBODY
    for path, first, count in (
        ("/etc/passwd", 2, 0), ("/etc/group", 2, 0), ("/etc/subuid", 1, 2), ("/etc/subgid", 1, 2),
    ):  # fmt: skip
        try:
            with open(path, errors="replace") as file:
                lines = [line.rstrip("\n").split(":") for line in file]
        except OSError:
            continue
        for fields in lines:
            if len(fields) <= max(first, count) or not fields[first].isdecimal():
                continue
            if not count:
                yield int(fields[first]), int(fields[first])
            elif fields[count].isdecimal() and int(fields[count]):
                yield int(fields[first]), int(fields[first]) + int(fields[count]) - 1


class Lender:
    """Gives each sandbox its ids, in the process that makes it.

    Args:
        window: what there is.
    """

    def __init__(self, window: Window) -> None:
        self.window = window
        self._held: dict[str, socket.socket] = {}  # sandbox → the lock of its block

    def single(self, namespace: int) -> int:
        """The id for a sandbox.

        Args:
            namespace: the inode number of its user namespace: no two that live have the same
                (namespaces(7)), so no two sandboxes get the same id, whoever makes them; two could
                where there are few ids in all, if their numbers lie that far apart.
        """
        first, count = self.window.singles
        return first + namespace % count

    def block(self, sandbox: str) -> tuple[int, int]:
        """The first of a block of ids for a sandbox, and how many they are.

        Args:
            sandbox: its identity, for `take_back`.

        Raises:
            OSError: ENOSPC, every block is lent; ENOENT, no /proc is mounted.
        """
        first, blocks = self.window.blocks
        # The names below are those of one network namespace; who lends in another starts elsewhere.
        start = os.stat("/proc/self/ns/net").st_ino * _STRIDE
        for number in range(start, start + blocks):
            # Who has bound this name has the block; the kernel frees it when that process ends.
            lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                lock.bind(f"\0nsedu-ids-{number % blocks}")
            except OSError:
                lock.close()
                continue
            self._held[sandbox] = lock
            return first + number % blocks * self.window.size, self.window.size
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "no block of ids is left to lend")

    def take_back(self, sandbox: str) -> None:
        """The sandbox has ended: its block may be lent again."""
        lock = self._held.pop(sandbox, None)
        if lock is not None:
            lock.close()
