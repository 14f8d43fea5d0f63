"""What an --output may hold: a set of embeddings, finished or on its way, and what nobody mistakes for one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tfmir import files
from tfmir.catalogue.embeddings import MARK
from tfmir.errors import UserError
from tfmir.preparation.resumable import STATE

PLAN, SHARDS = "publish.json", "shards"  # in `.build`
REPLACED = "replaced"  # in the plan alone: the shards of the set whose place it takes
_SHARD = re.compile(r"embeddings-\d{5}-of-\d{5}\.parquet")
_INDEX = "index.json"


def announced(folder: files.Path) -> dict[str, Any]:
    """What the set in a folder says of itself, or the one that is about to take its place; empty if there is none."""
    for path in (folder / STATE / PLAN, folder / MARK):  # when the plan goes, the mark is there
        if path.exists():
            found = files.read_json(path)
            return found if isinstance(found, dict) else {}
    return {}


def shards_of(said: Mapping[str, Any]) -> list[str]:
    """The files of a set by what it says of itself; other names than those of shards are nobody's to remove.

    >>> shards_of({"shards": [{"file": "embeddings-00000-of-00001.parquet"}, {"file": "../embeddings-mine.parquet"}]})
    ['embeddings-00000-of-00001.parquet']
    """
    return [shard["file"] for shard in said.get("shards", ()) if _SHARD.fullmatch(shard["file"])]


def refuse_what_is_not_ours(folder: files.Path) -> None:
    """Lets nobody write over files that no set in the folder lists, nor into an index, which is replaced as a folder.

    Raises:
      UserError: the folder holds an index, or shards that are of no set in it.
    """
    found = sorted(path.name for path in folder.glob("embeddings-*.parquet") if _SHARD.fullmatch(path.name))
    said = announced(folder)
    if foreign := sorted(set(found) - {*shards_of(said), *said.get(REPLACED, ())}):
        raise UserError(
            f"--output={folder} holds {foreign[0]}, which no {MARK} there lists: choose another --output, or remove "
            "that file"
        )
    if _is_index(folder / _INDEX):
        raise UserError(f"--output={folder} holds an index: choose another --output for the embeddings")


def _is_index(path: files.Path) -> bool:
    """Whether a file is the header of one of tfmir's; anybody's may be called so."""
    if not path.exists():
        return False
    try:
        header = files.read_json(path)
    except UserError:
        return False
    return isinstance(header, dict) and {"weights_sha256", "part_rows"} <= set(header)
