"""The list of hits as CSV, for a spreadsheet or a data frame."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfmir.searching.ranking import Hit

# A spreadsheet takes a cell that begins like this for a formula, which may send the sheet elsewhere.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_BOM = "\ufeff"  # without it Excel takes UTF-8 for the machine's own code page


def hits_csv(hits: Sequence[Hit], tracks: Sequence[dict[str, Any]], notions: Sequence[str]) -> bytes:
    """UTF-8 with a byte order mark; a row a hit.

    Args:
      hits: best first.
      tracks: of each hit, see `Catalogue.track`.
      notions: of the system; none for one space.

    Returns:
      Columns rank, track_id, artist, seconds, score, similarity_<notion>…, tags, predicted (each with its score).
    """
    text = io.StringIO()
    writer = csv.writer(text)
    columns = ["rank", "track_id", "artist", "seconds", "score", *(f"similarity_{notion}" for notion in notions)]
    writer.writerow([cell(column) for column in [*columns, "tags", "predicted"]])
    for hit, track in zip(hits, tracks, strict=True):
        predicted = "; ".join(f"{found['tag']} {found['score']:.2f}" for found in track["predicted"])
        writer.writerow(
            [
                hit.rank,
                cell(hit.track_id),
                cell(hit.artist),
                track["seconds"],
                f"{hit.score:.6f}",
                *(f"{hit.similarities[notion]:.6f}" for notion in notions),
                cell("; ".join(track["tags"])),
                cell(predicted),
            ]
        )
    return (_BOM + text.getvalue()).encode()


def cell(text: str) -> str:
    """A text that no spreadsheet computes: with an apostrophe before what begins like a formula.

    >>> cell("=HYPERLINK(1)"), cell("Nina Simone")
    ("'=HYPERLINK(1)", 'Nina Simone')
    """
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
