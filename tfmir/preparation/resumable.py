"""Work in pieces that may be killed at any moment: what is begun, what is finished, and what could not be used.

What a piece of work leaves in the folder `.build` beside what it writes: `<file>.begun` while it is being written, and
`<file>.json`, which says what became of it, when it is finished. The folder is removed with the last piece.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from tfmir import files
from tfmir.corpora.spelling import one_line
from tfmir.errors import UserError

STATE = ".build"
REJECTED, REMARKS = "rejected.tsv", "remarks.tsv"
_PRINTED_REJECTIONS = 20


@contextlib.contextmanager
def begun(state: files.Path, file: str) -> Iterator[bool]:
    """Marks a file as begun while the block writes it; yields whether that mark was there before.

    If it was, a worker has died over the file, or hung in it and was killed: its audio is decoded in isolation, so that
    the one to blame is rejected by name. The mark stays if the block raises.
    """
    mark = state / f"{file}.begun"
    died = mark.exists()
    files.write_text(mark, "")
    yield died
    mark.unlink(missing_ok=True)  # a task whose worker lost its connection runs twice


def note(state: files.Path, file: str, said: dict[str, Any]) -> None:
    """Notes that a file is finished."""
    files.write_json(state / f"{file}.json", said)


def noted(state: files.Path, file: str) -> dict[str, Any] | None:
    """What was noted of a finished file; None if it is not finished."""
    path = state / f"{file}.json"
    found: dict[str, Any] | None = files.read_json(path) if path.exists() else None
    return found


def clear_leftovers(folder: files.Path, *patterns: str) -> None:
    """Removes what killed processes leave behind; nobody is writing when this is called.

    Marks of what was begun stay: work that hung in a file, and was killed, decodes that piece in isolation.

    Args:
      folder: what is made.
      patterns: of the names of files in it, as they are called when they are finished.
    """
    places = [(folder, pattern) for pattern in patterns] + [(folder / STATE, ".json")]
    for leftover in [path for place, pattern in places for path in files.leftovers(place, pattern)]:
        leftover.unlink(missing_ok=True)


def list_tracks(
    folder: files.Path, *, rejected: Sequence[Sequence[str]], remarks: Sequence[Sequence[str]], tracks: int
) -> None:
    """Writes which tracks are not used and which are although something is wrong, and prints the first of them.

    Args:
      folder: where `rejected.tsv` goes, and `remarks.tsv`, if there is anything to remark.
      rejected: track id, path and reason of each.
      remarks: track id, path and remark of each.
      tracks: how many there are altogether.
    """
    if remarks:
        said = f"{len(remarks)} of {tracks} tracks are used although something is wrong with their files"
        _list(folder / REMARKS, ("track", "path", "remark"), remarks, said)
    else:
        (folder / REMARKS).unlink(missing_ok=True)
    _list(
        folder / REJECTED,
        ("track", "path", "reason"),
        rejected,
        f"{len(rejected)} of {tracks} tracks are rejected",
    )


def refuse_too_many(rejected: int, tracks: int, limit: float, *, kept: str) -> None:
    """Refuses to finish where a larger share than `limit` is rejected; `kept` is what stays."""
    if rejected > limit * tracks:
        raise UserError(
            f"{rejected} of {tracks} tracks are rejected, more than --max_rejected_fraction={limit:g} allows: "
            f"mend the files or raise the limit, then give the command again; finished {kept} are kept"
        )


def _list(path: files.Path, head: tuple[str, ...], rows: Sequence[Sequence[str]], said: str) -> None:
    lines = ["\t".join(one_line(cell) for cell in row) for row in [head, *sorted(map(tuple, rows))]]
    files.write_text(path, "\n".join(lines) + "\n")
    if rows:
        print(f"{said}; all of them with reasons: {path}")
        print("\n".join(f"  {line}" for line in lines[1 : 1 + _PRINTED_REJECTIONS]))
