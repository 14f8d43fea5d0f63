"""Labels as sparse as people leave them: a notion of a track is annotated or not at all, and the truth is kept beside.

On the Million Song Dataset 88 % of the test tracks carry a genre, but 11 to 14 % a mood, an instrument or an era: a
label that is not there says nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tfmir.corpora.corpus import SPLITS, Corpus
from tfmir.errors import UserError

_LEAST = 2  # training tracks with a notion
_STREAM = 200  # of the corpus' seed; those below it draw what the demo's tracks are


def parse_shares(text: str, notions: Sequence[str]) -> dict[str, float]:
    """The share of each notion, in the order of `notions`, from `genre=0.88,mood=0.13`.

    Raises:
      UserError: names what is wrong, and what was expected.

    >>> parse_shares("mood=0.13, genre=1", ["genre", "mood"])
    {'genre': 1.0, 'mood': 0.13}
    """
    expected = f"expected a share from 0 to 1 for each of {', '.join(notions)}, such as " + ",".join(
        f"{notion}={share}" for notion, share in zip(notions, ("0.88", "0.13", "0.14", "0.11"), strict=False)
    )
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, equals, number = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise UserError(f"--annotated={text}: {part.strip()!r} is not notion=share: {expected}")
        if name not in notions:
            raise UserError(f"--annotated={text}: {name!r} is no notion of the demo corpus: {expected}")
        if name in shares:
            raise UserError(f"--annotated={text}: {name!r} stands twice: {expected}")
        shares[name] = _share(number, f"--annotated={text}: {name}={number}", expected)
    if missing := [notion for notion in notions if notion not in shares]:
        raise UserError(f"--annotated={text}: nothing is said of {', '.join(missing)}: {expected}")
    return {notion: shares[notion] for notion in notions}


def check_shares(text: str, shares: Mapping[str, float], *, tracks: int) -> None:
    """Refuses shares that leave a notion with fewer than two training tracks: nothing could be learnt of it.

    Args:
      text: as it was given, for the message.
      shares: see `parse_shares`.
      tracks: of the training split, each with a tag of every notion.

    Raises:
      UserError: names the notion, what is left of it, what is needed and how to get it.
    """
    for notion, share in shares.items():
        if (kept := _number_kept(share, tracks)) < _LEAST:
            enough = min(1.0, _LEAST / tracks)
            raise UserError(
                f"--annotated={text}: {notion}={share:g} leaves {kept} of {tracks} training tracks with a tag of "
                f"{notion}, and {_LEAST} at least are needed, for two to share one: give {notion}={enough:.2g} or "
                "more, or a larger --demo_scale"
            )


def as_asked(share: float) -> str:
    """A share as it was given, in percent.

    >>> as_asked(0.88), as_asked(0.0001)
    ('88%', '0.01%')
    """
    return f"{100 * share:g}%"


def as_found(share: float) -> str:
    """A share that was counted, in percent, to three digits.

    >>> as_found(2 / 3), as_found(1 / 12000)
    ('66.7%', '0.00833%')
    """
    return f"{100 * share:.3g}%"


def _share(text: str, found: str, expected: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = float("nan")
    if not 0 <= share <= 1:
        raise UserError(f"{found} is no share: {expected}")
    return share


def annotated(corpus: Corpus, shares: Mapping[str, float], *, seed: int) -> Corpus:
    """The corpus with the tags of every notion on a share of the tracks alone, and all of them as the truth.

    In every split exactly that share of the tracks is drawn, for each notion by itself; with a larger share, those of
    the smaller one are among them.

    Args:
      corpus: completely tagged.
      shares: notion -> share of the tracks that keep its tags, in [0, 1].
      seed: same seed, same tracks.
    """
    kept = {notion: set(_kept(corpus, notion, share, seed)) for notion, share in shares.items()}
    notion_of = [corpus.vocabulary.notions[number] for number in corpus.vocabulary.notion_of_tag]
    tracks = tuple(
        dataclasses.replace(
            track, tags=tuple(tag for tag in track.tags if track.track_id in kept[notion_of[tag]]), truth=track.tags
        )
        for track in corpus.tracks
    )
    return dataclasses.replace(corpus, tracks=tracks, annotated=dict(shares))


def _kept(corpus: Corpus, notion: str, share: float, seed: int) -> Iterator[str]:
    """Ids of the tracks that keep a notion's tags."""
    for number, split in enumerate(SPLITS):
        ids = sorted(track.track_id for track in corpus.tracks if track.split == split)
        rng = np.random.default_rng([seed, number, corpus.vocabulary.notions.index(notion), _STREAM])
        yield from (ids[row] for row in rng.permutation(len(ids))[: _number_kept(share, len(ids))])


def _number_kept(share: float, tracks: int) -> int:
    return round(share * tracks)
