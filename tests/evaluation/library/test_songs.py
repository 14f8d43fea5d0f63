import shutil

import numpy as np
import pytest
import soundfile

from tfmir.data.features import log_mel
from tfmir.data.manifest import load_manifest
from tfmir.data.records import read_tracks
from tfmir.evaluation.baselines import split_statistics
from tfmir.evaluation.library.songs import hear, statistics_of
from tfmir.inference.audio import embed_file, embed_files
from tfmir.params import FeatureParams

NAMES = ["00.flac", "bad.mp3", "03.flac", "short.wav"]


@pytest.fixture(scope="module")
def music(audio_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("heard") / "music"
    folder.mkdir()
    for name in ("00.flac", "03.flac", "04.flac"):
        shutil.copy2(audio_folder / name, folder / name)
    (folder / "bad.mp3").write_text("no music")
    soundfile.write(folder / "short.wav", 0.1 * np.ones(300), 22050)
    return folder


@pytest.fixture(scope="module")
def heard(run, system, music):
    return hear(run, system, str(music), NAMES)


def test_songs_are_what_search_hears_and_bad_ones_are_left_out(heard, system, music):
    assert heard.numbers.tolist() == [0, 2, 3]
    for row, number in enumerate(heard.numbers):
        np.testing.assert_allclose(heard.embeddings[row], embed_file(system, str(music / NAMES[number])), atol=1e-6)
    ((path, reason),) = heard.rejected
    assert path == "bad.mp3"
    assert "cannot be decoded" in reason
    assert np.isfinite(heard.statistics).all()  # of 300 samples, too


def test_statistics_are_those_of_the_records(heard, records):
    """`03.flac` is in the test split, of which the records hold the log-mel."""
    manifest = load_manifest(records)
    names = [track.track_id for track in read_tracks(records, manifest, "test")]
    expected = split_statistics(records, manifest, "test")[names.index("03.flac")]
    np.testing.assert_allclose(heard.statistics[1], expected, atol=1e-5)


def test_the_next_question_decodes_only_what_is_new(heard, run, system, music, monkeypatch, capsys):
    asked = []

    def noting(system, stretches, **more):
        asked.extend(stretch.path for stretch in stretches)
        return embed_files(system, stretches, **more)

    monkeypatch.setattr("tfmir.evaluation.library.songs.embed_files", noting)
    again = hear(run, system, str(music), ["03.flac", "bad.mp3", "04.flac"])
    assert asked == [str(music / "bad.mp3"), str(music / "04.flac")]
    np.testing.assert_array_equal(again.embeddings[0], heard.embeddings[1])
    np.testing.assert_array_equal(again.statistics[0], heard.statistics[1])
    assert "bad.mp3: left out: cannot be decoded" in capsys.readouterr().err
    asked.clear()
    hear(run, system, str(music), ["00.flac", "04.flac"])  # those of both calls are known
    assert asked == []


def test_an_interrupted_call_keeps_what_it_has_done(run, system, music, tmp_path, monkeypatch):
    folder = shutil.copytree(music, tmp_path / "music")

    def interrupted(system, stretches, **more):
        yield from embed_files(system, stretches[:1], **more)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("tfmir.evaluation.library.songs.embed_files", interrupted)
        with pytest.raises(KeyboardInterrupt):
            hear(run, system, str(folder), ["00.flac", "03.flac"])
    monkeypatch.setattr("tfmir.evaluation.library.songs.embed_files", lambda system, stretches, **_: iter(()))
    assert hear(run, system, str(folder), ["00.flac"]).numbers.tolist() == [0]


def test_a_song_shorter_than_an_excerpt_is_followed_by_silence():
    """Two frames, and 127 of silence: the mean is the sum of the two over 129."""
    wave = 0.1 * np.random.default_rng(0).normal(size=700).astype(np.float32)
    features = FeatureParams()
    frames = log_mel(wave[np.newaxis], features).numpy()[0]
    assert len(frames) == 2
    np.testing.assert_allclose(statistics_of(features)(wave)[:128], frames.sum(axis=0) / 129, rtol=1e-3)
