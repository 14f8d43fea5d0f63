import dataclasses

import pytest

from tfmir.corpora.corpus import Corpus, Track
from tfmir.data.manifest import shard_of
from tfmir.params import FeatureParams
from tfmir.preparation.plan import make_plan
from tfmir.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_dict({"genre": ["rock", "jazz"]})


def made(train, validation=0, test=0):
    sizes = {"train": train, "validation": validation, "test": test}
    tracks = [Track(f"{s}{i}", f"/m/{s}{i}", s, (i % 2,), f"X{i}", 9.0) for s, n in sizes.items() for i in range(n)]
    return Corpus("c", "CC0-1.0", VOCABULARY, tuple(tracks))


@pytest.mark.parametrize(
    ("sizes", "asked", "expected"),
    [
        ((260, 40, 130), 0, (3, 1, 1)),  # a shard per 100 tracks: 2.6, 0.4 and 1.3
        ((12, 6, 3), 3, (3, 2, 1)),  # four tracks a shard: 3, 1.5 and 0.75
        ((12, 0, 0), 1, (1, 1, 1)),  # a split without tracks has an empty shard
        ((0, 9, 0), 3, (1, 3, 1)),  # without training tracks those that are there count
        ((0, 0, 0), 0, (1, 1, 1)),
    ],
)
def test_the_number_of_shards_by_hand(sizes, asked, expected):
    shards = make_plan(made(*sizes), "x", num_shards=asked, features=FeatureParams()).shards
    found = [name for _, name in shards]
    assert found == [
        f"x-{split}.tfrecord-{index:05d}-of-{count:05d}"
        for split, count in zip(("train", "validation", "test"), expected, strict=True)
        for index in range(count)
    ]


def test_a_track_is_in_the_shard_that_its_id_says():
    shards = make_plan(made(50), "x", num_shards=4, features=FeatureParams()).shards
    for (_, name), tracks in shards.items():
        for track in tracks:
            assert f"-{shard_of(track.track_id, 4):05d}-of-00004" in name


FEATURES = FeatureParams()
SAME = {
    "the order of the tracks": lambda c: (dataclasses.replace(c, tracks=c.tracks[::-1]), "x", 2, FEATURES),
    "the licence and the corpus' name": lambda c: (dataclasses.replace(c, licence="l", name="n"), "x", 2, FEATURES),
    "where the audio is": lambda c: (changed(c, path="/n"), "x", 2, FEATURES),
    "the lengths in the labels": lambda c: (changed(c, secs=1.0), "x", 2, FEATURES),
    "the z-score": lambda c: (c, "x", 2, FeatureParams(mean=0.0, deviation=1.0)),
}
OTHER = {
    "a split": lambda c: (changed(c, split="test"), "x", 2, FEATURES),
    "a tag": lambda c: (changed(c, tags=()), "x", 2, FEATURES),
    "an artist": lambda c: (changed(c, artist_id="Y"), "x", 2, FEATURES),
    "a truth": lambda c: (known(c, {"genre": 1.0}), "x", 2, FEATURES),
    "a track less": lambda c: (dataclasses.replace(c, tracks=c.tracks[1:]), "x", 2, FEATURES),
    "a tag's name": lambda c: (
        dataclasses.replace(c, vocabulary=Vocabulary.from_dict({"genre": ["rock", "pop"]})), "x", 2, FEATURES
    ),
    "the set's name": lambda c: (c, "y", 2, FEATURES),
    "the number of shards": lambda c: (c, "x", 3, FEATURES),
    "the spectrum": lambda c: (c, "x", 2, FeatureParams(n_fft=512)),
}  # fmt: skip


def changed(corpus, **values):
    return dataclasses.replace(corpus, tracks=(dataclasses.replace(corpus.tracks[0], **values), *corpus.tracks[1:]))


def known(corpus, shares, truth=None):
    """The corpus with its tags as the truth, or one truth for all."""
    tracks = (dataclasses.replace(t, truth=t.tags if truth is None else truth) for t in corpus.tracks)
    return dataclasses.replace(corpus, tracks=tuple(tracks), annotated=shares)


def fingerprint(corpus, name, num_shards, features):
    return make_plan(corpus, name, num_shards=num_shards, features=features).fingerprint


@pytest.mark.parametrize("what", SAME)
def test_what_changes_no_byte_changes_no_fingerprint(what):
    corpus = made(20, 4, 4)
    assert fingerprint(*SAME[what](corpus)) == fingerprint(corpus, "x", 2, FEATURES)


@pytest.mark.parametrize("what", OTHER)
def test_what_changes_the_records_changes_the_fingerprint(what):
    corpus = made(20, 4, 4)
    assert fingerprint(*OTHER[what](corpus)) != fingerprint(corpus, "x", 2, FEATURES)


def test_truth_and_shares_are_part_of_the_plan():
    corpora = [known(made(4), {"genre": 1.0}), known(made(4), {"genre": 0.9}), known(made(4), {"genre": 1.0}, (0, 1))]
    assert len({fingerprint(corpus, "x", 2, FEATURES) for corpus in corpora}) == 3


def test_the_plan_of_a_corpus_without_truth_never_changes():
    """As tfmir 0.2 made it: sets of then are finished, and repaired, by the tfmir of now."""
    assert fingerprint(made(3, 2, 1), "x", 2, FEATURES).startswith("37bd1377a6f8732b4ef44de6061b23ce")


def test_the_plan_deals_every_track_once_and_depends_on_the_settings(corpus):
    plan = make_plan(corpus, "x", num_shards=3, features=FeatureParams())
    dealt = [track.track_id for tracks in plan.shards.values() for track in tracks]
    assert sorted(dealt) == sorted(track.track_id for track in corpus.tracks)
    assert plan.fingerprint == make_plan(corpus, "x", num_shards=3, features=FeatureParams()).fingerprint
    assert plan.fingerprint != make_plan(corpus, "x", num_shards=3, features=FeatureParams(n_fft=512)).fingerprint


def test_a_split_alone_is_dealt_to_as_many_shards_as_are_asked_for(corpus):
    alone = dataclasses.replace(corpus, tracks=tuple(t for t in corpus.tracks if t.split == "validation"))
    shards = make_plan(alone, "x", num_shards=3, features=FeatureParams()).shards
    assert sum(split == "validation" for split, _ in shards) == 3


def test_a_set_of_version_0_1_is_the_same_plan_where_its_audio_is_where_it_was():
    plan = make_plan(made(3), "x", num_shards=2, features=FEATURES)
    assert plan.fingerprint != plan.fingerprint_0_1
    assert plan.made(plan.fingerprint)
    assert plan.made(plan.fingerprint_0_1)
    moved = make_plan(changed(made(3), path="/n"), "x", num_shards=2, features=FEATURES)
    assert moved.made(plan.fingerprint)
    assert not moved.made(plan.fingerprint_0_1)
