"""Text from the machine, made fit to be shown: names and paths may hold whatever bytes they like.

Another user's process may call itself anything, and a terminal obeys what it is sent: an escape
sequence sets the title, moves the cursor, or makes the terminal answer.  So whatever is shown goes
through `clean` where it leaves for a terminal or a browser: in `nsedu.draw.svg`, `nsedu.table`,
the command line, and the messages of errors.
"""

from __future__ import annotations


def clean(text: str) -> str:
    r"""The text on one line, without a character that acts instead of being seen.

    Control characters (C0 and C1), marks that turn the direction of writing, those of no width, and
    lone surrogates, which are bytes that are no UTF-8, become escapes as in Python's strings:
    ``\x1b``, ``\u202e``, ``\xff``.
    """
    return text if text.isprintable() else "".join(map(_seen, text))


def _seen(character: str) -> str:
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
