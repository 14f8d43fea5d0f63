"""Which split the tracks are in of which nobody says it."""

from __future__ import annotations

import collections
import sys
from collections.abc import Collection, Mapping

from tfmir.corpora.corpus import SPLITS, stable_fraction

_SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


def deal(artists: Mapping[str, str], *, said: Collection[str] = ()) -> dict[str, str]:
    """Deals tracks to the splits 80/10/10, whole artists at a time, so that nobody is in two splits.

    The split is drawn by a stable hash, of the artist if it is known, else of the track: more tracks do not move those
    that are there. Where that leaves a split empty, the largest artists are dealt first, each to the split that lacks
    most. Where there are too few artists, tracks are dealt singly, which is said on standard error; where there are too
    few tracks, all of them are for training.

    Args:
      artists: track id -> artist, empty if unknown.
      said: the splits of the other tracks of the corpus, one each.

    Returns:
      Track id -> one of SPLITS.
    """
    groups = {track: artist or track for track, artist in artists.items()}
    whole = _of_groups(groups, said)
    if whole or not groups:
        return whole
    single = _of_groups(dict(zip(groups, groups, strict=True)), said)
    if not single:
        return dict.fromkeys(groups, "train")
    too_few = f"{len(set(groups.values()))} artists cannot fill {', '.join(SPLITS[:-1])} and {SPLITS[-1]}"
    print(f"warning: {too_few}: tracks are dealt singly, an artist may be in several splits", file=sys.stderr)
    return single


def _of_groups(groups: Mapping[str, str], said: Collection[str]) -> dict[str, str]:
    """Track -> split, from track -> group; empty if there are too few groups."""
    sizes = collections.Counter(groups.values())
    splits = {group: _drawn(group) for group in sizes}
    missing = set(SPLITS) - set(said)
    if not missing <= set(splits.values()):
        if len(sizes) < len(missing):
            return {}
        splits = _by_size(sizes, said)
    return {track: splits[group] for track, group in groups.items()}


def _by_size(sizes: Mapping[str, int], said: Collection[str]) -> dict[str, str]:
    """Group -> split; the last groups go to the splits that would stay empty."""
    counts = collections.Counter(said)
    total = sum(sizes.values()) + len(said)
    dealt: dict[str, str] = {}
    for group in sorted(sizes, key=lambda group: (-sizes[group], stable_fraction(group), group)):
        empty = [split for split in SPLITS if not counts[split]]
        allowed = empty if len(empty) == len(sizes) - len(dealt) else SPLITS
        dealt[group] = max(allowed, key=lambda split: _SHARES[split] * total - counts[split])
        counts[dealt[group]] += sizes[group]
    return dealt


def _drawn(text: str) -> str:
    share = stable_fraction(text)
    if share < _SHARES["train"]:
        return "train"
    return "validation" if share < _SHARES["train"] + _SHARES["validation"] else "test"
