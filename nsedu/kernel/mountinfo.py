"""The mount table of a process, from /proc/PID/mountinfo (proc_pid_mountinfo(5))."""

from __future__ import annotations

from collections import namedtuple

_OCTAL = frozenset(b"01234567")


class Mount(
    namedtuple(
        "Mount", "id parent device root target options propagation fstype source super_options"
    )
):
    """One line of a mountinfo file.

    Attributes:
        id: the mount's number; used again after it is unmounted.
        parent: the number of the mount it is mounted on, its own for a namespace's root.
        device: "major:minor" of the file system.
        root: what within the file system is mounted; for a namespace file "net:[4026532181]".
        target: the mount point, relative to the process's root directory.
        options: the options of this mount ("ro", "nosuid", …).
        propagation: the optional fields, such as "shared:12" or "master:3"; none: private.
        fstype: the type of the file system.
        source: what was given as its source.
        super_options: the options of the file system itself.
    """

    __slots__ = ()
    id: int
    parent: int
    device: str
    root: str
    target: str
    options: tuple[str, ...]
    propagation: tuple[str, ...]
    fstype: str
    source: str
    super_options: tuple[str, ...]

    @property
    def peer_group(self) -> int | None:
        """The number of the peer group it shares events with, None if it is not shared."""
        return self._tagged("shared")

    @property
    def master(self) -> int | None:
        """The number of the peer group it gets events from, None if it is no slave."""
        return self._tagged("master")

    @property
    def propagation_type(self) -> str:
        """Its type as mount_namespaces(7) has it: "shared", "slave", "slave+shared", …."""
        if "unbindable" in self.propagation:
            return "unbindable"
        kinds = ["slave"] * (self.master is not None) + ["shared"] * (self.peer_group is not None)
        return "+".join(kinds) or "private"

    def _tagged(self, tag: str) -> int | None:
        for field in self.propagation:
            name, _, number = field.partition(":")
            if name == tag:
                return int(number)
        return None


def _text(field: bytes) -> str:
    # Bytes that are no UTF-8 become lone surrogates, as everywhere in Python's file names.
    plain = _unescaped(field) if b"\\" in field else field
    return plain.decode("utf-8", "surrogateescape")


def _unescaped(field: bytes) -> bytes:
    """A field with its blanks, tabs, newlines and backslashes, which arrive as octal digits."""
    plain, *parts = field.split(b"\\")
    for part in parts:
        digits, rest = part[:3], part[3:]
        if len(digits) == 3 and _OCTAL.issuperset(digits):
            plain += bytes((int(digits, 8) & 0xFF,)) + rest
        else:
            plain += b"\\" + part
    return plain


def parse_mount(line: bytes) -> Mount:
    """Parse one line of mountinfo (without its newline).

    Raises:
        ValueError: the line does not have the form that proc_pid_mountinfo(5) describes.
    """
    fields = line.split(b" ")
    try:
        dash = fields.index(b"-", 6)  # any number of optional fields may stand before it
        fstype, source = fields[dash + 1 : dash + 3]
        super_options = b" ".join(fields[dash + 3 :])  # some file systems put blanks in theirs
        return Mount(
            int(fields[0]),
            int(fields[1]),
            fields[2].decode(),
            _text(fields[3]),
            _text(fields[4]),
            tuple(_text(fields[5]).split(",")),
            tuple(map(_text, fields[6:dash])),
            _text(fstype),
            _text(source),
            tuple(_text(super_options).split(",")),
        )
    except (ValueError, IndexError):
        raise ValueError(f"this is not a line of mountinfo: {line!r}.") from None


def parse_mountinfo(data: bytes) -> list[Mount]:
    """Parse a whole mountinfo file, in the kernel's order: a parent may follow its children.

    Raises:
        ValueError: a line does not have the form that proc_pid_mountinfo(5) describes.
    """
    return [parse_mount(line) for line in data.split(b"\n") if line]


def namespace_mounts(data: bytes) -> list[Mount]:
    """Only the mounted namespace files of a mountinfo file, without parsing the rest."""
    if b" - nsfs " not in data:
        return []
    return [parse_mount(line) for line in data.split(b"\n") if b" - nsfs " in line]
