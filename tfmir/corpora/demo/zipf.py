"""Tags for the demo corpus in Zipf's proportions: of a notion's tags that of rank r is 1/r as frequent as the first.

Every track has a tag of every notion, which is the whole truth about it. Tags are dealt in blocks of 20 tracks, like
cards: how many of each a block gets, and how many tracks get one, two or three, is a quota and no coin, so that small
splits have their proportions, too. A block depends on the seed, the split and its number alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

BLOCK = 20
# Notion -> tracks of a block with one tag of it, with two, with three; a notion that is not here: one each.
_TRACKS_WITH: Mapping[str, tuple[int, ...]] = {"mood": (13, 7), "instrument": (6, 9, 5)}


def deal_block(
    notion: str, *, num_tags: int, group_of: Sequence[int] | None = None, block: int, rng: np.random.Generator
) -> list[tuple[int, ...]]:
    """The tags of one notion of one block's tracks.

    Args:
      notion: its name.
      num_tags: how many tags it has, the most frequent first.
      group_of: [tags], the group of each: no track gets two of a group; None: only never the same tag twice.
      block: number of the block within its split.
      rng: of this block and notion.

    Returns:
      Ascending indices of the tags of each of the BLOCK tracks.
    """
    groups = np.arange(num_tags) if group_of is None else np.asarray(group_of)
    tracks_with = _TRACKS_WITH.get(notion, (BLOCK,))
    sizes = rng.permutation(np.repeat(np.arange(1, len(tracks_with) + 1), tracks_with))
    owners = np.repeat(np.arange(BLOCK), sizes)
    quotas = _quotas(num_tags, int(sizes.sum()), block)
    cards = rng.permutation(np.repeat(np.arange(num_tags), quotas))
    _exchange(cards, owners, groups, rng)
    return [tuple(sorted(cards[owners == track].tolist())) for track in range(BLOCK)]


def zipf(num_tags: int) -> np.ndarray:
    """float64 [tags]: shares of a notion's tags, in proportion to 1, 1/2, 1/3, …; their sum is 1."""
    weights = 1.0 / np.arange(1, num_tags + 1)
    return np.asarray(weights / weights.sum())


def _quotas(num_tags: int, cards: int, block: int) -> np.ndarray:
    """int64 [tags]: how many cards of each tag a block gets, so that all blocks up to it are right to a card or so."""
    ends = np.concatenate([[0.0], np.cumsum(zipf(num_tags))]) * cards
    ends[-1] = cards  # a sum of floats may be less
    before, after = (np.rint(number * ends).astype(np.int64) for number in (block, block + 1))
    return np.diff(after - before)


def _exchange(cards: np.ndarray, owners: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> None:
    """Exchanges cards between tracks, in place, until no track has two of a group.

    Args:
      cards: int [cards], the tag of each.
      owners: int [cards], the track of each.
      groups: int [tags], the group of each tag.
      rng: draws which cards change hands.
    """

    def clashing() -> np.ndarray:
        held = owners * len(groups) + groups[cards]
        return np.flatnonzero(np.bincount(held)[held] > 1)

    clashes = clashing()
    while len(clashes):
        pair = [rng.choice(clashes), rng.integers(len(cards))]
        cards[pair] = cards[pair[::-1]]
        found = clashing()
        if len(found) > len(clashes):
            cards[pair] = cards[pair[::-1]]
        else:
            clashes = found
