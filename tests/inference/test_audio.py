import numpy as np
import pytest
import soundfile
import tensorflow as tf

from tests.fixtures.odd_audio import POISON
from tfmir.corpora.votes import Clip, HumanTriplet
from tfmir.data.audio import AudioError, remarks
from tfmir.data.decoding import Answer
from tfmir.data.features import log_mel
from tfmir.evaluation.human import embed_clips
from tfmir.inference.audio import Stretch, embed_file, embed_files, embed_waveforms
from tfmir.params import FeatureParams

RATE = 22050
FEATURES = FeatureParams()


def numpy_excerpts(wave):
    """Whole excerpts of 129 frames, cut with slices; a wave that is too short is padded with silence."""
    frames = log_mel(tf.constant(wave[np.newaxis], tf.float32), FEATURES).numpy()[0]
    frames = np.concatenate([frames, np.zeros([max(0, 129 - len(frames)), 128])])
    return np.stack([frames[i : i + 129] for i in range(0, len(frames) - 128, 129)])


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    """10 seconds, a glissando that grows louder, and its file."""
    time = np.arange(10 * RATE) / RATE
    wave = (np.linspace(0.05, 0.8, len(time)) * np.sin(2 * np.pi * (100 + 300 * time) * time)).astype(np.float32)
    path = tmp_path_factory.mktemp("song") / "song.wav"
    soundfile.write(path, wave, RATE, subtype="FLOAT")
    return wave, path


@pytest.mark.parametrize("samples", [500, 66150, 9 * RATE + 1000])
def test_waveforms_are_embedded_excerpt_by_excerpt(system, song, numpy_track, samples):
    waves = np.stack([song[0][:samples], song[0][-samples:]])
    expected = [numpy_track(system, numpy_excerpts(wave)) for wave in waves]
    np.testing.assert_allclose(embed_waveforms(system, tf.constant(waves)), expected, atol=1e-5)


def test_a_file_is_embedded_as_its_waveform(system, song, numpy_track):
    wave, path = song
    np.testing.assert_allclose(embed_file(system, str(path)), numpy_track(system, numpy_excerpts(wave)), atol=1e-5)


@pytest.mark.parametrize(("start", "length"), [(0.0, 3.5), (2.5, 3.0), (4.0, None), (8.0, 3.0)])
def test_a_stretch_of_a_file_is_the_waveform_between_its_ends(system, song, numpy_track, start, length):
    """The last one reaches beyond the end: what there is of it is embedded."""
    wave, path = song
    stretch = wave[round(start * RATE) : None if length is None else round((start + length) * RATE)]
    found = embed_file(system, str(path), start_secs=start, length_secs=length)
    np.testing.assert_allclose(found, numpy_track(system, numpy_excerpts(stretch)), atol=1e-5)
    assert np.abs(found - embed_file(system, str(path))).max() > 1e-4


def test_clips_of_listeners_are_embedded_alike(system, song, numpy_track):
    """Human votes take the one way that search and signatures take."""
    wave, path = song
    clips = [Clip("song", start, 3.0) for start in (0.0, 3.0, 6.5)]
    triplets = [HumanTriplet("t", clips[0], (clips[1], clips[2]), (1, 0))]
    found = embed_clips(system, triplets, str(path.parent))
    assert set(found) == set(clips)
    for clip, embedding in found.items():
        stretch = wave[round(clip.start_secs * RATE) : round((clip.start_secs + 3.0) * RATE)]
        np.testing.assert_allclose(embedding, numpy_track(system, numpy_excerpts(stretch)), atol=1e-5)


def test_of_a_long_file_the_first_ten_minutes_are_heard(system, monkeypatch):
    """25 840 frames of 512 samples, as many as the records keep of a track."""
    asked = []

    def decode_ahead(tasks):
        for task in tasks:
            asked.append(task.max_secs)
            yield Answer(waveform=np.zeros(RATE * 4, np.float32))

    monkeypatch.setattr("tfmir.inference.audio.decode_ahead", decode_ahead)
    embed_file(system, "mix.mp3")
    embed_file(system, "mix.mp3", start_secs=2.0)
    embed_file(system, "mix.mp3", start_secs=2.0, length_secs=1.5)
    longest = 600 * 22050 // 512 * 512 / 22050
    assert asked == pytest.approx([longest, longest + 2.0, 3.5])


@pytest.mark.parametrize("start", [10.0, 60.0])
def test_a_stretch_after_the_end_is_refused(system, song, start):
    with pytest.raises(AudioError, match=f"ends before the clip's start at {start:g} s"):
        embed_file(system, str(song[1]), start_secs=start, length_secs=3.0)


def test_files_are_embedded_in_order_each_as_if_alone_and_what_has_none_has_a_reason(
    system, song, tmp_path, monkeypatch
):
    """A file that kills its decoder, one that is too loud, one that is not there, and three stretches of the song."""
    (tmp_path / "sitecustomize.py").write_text(POISON)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    soundfile.write(tmp_path / "poison.wav", song[0], RATE)
    soundfile.write(tmp_path / "loud.wav", np.full(RATE * 4, 3e38, np.float32), RATE, subtype="FLOAT")
    odd = [Stretch(str(tmp_path / f"{name}.wav")) for name in ("poison", "loud", "absent")]
    good = [Stretch(str(song[1])), Stretch(str(song[1]), 2.5, 3.0), Stretch(str(song[1]), 12.0)]
    found = list(embed_files(system, [odd[0], good[0], odd[1], good[1], odd[2], good[2]]))
    assert [embedded.problem for embedded in found] == [
        "kills the process that decodes it (SIGSEGV): tried twice",
        "",
        "too loud for a log-mel: its largest sample is 3e+38",
        "",
        "missing: no such file",
        "ends before the clip's start at 12 s",
    ]
    for embedded, stretch in ((found[1], good[0]), (found[3], good[1])):
        alone = embed_file(system, stretch.path, start_secs=stretch.start_secs, length_secs=stretch.length_secs)
        np.testing.assert_allclose(embedded.embedding, alone, atol=1e-6)
    with pytest.raises(AudioError, match="kills the process"):
        embed_file(system, odd[0].path)


def test_what_else_is_wanted_of_a_waveform_comes_with_its_embedding(system, monkeypatch):
    """Three files, the second of which cannot be decoded; the largest sample of each is wanted."""
    answers = [Answer(waveform=np.full(RATE * 4, 0.5)), Answer("no music"), Answer(waveform=np.full(RATE, 0.25))]
    monkeypatch.setattr("tfmir.inference.audio.decode_ahead", lambda tasks: iter(answers))
    found = list(embed_files(system, [Stretch(name) for name in "abc"], also=lambda wave: wave.max(keepdims=True)))
    assert [of.also.tolist() for of in found] == [[0.5], [], [0.25]]
    assert [of.problem for of in found] == ["", "no music", ""]


def test_a_remark_on_a_file_is_a_warning(system, monkeypatch):
    answer = Answer(waveform=np.ones(RATE * 4, np.float32), remarks=("used as far as it goes",))
    monkeypatch.setattr("tfmir.inference.audio.decode_ahead", lambda tasks: (answer for _ in tasks))
    with remarks() as said:
        embed_file(system, "a.mp3")
    assert said == ["used as far as it goes"]
