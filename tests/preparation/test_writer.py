import hashlib

import librosa
import numpy as np
import pytest
import soundfile
import tensorflow as tf

from tfmir.corpora.corpus import Track
from tfmir.data.audio import AudioError
from tfmir.data.manifest import load_manifest
from tfmir.data.records import parse, read_tracks
from tfmir.data.sound import Sound
from tfmir.params import FeatureParams
from tfmir.preparation import writer
from tfmir.preparation.writer import compute, write_shard
from tfmir.vocabulary import Vocabulary

FEATURES = FeatureParams()
RATE = 22050


def noise(path, samples, rate=RATE):
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, samples).astype(np.float32)
    soundfile.write(path, wave, rate, subtype="FLOAT")
    return str(path)


@pytest.mark.parametrize("rate", [22050, 16000])
def test_the_log_mel_of_a_file_is_librosas_in_half_precision(tmp_path, rate):
    """float16 has eleven bits: half of the last is 2^-12 of the value; the rest is the difference of two FFTs."""
    path = noise(tmp_path / "a.wav", rate * 4, rate)
    wave, _ = librosa.load(path, sr=RATE)
    mel = librosa.feature.melspectrogram(y=wave, sr=RATE, n_fft=1024, hop_length=512, n_mels=128, power=1)
    found = compute(path, FEATURES)
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, np.log10(1 + 10 * mel).T, rtol=2**-11, atol=1e-4)


def test_the_graph_rounds_to_half_precision_as_numpy_does(tmp_path, monkeypatch):
    """At every bound between two halves below 2^7, and beside it; a log-mel that is not too loud is below 39."""
    halves = np.arange(np.array(128, np.float16).view(np.uint16), dtype=np.uint16).view(np.float16).astype(np.float32)
    bounds = (halves[1:] + halves[:-1]) / 2
    values = np.concatenate([halves, bounds, np.nextafter(bounds, 0), np.nextafter(bounds, np.float32(999))])
    monkeypatch.setattr(writer, "log_mel", lambda waveform, features: tf.constant(values[np.newaxis, :, np.newaxis]))
    writer._log_mel_function.cache_clear()
    found = compute(noise(tmp_path / "a.wav", 66150), FEATURES)
    writer._log_mel_function.cache_clear()
    np.testing.assert_array_equal(found[:, 0].view(np.uint16), values.astype(np.float16).view(np.uint16))


def test_one_excerpt_is_long_enough_and_a_sample_less_is_not(tmp_path):
    """3 s are 66 150 samples, which give 130 frames."""
    assert len(compute(noise(tmp_path / "a.wav", 66150), FEATURES)) == 130
    with pytest.raises(AudioError, match="^too short: 3.00 s, an excerpt needs 3 s$"):
        compute(noise(tmp_path / "a.wav", 66149), FEATURES)


def test_a_shard_is_sorted_whatever_the_order_and_its_checksum_is_of_its_bytes(tmp_path):
    tracks = [
        Track(f"{name}.wav", noise(tmp_path / f"{name}.wav", RATE * (3 + i)), "train", tags, "X")
        for i, (name, tags) in enumerate({"b": (0, 1), "é": (), "a": (1, 2)}.items())
    ]
    vocabulary = Vocabulary.from_dict({"genre": ["p", "q"], "mood": ["r"]})
    results = [
        write_shard(order, str(tmp_path / f"{i}/shard"), vocabulary=vocabulary, features=FEATURES)
        for i, order in enumerate((tracks, tracks[::-1]))
    ]
    data = (tmp_path / "0/shard").read_bytes()
    assert (tmp_path / "1/shard").read_bytes() == data
    assert results[0] == results[1]
    assert (results[0].file, results[0].sha256) == ("shard", hashlib.sha256(data).hexdigest())
    stored = [parse(raw, 128) for raw in tf.data.TFRecordDataset(str(tmp_path / "0/shard")).as_numpy_iterator()]
    assert [(track.track_id, track.tags) for track in stored] == [("a.wav", (1, 2)), ("b.wav", (0, 1)), ("é.wav", ())]
    # by hand: 3, 4 and 5 s are 130, 173 and 216 frames; p once, q twice, r once; genre twice, mood once
    assert (results[0].tracks, results[0].frames) == (3, 130 + 173 + 216)
    assert (results[0].tag_counts, results[0].notion_counts) == ((1, 2, 1), (2, 1))
    assert results[0].truth_counts == (0, 0, 0)


def test_isolation_is_another_process_and_the_same_samples(tmp_path, monkeypatch):
    calls = []

    def decode_isolated(path, *, sample_rate, max_secs):
        calls.append(path)
        return writer.decode(path, sample_rate=sample_rate, max_secs=max_secs)

    monkeypatch.setattr(writer, "decode_isolated", decode_isolated)
    path = noise(tmp_path / "a.wav", RATE * 4)
    np.testing.assert_array_equal(compute(path, FEATURES, isolated=True), compute(path, FEATURES))
    assert calls == [path]


def test_no_more_is_decoded_than_the_longest_length(tmp_path, monkeypatch):
    """10 minutes are 25 839 whole hops, 599.98 s."""
    asked = []

    def decode(path, *, sample_rate, max_secs):
        asked.append((sample_rate, max_secs))
        return np.zeros(RATE * 4, np.float32)

    monkeypatch.setattr(writer, "decode", decode)
    compute("a", FEATURES)
    assert asked == [(RATE, pytest.approx(25839 * 512 / 22050))]


def test_the_stored_log_mel_is_that_of_the_file(records, audio_folder):
    track = next(read_tracks(records, load_manifest(records), "test"))
    np.testing.assert_array_equal(track.log_mel, compute(str(audio_folder / track.track_id), FEATURES))


def test_a_shard_names_what_it_rejects_and_keeps_the_rest(tmp_path, audio_folder):
    (tmp_path / "bad.mp3").write_text("no music")
    good = Track("z", str(audio_folder / "00.flac"), "train", (0,), truth=(0, 1))
    bad = Track("a", str(tmp_path / "bad.mp3"), "train", (1,), truth=(1,))
    result = write_shard(
        [good, bad], str(tmp_path / "shard"), vocabulary=Vocabulary.from_dict({"genre": ["p", "q"]}), features=FEATURES
    )
    assert (result.tracks, result.tag_counts, result.notion_counts) == (1, (1, 0), (1,))
    assert result.truth_counts == (1, 1)
    assert [(row[0], "cannot be decoded" in row[2]) for row in result.rejected] == [("a", True)]


def test_a_track_is_cut_at_the_longest_length(monkeypatch, audio_folder):
    monkeypatch.setattr(FeatureParams, "max_frames", property(lambda self: 150))
    assert len(compute(str(audio_folder / "03.flac"), FEATURES)) == 151


def test_samples_that_overflow_the_log_mel_are_rejected(tmp_path):
    path = tmp_path / "loud.wav"
    soundfile.write(path, np.full(22050 * 4, 3e38, np.float32), 22050, subtype="FLOAT")
    with pytest.raises(AudioError, match="too loud"):
        compute(str(path), FEATURES)


def test_an_interrupted_shard_leaves_nothing(tmp_path, audio_folder, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("tfmir.preparation.writer.serialize", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_shard(
            [Track("a", str(audio_folder / "00.flac"), "train", ())],
            str(tmp_path / "s"),
            vocabulary=Vocabulary.from_dict({"genre": ["p"]}),
            features=FEATURES,
        )
    assert not list(tmp_path.iterdir())


def test_a_track_whose_file_ends_a_little_early_is_in_it_and_named(tmp_path, monkeypatch):
    wave = np.zeros(22050 * 40, np.float32)
    soundfile.write(tmp_path / "a.wav", wave[:9], 22050)
    short = Sound(wave[: -22050 // 4], 22050, len(wave))
    monkeypatch.setattr("tfmir.data.libsndfile.read", lambda *_: short)
    monkeypatch.setattr("tfmir.data.ffmpeg.is_installed", lambda: False)
    track = Track("a", str(tmp_path / "a.wav"), "train", ())
    result = write_shard(
        [track], str(tmp_path / "s"), vocabulary=Vocabulary.from_dict({"genre": ["p"]}), features=FEATURES
    )
    remark = "used as far as it goes: the header promises 40.0 s, found 39.7 s"
    assert (result.tracks, result.remarks) == (1, (("a", track.path, remark),))
