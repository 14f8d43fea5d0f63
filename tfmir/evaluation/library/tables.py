"""The report on a library as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tfmir.corpora.spelling import one_line
from tfmir.evaluation.cells import ON_SCREEN, few_tracks, undefined, with_interval
from tfmir.evaluation.library.figures import BY_PRODUCT, OTHERS
from tfmir.evaluation.library.trained import ID
from tfmir.evaluation.retrieval import KS
from tfmir.markdown import table

_SHOWN = 40
_TITLES = {False: "## All songs", True: "## Songs of other artists alone"}
_NOTE = (
    "Recall at k of the labels that a query shares with another song, by cosine, in the whole space and in each "
    "sub-space; then the share of the triplets (anchor and positive share a label of the column, the negative lacks "
    "it) in which the positive is nearer. With 95 % intervals over queries and over anchors. A label that one song "
    "alone carries is not asked about. `chance` is what is to be expected of neighbours drawn at random."
)


def report_text(report: Mapping[str, Any]) -> str:
    """The whole report."""
    head = f"# {report['run']} on {one_line(report['library'])}\n\n{_summary(report)}\n\n{_doubts(report)}\n\n{_NOTE}\n"
    sections = [
        head,
        *_tables(report),
        _ratios(report),
        _labels(report),
        _tags(report),
        _rejected(report),
        _not_defined(report),
    ]
    return "\n".join(section for section in sections if section)


def headline(report: Mapping[str, Any]) -> str:
    """What is asked, how far it is to be trusted, the tables, the ratios, and what is not defined."""
    ratios = [f"{name}: {with_interval(value)}" for name, value in report["ratios"].items()]
    head = [_summary(report), _doubts(report), ""]
    missing = [f"not defined: {line}" for line in undefined(report, most=ON_SCREEN)]
    return "\n".join([*head, *_tables(report), *ratios, *missing])


def _summary(report: Mapping[str, Any]) -> str:
    asked = ", ".join(f"{column} ({len(labels)})" for column, labels in report["labels"].items())
    artists = f" by {report['artists']} artists" if report["artists"] else ""
    left_out = f"{report['missing']} missing, {len(report['rejected'])} that cannot be decoded"
    return (
        f"{report['songs']} songs{artists}, of {one_line(report['annotations'])}; left out: {left_out}. "
        f"Asked by {report['by']}: {asked}."
    )


def _doubts(report: Mapping[str, Any]) -> str:
    """How many songs the run has learnt from, and whether they are few."""
    return "\n\n".join(filter(None, [_trained(report), few_tracks(report["songs"], "songs")]))


def _trained(report: Mapping[str, Any]) -> str:
    found = report["trained"]
    if found is None:
        return "How many songs the run was trained on is not known: its records are not where they were."
    count, songs = found["songs"], report["songs"]
    verb, their = ("is", "its") if count == 1 else ("are", "their")
    told = f"{count} of {songs} songs {verb} of" if count else f"None of the {songs} songs is of"
    told += " the training split" + (", by their ids alone" if found["by"] == ID else "")
    told += f": {their} figures are of memory, not of music that is new." if count else "."
    if found["same_id"]:
        told += f" {found['same_id']} more have the id of a track of it, but another sound, or another encoding of it."
    return told


def _ratios(report: Mapping[str, Any]) -> str:
    """How far the run is above the plain baseline."""
    rows = [f"* `{name}`: {with_interval(value)}\n" for name, value in report["ratios"].items()]
    title = "## R@1 of the whole space over that of the statistics of the log-mel\n\n"
    return "".join([title, *rows]) if rows else ""


def _tables(report: Mapping[str, Any]) -> Iterator[str]:
    for others in (False, True):
        rows = [(name, figures[OTHERS] if others else figures) for name, figures in _contenders(report)]
        if rows[0][1] is None or not _is_defined(rows[0][1]):
            continue
        yield f"{_TITLES[others]}\n"
        yield table(
            [f"all labels, {rows[0][1]['queries']} queries", *(f"R@{k}" for k in KS)],
            [[name, *(with_interval(of["recall"][str(k)]) for k in KS)] for name, of in rows],
        )
        columns = list(report["labels"])
        if len(columns) > 1:
            yield table(
                ["R@1", *columns],
                [[name, *(with_interval(of["recall_column"][c]["1"]) for c in columns)] for name, of in rows],
            )
        yield table(
            ["triplets", *columns], [[name, *(with_interval(of["triplets"][c]) for c in columns)] for name, of in rows]
        )


def _is_defined(figures: Mapping[str, Any]) -> bool:
    return any(figures["recall"].values()) or any(figures["triplets"].values())


def _contenders(report: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Spaces of the run, then the baselines."""
    named = {space: "whole, by inner product" if space == BY_PRODUCT else space for space in report["system"]}
    system = [(f"{report['run']}, {named[space]}", figures) for space, figures in report["system"].items()]
    return [*system, *((f"{name} (baseline)", figures) for name, figures in report["baselines"].items())]


def _labels(report: Mapping[str, Any]) -> str:
    rows = []
    for column, labels in report["labels"].items():
        frequent = sorted(labels.items(), key=lambda item: -item[1])
        shown = ", ".join(f"{one_line(label)} {count}" for label, count in frequent[:_SHOWN])
        rows.append(f"* {column}: {shown}{', …' if len(labels) > _SHOWN else ''}\n")
    return "".join(["## Labels, and how many songs carry each\n\n", *rows])


def _tags(report: Mapping[str, Any]) -> str:
    if not report["tags"]:
        return ""
    lines = ["## Tags that are not asked about\n\n"]
    for name, who in (("only_run", "the run"), ("only_library", "the library")):
        tags = [one_line(tag) for tag in report["tags"][name]]
        shown = ", ".join(tags[:_SHOWN]) + (f", … ({len(tags)} in all)" if len(tags) > _SHOWN else "")
        lines.append(f"* known to {who} alone: {shown or 'none'}\n")
    return "".join(lines)


def _rejected(report: Mapping[str, Any]) -> str:
    rows = [f"* {one_line(path)}: {one_line(reason)}\n" for path, reason in report["rejected"]]
    return "".join(["## Cannot be decoded\n\n", *rows]) if rows else ""


def _not_defined(report: Mapping[str, Any]) -> str:
    rows = [f"* {line}\n" for line in undefined(report)]
    return "".join(["## Not defined\n\n", *rows]) if rows else ""
