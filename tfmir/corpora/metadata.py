"""What the genre, mood and date fields of audio files mean: tags in lower case, and no tag where they say nothing."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable

from mutagen.id3 import TCON

from tfmir.corpora.spelling import tidy

# What programs write where nobody knows, in any case and within any brackets. So does a text without letter or digit.
_PLACEHOLDERS = frozenset(
    {
        *("none", "null", "nil", "nan", "na", "n/a", "n / a", "undefined", "unspecified", "not specified", "not set"),
        *("unknown", "unknown genre", "unknown mood", "unclassified", "untitled", "untagged", "no genre", "no mood"),
        *("other", "others", "misc", "misc.", "miscellaneous"),
    }
)
_BRACKETS = "()[]{}<> "
_SEPARATORS = re.compile(r"[;,\0]")
_SLASHES = re.compile(r"(?<!\bn)(?<!\bn )/|/(?! ?a\b)", re.IGNORECASE)  # the one in N/A separates nothing
# 1994, 1994-05-01 and 19940501
_YEARS = re.compile(r"(?<!\d)([0-9]{4})(?:[0-9]{4})?(?!\d)")
_FIRST_YEAR = 1800  # the year may be that of a composition


def genres(texts: Iterable[str]) -> list[str]:
    """The genres in the texts of a field, sorted, each once; ID3v1's numbers, `17` or `(17)`, are names.

    >>> genres(["Rock; (32)", "Unknown Genre"])
    ['classical', 'rock']
    """
    return _tags(name for text in _pieces(texts) for name in TCON(encoding=3, text=[text]).genres)


def moods(texts: Iterable[str]) -> list[str]:
    """The moods in the texts of a field, sorted, each once.

    >>> moods(["Calm/Dreamy", "N/A"])
    ['calm', 'dreamy']
    """
    return _tags(_pieces(texts))


def decade(texts: Iterable[str]) -> list[str]:
    """The decade of the first sensible year in the texts of a field, from 1800 to this year; none if there is none.

    >>> decade(["0000", "1994-05-01"])
    ['1990s']
    """
    years = (int(year) for year in _YEARS.findall(" ".join(texts)))
    return next(([f"{year // 10}0s"] for year in years if _FIRST_YEAR <= year <= datetime.date.today().year), [])


def _pieces(texts: Iterable[str]) -> Iterable[str]:
    return (piece.strip() for text in texts for piece in _SEPARATORS.split(text))


def _tags(texts: Iterable[str]) -> list[str]:
    words = {tidy(word).lower() for text in texts for word in _SLASHES.split(text)}
    return sorted(word for word in words if not _says_nothing(word))


def _says_nothing(word: str) -> bool:
    return word.strip(_BRACKETS) in _PLACEHOLDERS or not any(character.isalnum() for character in word)
