"""What a run is asked about the songs of a library: the tags that both know, or any column of what is known of them."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tfmir.corpora.spelling import key, one_line
from tfmir.errors import UserError
from tfmir.evaluation.library.described import NOT_COLUMNS, Described
from tfmir.vocabulary import Vocabulary

TAGS = "tags"
_SHOWN = 8  # values of a column in a message


@dataclasses.dataclass(frozen=True)
class Labels:
    """Columns of labels.

    Attributes:
      names: column -> its labels, in order.
      carried: column -> bool [songs, labels].
      only_run: by tags: the run's tags that the library does not know, `notion/tag`.
      only_library: by tags: the library's tags that the run does not know.
    """

    names: Mapping[str, tuple[str, ...]]
    carried: Mapping[str, np.ndarray]
    only_run: tuple[str, ...] = ()
    only_library: tuple[str, ...] = ()

    @property
    def every(self) -> np.ndarray:
        """bool [songs, all labels]: column after column."""
        return np.concatenate(list(self.carried.values()), axis=1)

    def rows(self, numbers: np.ndarray) -> Labels:
        """Of some of the songs."""
        return dataclasses.replace(self, carried={column: of[numbers] for column, of in self.carried.items()})


def choose_labels(songs: Described, by: str, vocabulary: Vocabulary) -> Labels:
    """The labels that are asked about.

    Args:
      songs: what is known of them.
      by: `tags`: those of the run's tags that the songs know too, in whatever spelling (see `spelling.py`); else names
        of columns, with commas between them, each value of which is a label.
      vocabulary: the run's.

    Raises:
      UserError: nothing can be asked: no tag is shared, no such column, or one with as many values as songs or with
        one; says what is there.
    """
    if by == TAGS:
        labels = _shared(songs, vocabulary)
        if not any(map(askable, labels.carried.values())):
            listed = _listed({column: names for column, names in labels.names.items() if names})
            raise UserError(
                f"{songs.source}: of the tags that the run knows too ({listed}) none is carried by two songs and not "
                f"by another: nothing can be asked about {len(songs.paths)} songs: {_remedy(songs)}"
            )
        return labels
    columns = _columns(songs, by)
    labels = _labels(songs, {column: {value: value for value in _values(songs, column)} for column in columns})
    for column in labels.names:
        _refuse_unaskable(songs.source, column, labels)
    return labels


def askable(carried: np.ndarray) -> bool:
    """Whether some label, a column of bool [songs, labels], is carried by two songs and not by another."""
    counts = carried.sum(axis=0)
    return bool(((counts >= 2) & (counts < len(carried))).any())


def _shared(songs: Described, vocabulary: Vocabulary) -> Labels:
    """The run's tags that the songs know too, as the run spells them."""
    ours = {(key(notion), key(tag)): (notion, tag) for notion, tags in vocabulary.groups for tag in tags}
    theirs = {
        (key(column), key(value)): f"{column}/{value}" for column in songs.columns for value in _values(songs, column)
    }
    notions = {key(notion): notion for notion in vocabulary.notions}
    names = {notions[key(column)]: column for column in songs.columns if key(column) in notions}
    chosen = {
        column: {v: ours[key(column), key(v)][1] for v in _values(songs, column) if (key(column), key(v)) in ours}
        for column in names.values()
    }
    places = {tag: number for number, (_, tag) in enumerate(ours.values())}
    chosen = {
        column: dict(sorted(labels.items(), key=lambda item: places[item[1]]))
        for column, labels in chosen.items()
        if labels
    }
    if not chosen:
        raise UserError(
            f"{songs.source}: no tag that the run knows too. Found: {_found(songs)}. The run knows: "
            f"{_listed(vocabulary.to_dict())}. Write columns and tags as the run does (case and spaces do not matter), "
            f"or {_remedy(songs)}"
        )
    in_order = [notion for notion in vocabulary.notions if names.get(notion) in chosen]
    labels = _labels(songs, {names[notion]: chosen[names[notion]] for notion in in_order}, titles=in_order)
    unknown = [f"{notion}/{tag}" for pair, (notion, tag) in ours.items() if pair not in theirs]
    # What no notion of the run is called, such as artist, is no tag at all.
    others = [name for pair, name in theirs.items() if pair not in ours and pair[0] in notions]
    return dataclasses.replace(labels, only_run=tuple(unknown), only_library=tuple(others))


def _labels(songs: Described, chosen: Mapping[str, Mapping[str, str]], *, titles: Sequence[str] = ()) -> Labels:
    """Columns -> value -> label as it is called; `titles` call the columns."""
    names, carried = {}, {}
    for title, (column, labels) in zip(titles or list(chosen), chosen.items(), strict=True):
        names[title] = tuple(dict.fromkeys(labels.values()))
        place = {label: number for number, label in enumerate(names[title])}
        carried[title] = np.zeros([len(songs.paths), len(place)], bool)
        for row, values in enumerate(songs.columns[column]):
            carried[title][row, [place[labels[value]] for value in values if value in labels]] = True
    return Labels(names, carried)


def _columns(songs: Described, by: str) -> list[str]:
    """The columns that are named, as they are spelt.

    Raises:
      UserError: a name is empty, stands twice, or is of none that can be asked about; lists those that can.
    """
    found, columns = {key(column): column for column in songs.columns}, []
    for name in map(str.strip, by.split(",")):
        if not name:
            raise UserError(f"--by={by}: an empty name. {_columns_to_ask(songs)}")
        if key(name) not in found:
            if name == TAGS:
                raise UserError(f"--by={by}: tags are asked about alone. {_columns_to_ask(songs)}")
            reason = NOT_COLUMNS.get(key(name), f"{songs.source} has no such column, or nothing in it")
            raise UserError(f"--by={name}: {reason}. {_columns_to_ask(songs)}")
        if found[key(name)] in columns:
            raise UserError(f"--by={by}: {found[key(name)]} stands twice: name it once")
        columns.append(found[key(name)])
    return columns


def _columns_to_ask(songs: Described) -> str:
    """What could be named instead: columns of which two songs share a value that another lacks."""
    usable = []
    for column, of in songs.columns.items():
        counts = collections.Counter(value for values in of for value in values)
        if any(2 <= count < len(songs.paths) for count in counts.values()):
            usable.append(column)
    return f"Columns that can be asked: {', '.join(usable) or 'none'}; or --by={TAGS}"


def _refuse_unaskable(source: str, column: str, labels: Labels) -> None:
    carried = labels.carried[column]
    if askable(carried):
        return
    values, songs = labels.names[column], len(carried)
    if (carried.sum(axis=0) < 2).all():
        reason = f"each of its {len(values)} values is that of one song: no two of the {songs} songs share one"
    else:
        reason = f"all {songs} songs have the value {one_line(values[int(carried.sum(axis=0).argmax())])!r}"
    raise UserError(f"--by={column}: {source}: {reason}: ask by another column")


def _values(songs: Described, column: str) -> list[str]:
    return sorted({value for values in songs.columns[column] for value in values})


def _remedy(songs: Described) -> str:
    columns = list(songs.columns)
    best = next((c for c in columns if key(c) == "artist"), columns[0] if columns else "")
    return f"ask by a column, such as --by={best}" if best else "name a label file with --annotations=…"


def _found(songs: Described) -> str:
    return _listed({column: _values(songs, column) for column in songs.columns}) or "nothing"


def _listed(columns: Mapping[str, Iterable[str]]) -> str:
    parts = []
    for column, values in columns.items():
        shown = [one_line(value) for value in values]
        more = f", … ({len(shown)} in all)" if len(shown) > _SHOWN else ""
        parts.append(f"{column}: {', '.join(shown[:_SHOWN])}{more}")
    return "; ".join(parts)
