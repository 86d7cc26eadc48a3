"""A word that is none of those accepted: which one was meant, and the sentence that says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_LISTED = 12  # words that a sentence may list after it has named the one that was meant


def nearest(given: object, words: Iterable[str], others: Mapping[str, str] | None = None) -> str:
    """The accepted word that was meant, as far as that can be told; else "".

    The same letters in another case or with other marks between them ("UTS1" for "uts-1"), another
    name of the same thing, or else the word that is most alike.

    Args:
        given: what was given; it may be anything.
        words: those that are accepted.
        others: further name → accepted word.
    """
    if not isinstance(given, str) or not given or len(given) > 100:
        return ""
    known = {_letters(name): word for name, word in (others or {}).items()}
    known |= {_letters(word): word for word in words}
    sought = _letters(given)
    if sought in known:
        return known[sought]
    import difflib  # which takes a while to load

    found = difflib.get_close_matches(sought, [name for name in known if name], 1)
    return known[found[0]] if found else ""


def no_such(
    what: str,
    given: object,
    words: Iterable[str],
    others: Mapping[str, str] | None = None,
    accepted: str = "; there are",
) -> str:
    """The sentence for a word that is not accepted: what is accepted, and "did you mean ...?".

    Of many words, the one that was meant is enough.

    Args:
        what: the beginning of the sentence: what the word is not.
        given: what was given.
        words: those that are accepted.
        others: as of `nearest`.
        accepted: what introduces the list of them.
    """
    words = list(words)
    meant, listed = nearest(given, words, others), f"{what}{accepted}: {', '.join(words)}"
    if not meant:
        return f"{listed}."
    return f"{what if len(words) > _LISTED else listed}; did you mean {meant!r}?"


def _letters(word: str) -> str:
    return "".join(c for c in word.casefold() if c.isalnum())
