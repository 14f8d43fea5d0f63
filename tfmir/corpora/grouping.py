"""Which notion each tag of a corpus belongs to: a file that a user can replace.

Tab-separated, with the columns `tag` (as the label files spell it) and `notion`; a column `name` may give the tag
another name, and two tags of the same name become one. What is not in it is left out, so it chooses the tags as well.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Collection

from tfmir.corpora.labels import read_rows
from tfmir.corpora.spelling import tidy
from tfmir.errors import UserError
from tfmir.vocabulary import Vocabulary, check_notion

_PUBLISHED = pathlib.Path(__file__).with_name("vocabularies")


def choose_tags(
    path: str, known: Collection[str], *, default: str = "", key: Callable[[str], str] = str
) -> dict[str, str]:
    """As `load_grouping`, for labels that know the tags `known`, and as these spell them.

    Args:
      path: see `load_grouping`.
      known: tags of the labels.
      default: see `load_grouping`.
      key: two tags of one key are the same; by default those that are equal.

    Raises:
      UserError: as `load_grouping`, or a tag that the labels do not know: misspelt, it would vanish without a word.
    """
    spelt = {key(tag): tag for tag in known}
    grouping = load_grouping(path, default=default, key=key)
    unknown = [tag for tag in grouping if key(tag) not in spelt]
    if unknown:
        raise UserError(
            f"{path or f'the vocabulary of {default}'}: {len(unknown)} tags of the vocabulary are not in the labels, "
            f"the first is {unknown[0]!r}; they have {len(known)} others, such as {', '.join(sorted(known)[:5])}"
        )
    return {spelt[key(tag)]: name for tag, name in grouping.items()}


def load_grouping(path: str, *, default: str, key: Callable[[str], str] = str) -> dict[str, str]:
    """Tag as the label files spell it -> full name `notion/tag`, in the order of the file.

    Args:
      path: path of the file; empty for the one that comes with tfmir.
      default: name of that one.
      key: a tag stands twice if its key does.

    Raises:
      UserError: a column is missing, a cell is empty, a tag stands twice, or a notion is none (see `check_notion`).
    """
    source = path or str(_PUBLISHED / f"{default}.tsv")
    grouping: dict[str, str] = {}
    keys = set()
    for row in read_rows(source, needed=("tag", "notion"), what="a table of tag and notion", delimiter="\t"):
        tag, notion = row["tag"], row["notion"]
        if not tidy(tag) or not tidy(notion) or "/" in notion:
            raise UserError(f"{row.where}: tag {tag!r}, notion {notion!r}: both are needed, the notion without a slash")
        check_notion(notion, f"{row.where}: notion {notion!r}")
        if key(tag) in keys:
            raise UserError(f"{row.where}: tag {tag!r} stands twice: give it one notion")
        keys.add(key(tag))
        name = row.cells.get("name", "")
        grouping[tag] = f"{notion}/{name if tidy(name) else tag}"
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
