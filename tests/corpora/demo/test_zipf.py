"""Tags in Zipf's proportions: quotas by hand, and what becomes of them in whole splits."""

import collections
import itertools

import numpy as np
import pytest

from tfmir.corpora.demo import demo
from tfmir.corpora.demo.zipf import BLOCK, deal_block, zipf

MOODS = (("happy", "sad"), ("playful", "dreamy", "nervous"), ("epic",))


@pytest.fixture(scope="module")
def tracks():
    return demo.demo_tracks(seed=0, sizes={"train": 1200, "validation": 200, "test": 40}, zipf=True)


def of_split(tracks, split):
    return [track.tags for track in tracks if track.split == split]


def test_zipf_by_hand():
    """1 + 1/2 + 1/3 = 11/6: 6/11, 3/11, 2/11."""
    np.testing.assert_allclose(zipf(3), [6 / 11, 3 / 11, 2 / 11])


def test_the_first_blocks_by_hand():
    """Of 20 cards of three tags, the ends of their shares are 10.91, 16.36 and 20: 11, 5 and 4 cards. After two blocks
    21.82, 32.73 and 40: 22, 11 and 7, so that the second has 11, 6 and 3."""
    for block, expected in ((0, [11, 5, 4]), (1, [11, 6, 3])):
        dealt = deal_block("genre", num_tags=3, block=block, rng=np.random.default_rng(block))
        assert [len(tags) for tags in dealt] == [1] * BLOCK
        assert np.bincount([tag for (tag,) in dealt]).tolist() == expected


@pytest.mark.parametrize(("split", "most"), [("train", 2), ("validation", 2), ("test", 2)])
def test_every_tag_of_a_split_is_right_to_two_tracks(tracks, split, most):
    tagged = of_split(tracks, split)
    for notion, tags in demo.NOTIONS.items():
        counts = collections.Counter(tag for track in tagged for tag in track[notion])
        expected = zipf(len(tags)) * sum(counts.values())
        assert max(abs(counts[tag] - wanted) for tag, wanted in zip(tags, expected, strict=True)) <= most


def test_every_track_has_tags_of_every_notion_in_the_quotas(tracks):
    """Of twenty tracks 13 have one mood and 7 have two; 6, 9 and 5 have one, two and three instruments."""
    for split, blocks in (("train", 60), ("validation", 10)):
        tagged = of_split(tracks, split)
        sizes = {n: collections.Counter(len(track[n]) for track in tagged) for n in demo.NOTIONS}
        assert sizes["genre"] == sizes["era"] == {1: 20 * blocks}
        assert sizes["mood"] == {1: 13 * blocks, 2: 7 * blocks}
        assert sizes["instrument"] == {1: 6 * blocks, 2: 9 * blocks, 3: 5 * blocks}


def test_no_track_has_a_tag_twice_or_two_moods_of_one_aspect(tracks):
    for track in tracks:
        assert all(len(set(tags)) == len(tags) for tags in track.tags.values())
        assert all(tags == tuple(t for t in demo.NOTIONS[n] if t in tags) for n, tags in track.tags.items())
        assert all(len(set(aspect) & set(track.tags["mood"])) < 2 for aspect in MOODS)


def test_notions_are_nearly_independent(tracks):
    names = [(notion, tag) for notion, tags in demo.NOTIONS.items() for tag in tags]
    occurs = np.array([[tag in track.tags[notion] for notion, tag in names] for track in tracks], float)
    correlation = np.corrcoef(occurs.T)
    pairs = itertools.combinations(range(len(names)), 2)
    assert max(abs(correlation[a, b]) for a, b in pairs if names[a][0] != names[b][0]) < 0.1


def test_a_track_depends_neither_on_how_many_there_are_nor_on_the_order(tracks):
    few = demo.demo_tracks(seed=0, sizes={"validation": 30, "train": 25}, zipf=True)
    assert few == [track for track in tracks if track.split == "validation"][:30] + tracks[:25]


def test_seed_split_and_kind_change_the_tags(tracks):
    others = demo.demo_tracks(seed=1, sizes={"train": 200}, zipf=True)
    plain = demo.demo_tracks(seed=0, sizes={"train": 200})
    validation = [track for track in tracks if track.split == "validation"]
    for other in (others, plain, validation):
        assert sum(a.tags == b.tags for a, b in zip(other, tracks[:200], strict=True)) < 20
