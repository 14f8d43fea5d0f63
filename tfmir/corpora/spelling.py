"""When two texts are one: tags, notions and artists of a user's folder that differ only in how they are written.

And how the name of a file is shown that may hold anything.

The published corpora are not touched: their tags are what their label files say, byte for byte.
"""

from __future__ import annotations

import collections
import re
import unicodedata
from collections.abc import Iterable

_JOINERS = "\u200c\u200d"  # within words of Persian and within emoji
_SPACES = re.compile(r"[\s\u200b\ufeff]+")  # those of no width are white space to no other rule


def composed(text: str) -> str:
    """A text in the Unicode form NFC, in which what reads as `é` is one character and not two."""
    return unicodedata.normalize("NFC", text)


def tidy(text: str) -> str:
    """A text without spaces around it, with single ones in it, in the Unicode form NFC.

    >>> tidy(" hip   hop ")
    'hip hop'
    """
    return composed(_SPACES.sub(" ", text).strip())


def key(text: str) -> str:
    """What two texts have in common that differ only in case, in spaces or in Unicode form.

    >>> key("Hip  Hop") == key("hip hop ")
    True
    """
    return composed(unicodedata.normalize("NFD", tidy(text)).casefold())


def unified(texts: Iterable[str]) -> dict[str, str]:
    """Each text -> the spelling that is shown for all texts of its `key`.

    It is the most frequent one, tidy; of several as frequent the first in the alphabet, where capitals come first. So
    the order of the texts does not matter.

    >>> unified(["rock", "Rock", "Rock", "jazz "])
    {'rock': 'Rock', 'Rock': 'Rock', 'jazz ': 'jazz'}
    """
    counts = collections.Counter(texts)
    spellings: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for text, count in counts.items():
        spellings[key(text)][tidy(text)] += count
    shown = {same: min(found, key=lambda text: (-found[text], text)) for same, found in spellings.items()}
    return {text: shown[key(text)] for text in counts}


def one_line(text: str) -> str:
    r"""A name as it is shown: on one line, in one cell, with what would move the cursor or hide there written out.

    >>> print(one_line("B-side\n\tlive.mp3"))
    B-side\n\tlive.mp3
    """
    return "".join(_written_out(sign) for sign in text)


def _written_out(sign: str) -> str:
    if unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Zl", "Zp") or sign in _JOINERS:
        return sign
    return sign.encode("unicode_escape", "surrogatepass").decode()
