"""Which notion each tag of a corpus belongs to: a file that a user can replace.

Tab-separated, with the columns `tag` (as the label files spell it) and `notion`; a column `name` may give the tag
another name, and two tags of the same name become one. What is not in it is left out, so it chooses the tags as well.
"""

from __future__ import annotations

import pathlib

from tfmir.corpora.labels import read_rows
from tfmir.errors import UserError
from tfmir.vocabulary import Vocabulary

_PUBLISHED = pathlib.Path(__file__).with_name("vocabularies")


def load_grouping(path: str, *, default: str) -> dict[str, str]:
    """Tag as the label files spell it -> full name `notion/tag`, in the order of the file.

    Args:
      path: of the file; empty for the one that comes with tfmir.
      default: name of that one.

    Raises:
      UserError: a column is missing, a cell is empty, or a tag stands twice.
    """
    source = path or str(_PUBLISHED / f"{default}.tsv")
    grouping: dict[str, str] = {}
    for row in read_rows(source, needed=("tag", "notion"), what="a table of tag and notion", delimiter="\t"):
        tag, notion = row["tag"].strip(), row["notion"].strip()
        if not tag or not notion or "/" in notion:
            raise UserError(f"{row.where}: tag {tag!r}, notion {notion!r}: both are needed, the notion without a slash")
        if tag in grouping:
            raise UserError(f"{row.where}: tag {tag!r} stands twice: give it one notion")
        grouping[tag] = f"{notion}/{row.cells.get('name', '').strip() or tag}"
    return grouping


def to_vocabulary(full_names: list[str] | dict[str, str]) -> Vocabulary:
    """Full names `notion/tag`, grouped by notion in the order of their first tags.

    >>> to_vocabulary(["mood/sad", "genre/rock", "mood/happy"]).to_dict()
    {'mood': ['sad', 'happy'], 'genre': ['rock']}
    """
    names = full_names.values() if isinstance(full_names, dict) else full_names
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        notion, tag = name.split("/", 1)
        groups.setdefault(notion, []).append(tag)
    return Vocabulary.from_dict(groups)


def require_known(grouping: dict[str, str], known: set[str], *, source: str) -> None:
    """Refuses a grouping that names a tag which the labels do not know: a misspelt tag would vanish without a word."""
    unknown = [tag for tag in grouping if tag not in known]
    if unknown:
        raise UserError(
            f"{source}: {len(unknown)} tags of the vocabulary are not in the labels, the first is {unknown[0]!r}; "
            f"they have {len(known)} others, such as {', '.join(sorted(known)[:5])}"
        )
