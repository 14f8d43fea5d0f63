import numpy as np
import pytest
import soundfile
import tensorflow as tf

from tests.fixtures.odd_audio import POISON
from tfmir.corpora.votes import Clip, HumanTriplet
from tfmir.errors import UserError
from tfmir.evaluation.human import agreement, embed_clips
from tfmir.params import EncoderParams, RunParams, SystemParams
from tfmir.vocabulary import Vocabulary

RATE = 22050


class Loudness:
    """Embeds an excerpt by how much of it lies in the lower and upper half of the bands: four numbers, two notions."""

    params = RunParams(encoder=EncoderParams(embedding_dim=4))
    vocabulary = Vocabulary.from_dict({"genre": ["a"], "mood": ["x"]})

    def excerpt_embeddings(self, log_mel):
        bands = tf.reduce_mean(log_mel, axis=1)
        low, high = tf.reduce_mean(bands[:, :64], 1), tf.reduce_mean(bands[:, 64:], 1)
        return tf.stack([low, high, low, high], axis=1)

    def track_embeddings(self, excerpts, track):
        return tf.math.l2_normalize(tf.math.segment_mean(excerpts, track), axis=1)

    def scores(self, embedding):
        return tf.zeros([1, 1])


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """`low` and `low2` hum, `high` whistles; `both` hums for four seconds and then whistles."""
    folder = tmp_path_factory.mktemp("songs")
    time = np.arange(4 * RATE) / RATE
    hum, whistle = (0.4 * np.sin(2 * np.pi * f * time) for f in (150, 7000))
    waves = {"low": hum, "low2": hum[::-1], "high": whistle, "both": np.concatenate([hum, whistle])}
    for name, wave in waves.items():
        soundfile.write(folder / f"{name}.wav", wave, RATE)
    return folder


def triplet(anchor, song1, song2, votes):
    clips = [Clip(*song, 3.0) if isinstance(song, tuple) else Clip(song, 0.0, 3.0) for song in (anchor, song1, song2)]
    return HumanTriplet("t", clips[0], (clips[1], clips[2]), votes)


def test_agreement_counts_votes(songs):
    """The system says low2, high, high. Votes for these: 3 of 4, 0 of 1, 5 of 5: 8 of 10."""
    triplets = [
        triplet("low", "low2", "high", (3, 1)),
        triplet(("both", 4.5), "low", "high", (1, 0)),
        triplet(("both", 4.5), "high", "low2", (5, 0)),
    ]
    system = Loudness()
    found = agreement(system, triplets, embed_clips(system, triplets, str(songs)))
    assert (found.triplets, found.votes) == (3, 10)
    assert found.whole.mean == pytest.approx(0.8)
    assert {notion: interval.mean for notion, interval in found.subspaces.items()} == {"genre": 0.8, "mood": 0.8}
    assert found.inner_product is None


class Plain:
    """Plain classification: one space, and embeddings that are not of unit norm."""

    params = RunParams(system=SystemParams("classification", disentangled=False, normalized=False))
    vocabulary = Loudness.vocabulary


def test_without_unit_norm_the_inner_product_may_agree_with_other_listeners():
    """Anchor (1, 0), songs (2, 0) and (6, 8). Cosines 1 and 0.6: the first, for which 3 of 4 have voted. Inner
    products 2 and 6: the second, for which 1 of 4 has."""
    asked = triplet("a", "short", "long", (3, 1))
    clips = dict(zip((asked.anchor, *asked.songs), np.float32([[1, 0], [2, 0], [6, 8]]), strict=True))
    found = agreement(Plain(), [asked], clips)
    assert (found.whole.mean, found.inner_product.mean) == (0.75, 0.25)
    assert found.subspaces == {}


def test_a_tie_agrees_with_nobody():
    """Both songs are the anchor itself: 0 of 4 votes."""
    asked = triplet("a", "b", "c", (3, 1))
    clips = dict.fromkeys((asked.anchor, *asked.songs), np.float32([1, 0]))
    assert agreement(Plain(), [asked], clips).whole.mean == 0.0


def test_a_start_within_a_song_changes_what_is_heard(songs):
    triplets = [triplet(("both", 0.5), ("both", 4.5), "low", (0, 1))]
    system = Loudness()
    assert agreement(system, triplets, embed_clips(system, triplets, str(songs))).whole.mean == 1.0


def test_missing_songs_and_clips_beyond_the_end_do_not_count(songs, capsys):
    triplets = [
        triplet("low", "low2", "high", (1, 0)),
        triplet("low", "nowhere", "high", (1, 0)),
        triplet("low", ("low2", 60.0), "high", (1, 0)),
    ]
    system = Loudness()
    found = agreement(system, triplets, embed_clips(system, triplets, str(songs)))
    assert found.triplets == 1
    assert "ends before the clip's start at 60 s" in capsys.readouterr().err
    with pytest.raises(UserError, match="no human triplet has all three"):
        agreement(system, triplets[1:], embed_clips(system, triplets[1:], str(songs)))


def test_a_song_that_kills_its_decoder_costs_its_own_triplets(songs, tmp_path, monkeypatch, capsys):
    (tmp_path / "sitecustomize.py").write_text(POISON)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for name in ("low", "low2", "high"):
        (tmp_path / f"{name}.wav").symlink_to(songs / f"{name}.wav")
    (tmp_path / "poison.wav").symlink_to(songs / "high.wav")
    triplets = [triplet("low", "poison", "high", (1, 0)), triplet("low", "low2", "high", (1, 0))]
    clips = embed_clips(Loudness(), triplets, str(tmp_path))
    assert {clip.song_id for clip in clips} == {"low", "low2", "high"}
    assert f"left out: {tmp_path}/poison.wav: kills the process that decodes it (SIG" in capsys.readouterr().err
    assert agreement(Loudness(), triplets, clips).triplets == 1


def test_a_folder_without_the_songs_is_refused(songs, tmp_path):
    triplets = [triplet("low", "low2", "high", (1, 0))]
    with pytest.raises(UserError, match="none of the 3 clips' songs, such as high"):
        embed_clips(Loudness(), triplets, str(tmp_path))
    with pytest.raises(UserError, match="no such folder"):
        embed_clips(Loudness(), triplets, str(tmp_path / "nowhere"))
