"""What is in a corpus, before anyone trains on it: sizes, tags, leaks between splits, duplicates, bad files."""

from __future__ import annotations

import collections
import dataclasses
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tfmir.corpora.annotated import as_asked, as_found
from tfmir.corpora.corpus import SPLITS, Corpus
from tfmir.corpora.spelling import one_line
from tfmir.errors import UserError
from tfmir.markdown import table

RARE = 10
_LISTED = 20


@dataclasses.dataclass(frozen=True)
class FileFacts:
    """What looking at one audio file gave.

    Attributes:
      track_id: id of its track.
      sha256: checksum of its bytes; empty where it is missing.
      secs: length by its header, 0 where that cannot be read.
      problem: why it cannot be used, else empty.
    """

    track_id: str
    sha256: str = ""
    secs: float = 0.0
    problem: str = ""


def artist_leaks(corpus: Corpus) -> dict[str, dict[str, int]]:
    """Artists with tracks in more than one split -> split -> tracks. What a system knows of them is no merit."""
    of_artist: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for track in corpus.tracks:
        if track.artist_id:
            of_artist[track.artist_id][track.split] += 1
    return {artist: _in_order(splits) for artist, splits in sorted(of_artist.items()) if len(splits) > 1}


def refuse_leaks(corpus: Corpus) -> None:
    """Raises UserError if an artist is in more than one split."""
    leaks = artist_leaks(corpus)
    if leaks:
        first, splits = next(iter(leaks.items()))
        raise UserError(
            f"{len(leaks)} artists have tracks in more than one split, the first is {first!r} ({_counts(splits)}): "
            "give each of them one split, or leave --strict out"
        )


def refuse_empty_splits(corpus: Corpus) -> None:
    """Raises UserError if there is nothing to train on, or to validate with; with nothing to test on, it warns."""
    counts = collections.Counter(track.split for track in corpus.tracks)
    empty = [split for split in SPLITS if not counts[split]]
    said = f"{corpus.name}: no track is for {', none for '.join(empty)}"
    if {"train", "validation"} & set(empty):
        raise UserError(
            f"{said} ({_counts(_in_order(counts))}): training needs train and validation: give three tracks at least, "
            "or mend the column split"
        )
    if empty:
        print(f"warning: {said}: evaluate will find nothing", file=sys.stderr)


def pairless_notions(corpus: Corpus) -> list[str]:
    """Notions of which no two tracks share a tag, such as a column of titles or of numbers: no pair can be drawn."""
    counts = collections.Counter(tag for track in corpus.tracks for tag in track.tags)
    of_notion = {notion: corpus.vocabulary.tags_of(notion).tolist() for notion in corpus.vocabulary.notions}
    return [notion for notion, tags in of_notion.items() if max(counts[tag] for tag in tags) < 2]


def survey(corpus: Corpus, facts: Iterable[FileFacts] = ()) -> dict[str, Any]:
    """The report as JSON.

    Args:
      corpus: labels.
      facts: facts of the audio files; empty if they were not looked at.
    """
    found = {fact.track_id: fact for fact in facts}
    split_of = np.array([SPLITS.index(track.split) for track in corpus.tracks])
    labels = corpus.vocabulary.multi_hot([track.tags for track in corpus.tracks])
    carried = corpus.vocabulary.carried(labels)
    secs = np.array([found[t.track_id].secs if found else t.secs for t in corpus.tracks])
    notions, tags = corpus.vocabulary.notions, corpus.vocabulary.tags
    of_tag = {tag: _per_split(split_of, labels[:, i]) for i, tag in enumerate(tags)}
    of_notion = {notion: _per_split(split_of, carried[:, i]) for i, notion in enumerate(notions)}
    by_content: dict[str, list[str]] = collections.defaultdict(list)
    for fact in found.values():
        if fact.sha256:
            by_content[fact.sha256].append(fact.track_id)
    return {
        "corpus": corpus.name,
        "licence": corpus.licence,
        "tracks": _per_split(split_of, np.ones(len(split_of), bool)),
        "hours": {s: float(secs[split_of == i].sum() / 3600) for i, s in enumerate(SPLITS)} if secs.any() else None,
        "notions": {
            notion: {"tags": len(corpus.vocabulary.tags_of(notion)), "tracks": of_notion[notion]} for notion in notions
        },
        "tags": of_tag,
        "untagged": _per_split(split_of, np.asarray(~labels.any(axis=1))),
        "empty_notions": [*corpus.empty_notions, *(n for n, counts in of_notion.items() if not sum(counts.values()))],
        "rare_tags": {tag: sum(counts.values()) for tag, counts in of_tag.items() if sum(counts.values()) < RARE},
        "artists": len({track.artist_id for track in corpus.tracks} - {""}),
        "artist_leaks": artist_leaks(corpus),
        "files_looked_at": len(found),
        "duplicates": sorted(sorted(ids) for ids in by_content.values() if len(ids) > 1),
        "problems": {track_id: fact.problem for track_id, fact in sorted(found.items()) if fact.problem},
        "annotated": None if corpus.annotated is None else dict(corpus.annotated),
        "truth": None if corpus.annotated is None else _truth(corpus, split_of),
    }


def _truth(corpus: Corpus, split_of: np.ndarray) -> dict[str, dict[str, int]]:
    """Tag -> split -> tracks that would carry it if all were annotated."""
    truth = corpus.vocabulary.multi_hot([track.truth or () for track in corpus.tracks])
    return {tag: _per_split(split_of, truth[:, i]) for i, tag in enumerate(corpus.vocabulary.tags)}


def survey_text(report: Mapping[str, Any]) -> str:
    """The report for people; long lists are cut, the JSON has all of them."""
    hours = report["hours"] or dict.fromkeys(SPLITS)
    parts = [
        f"# {report['corpus']}\n\nLicence: {report['licence']}\n",
        table(
            ["", *SPLITS, "all"],
            [
                ["tracks", *_row(report["tracks"])],
                ["hours", *("unknown" if h is None else f"{h:.1f}" for h in hours.values()), _sum(hours.values())],
                ["without a tag", *_row(report["untagged"])],
                *([f"tagged with {name}", *_row(value["tracks"])] for name, value in report["notions"].items()),
            ],
        ),
        f"{report['artists']} artists. "
        + (f"{report['files_looked_at']} files looked at.\n" if report["files_looked_at"] else "No audio looked at.\n"),
        "## What to mend\n",
        *_findings(report),
        *_annotated(report),
        "## Tags\n",
        *(_tags_of(report, notion) for notion in report["notions"]),
    ]
    return "\n".join(parts)


def _findings(report: Mapping[str, Any]) -> list[str]:
    same = [" = ".join(ids) for ids in report["duplicates"]]
    leaks = [f"{artist}: {_counts(splits)}" for artist, splits in report["artist_leaks"].items()]
    rare = [f"{tag}: {count}" for tag, count in report["rare_tags"].items()]
    problems = [f"{track_id}: {problem}" for track_id, problem in report["problems"].items()]
    empty = [split for split, count in report["tracks"].items() if not count]
    return [
        _list("splits without a track", empty),
        _list("notions without a tag", report["empty_notions"]),
        _list(f"tags of fewer than {RARE} tracks", rare),
        _list("artists in more than one split (a leak)", leaks),
        _list("duplicates by content", same),
        _list("files missing or unreadable", problems),
    ]


def _annotated(report: Mapping[str, Any]) -> list[str]:
    """Asked and found shares of annotated tracks, where the truth is known."""
    if report["annotated"] is None:
        return []
    rows = []
    for notion, asked in report["annotated"].items():
        found, tracks = (_row(counts) for counts in (report["notions"][notion]["tracks"], report["tracks"]))
        shares = (int(n) / int(of) if int(of) else None for n, of in zip(found, tracks, strict=True))
        rows.append([notion, as_asked(asked), *("–" if share is None else as_found(share) for share in shares)])
    return ["## Annotated\n", table(["share of the tracks", "asked", *SPLITS, "all"], rows)]


def _tags_of(report: Mapping[str, Any], notion: str) -> str:
    truth = report["truth"]
    rows: list[list[str]] = [
        [tag.split("/", 1)[1], *_row(counts), *([str(sum(truth[tag].values()))] if truth else [])]
        for tag, counts in report["tags"].items()
        if tag.split("/", 1)[0] == notion
    ]
    rows.sort(key=lambda row: -int(row[-1]))
    return table([notion, *SPLITS, "all", *(["in truth"] if truth else [])], rows)


def _list(title: str, items: list[str]) -> str:
    lines = [f"* **{title}: {len(items)}**", *(f"    * {one_line(item)}" for item in items[:_LISTED])]
    if len(items) > _LISTED:
        lines.append(f"    * and {len(items) - _LISTED} more")
    return "\n".join(lines) + "\n"


def _row(counts: Mapping[str, int]) -> list[str]:
    return [*(str(counts[split]) for split in SPLITS), str(sum(counts.values()))]


def _sum(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{sum(known):.1f}" if known else "unknown"


def _counts(splits: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {split}" for split, count in splits.items())


def _per_split(split_of: np.ndarray, chosen: np.ndarray) -> dict[str, int]:
    return {split: int(np.count_nonzero(chosen & (split_of == i))) for i, split in enumerate(SPLITS)}


def _in_order(splits: Mapping[str, int]) -> dict[str, int]:
    return {split: splits[split] for split in SPLITS if split in splits}
