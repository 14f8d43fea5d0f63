import io
import pathlib

import numpy as np
import pytest
import soundfile

from tests.fixtures.formats import RATE, tone
from tests.fixtures.odd_audio import promising
from tfmir.data import libsndfile
from tfmir.data.sound import AudioError, UnopenedError


def test_channels_are_mixed_by_their_mean(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.stack([tone(1), np.zeros(RATE, np.float32)], 1), RATE, subtype="FLOAT")
    found = libsndfile.read(str(tmp_path / "a.wav"), None)
    np.testing.assert_allclose(found.mono, tone(1) / 2, atol=1e-7)
    assert (found.rate, found.missing) == (RATE, 0)


def test_reads_no_more_than_is_wanted_and_across_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(libsndfile, "_BLOCK_SECS", 1)
    soundfile.write(tmp_path / "a.wav", tone(5), RATE, subtype="FLOAT")
    found = libsndfile.read(str(tmp_path / "a.wav"), 3.5)
    np.testing.assert_array_equal(found.mono, tone(5)[: int(3.5 * RATE)])
    assert found.missing == 0


@pytest.mark.parametrize("rate", [22050, 44100])
@pytest.mark.parametrize("suffix", ["mp3", "ogg", "flac"])
def test_blocks_have_the_samples_of_one_read(tmp_path, monkeypatch, rate, suffix):
    """soundfile seeks after a read; an mp3 was begun anew at every block, with up to some thousand wrong samples."""
    monkeypatch.setattr(libsndfile, "_BLOCK_SECS", 1)
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, [rate * 4, 2])
    path = str(tmp_path / f"a.{suffix}")
    soundfile.write(path, noise * np.linspace(0, 1, rate * 4)[:, np.newaxis], rate)
    with soundfile.SoundFile(path) as file:
        whole = file.read(dtype="float32")
    np.testing.assert_array_equal(libsndfile.read(path, None).mono, whole @ np.full(2, 0.5, np.float32))


def test_ogg_streams_one_behind_the_other_are_all_read(tmp_path, chained_ogg):
    """Each decoded alone, one after the other: 3 + 4 + 2 s."""
    waves = [tone(3, 300), tone(4, 900), tone(2, 600)]
    path = chained_ogg(tmp_path / "a.ogg", waves)
    alone = [soundfile.read(chained_ogg(tmp_path / "one.ogg", [wave]), dtype="float32")[0] for wave in waves]
    assert soundfile.info(path).duration < 9
    np.testing.assert_array_equal(libsndfile.read(path, None).mono, np.concatenate(alone))
    assert libsndfile.seconds(path) == pytest.approx(9.0)
    np.testing.assert_array_equal(libsndfile.read(path, 5.5).mono, np.concatenate(alone)[: round(5.5 * RATE)])


def test_a_later_stream_of_another_rate_is_brought_to_that_of_the_first(tmp_path, chained_ogg):
    path = chained_ogg(tmp_path / "a.ogg", [tone(2), tone(3, rate=44100)], [RATE, 44100])
    found = libsndfile.read(path, None)
    assert (found.rate, found.secs) == (RATE, pytest.approx(5.0, abs=1e-3))
    assert abs(np.abs(np.fft.rfft(found.mono[3 * RATE : 4 * RATE])).argmax() - 440) <= 1


def test_an_mp3_longer_than_its_header_says_is_not_begun(tmp_path, mp3):
    """Two files one behind the other: libsndfile would stop after the first."""
    (tmp_path / "a.mp3").write_bytes(mp3(tone(3)) + mp3(tone(4)))
    for read in (lambda path: libsndfile.read(path, None), libsndfile.seconds):
        with pytest.raises(UnopenedError, match=r"it lasts 7\.\d s, but by its header or its first frames 3\.0 s"):
            read(str(tmp_path / "a.mp3"))


def test_an_mp3_without_a_header_promises_its_frames(tmp_path, mp3):
    """Quiet, then loud, at a variable bitrate: judged by its first frames it would be half as long again."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, RATE * 10).astype(np.float32)
    (tmp_path / "a.mp3").write_bytes(mp3(np.concatenate([np.zeros_like(noise), noise]), header=False))
    assert soundfile.info(tmp_path / "a.mp3").duration > 22
    found = libsndfile.read(str(tmp_path / "a.mp3"), None)
    assert found.missing <= 2 * 1152
    assert found.secs == pytest.approx(20, abs=0.2)


def endless_flac():
    """As of an encoder that writes to a pipe: 36 bits of its header, the number of samples, are 0."""
    data = io.BytesIO()
    soundfile.write(data, np.zeros(RATE, np.float32), RATE, format="FLAC")
    data = bytearray(data.getvalue())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    return bytes(data)


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.flac", endless_flac(), "does not say how long it is"),
        ("a.mp3", b"no music\n" * 50, "unknown format"),
        ("a.ogg", b"OggS" + bytes(50), "."),
        ("a.m4a", b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(99), "."),
        ("a.raw", bytes(9000), "no header of an audio file"),
    ],
)
def test_what_it_does_not_open_has_a_reason(tmp_path, name, data, reason):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UnopenedError, match=reason):
        libsndfile.read(str(tmp_path / name), None)
    with pytest.raises(UnopenedError, match=reason):
        libsndfile.seconds(str(tmp_path / name))


def test_a_damaged_file_is_not_used(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, RATE * 5).astype(np.float32)
    soundfile.write(tmp_path / "a.flac", noise, RATE)
    data = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(data[: len(data) // 2] + bytes(len(data) // 4))
    with pytest.raises(AudioError, match=r"damaged: decoding failed after \d\.\d s"):
        libsndfile.read(str(tmp_path / "a.flac"), None)


def test_channels_do_not_pile_up_in_memory(tmp_path, monkeypatch):
    """Blocks of 100 samples of all channels together: 4 samples of 24."""
    monkeypatch.setattr(libsndfile, "_BLOCK_SAMPLES", 100)
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, [50, 24]).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", wave, RATE, subtype="FLOAT")
    asked = []
    read = soundfile.SoundFile.read
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda s, n, **k: asked.append(n) or read(s, n, **k))
    np.testing.assert_allclose(libsndfile.read(str(tmp_path / "a.wav"), None).mono, wave.mean(axis=1), atol=1e-6)
    assert asked == [4] * 12 + [2]


@pytest.mark.parametrize(("promised", "is_possible"), [(9000 * 8192, True), (2**36 - 1, False)])
def test_a_header_may_promise_what_a_file_of_its_size_can_hold(tmp_path, promised, is_possible):
    """A silent FLAC of 9000 bytes, most of which are padding, and its header."""
    data = io.BytesIO()
    soundfile.write(data, np.zeros(RATE, np.float32), RATE, format="FLAC")
    (tmp_path / "a.flac").write_bytes(promising(data.getvalue(), promised).ljust(9000, b"\0"))
    if is_possible:
        assert libsndfile.seconds(str(tmp_path / "a.flac")) == promised / RATE
        return
    with pytest.raises(AudioError, match="^truncated: the header promises 3116529.6 s in 9000 bytes$"):
        libsndfile.seconds(str(tmp_path / "a.flac"))


def test_a_later_ogg_stream_that_is_none_has_a_reason(tmp_path, chained_ogg):
    path = pathlib.Path(chained_ogg(tmp_path / "a.ogg", [tone(2), tone(3)]))
    data = path.read_bytes()
    second = data.index(b"\x01vorbis", 100)
    path.write_bytes(data[:second] + b"\x01nothing"[:7] + data[second + 7 :])
    for read in (lambda path: libsndfile.read(path, None), libsndfile.seconds):
        with pytest.raises((UnopenedError, AudioError)):
            read(str(path))


@pytest.mark.parametrize(("share", "used"), [(0.997, True), (0.9, False)])
def test_a_flac_that_lacks_less_than_a_hundredth_is_read_as_far_as_it_goes(tmp_path, share, used):
    """The decoder fails at the cut, 30 s of music in: only what lies right before it is lost."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, RATE * 40).astype(np.float32)
    soundfile.write(tmp_path / "a.flac", noise, RATE)
    whole = soundfile.read(tmp_path / "a.flac", dtype="float32")[0]
    data = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(data[: int(share * len(data))])
    if not used:
        with pytest.raises(AudioError, match=r"damaged: decoding failed after 3\d\.\d s"):
            libsndfile.read(str(tmp_path / "a.flac"), None)
        return
    found = libsndfile.read(str(tmp_path / "a.flac"), None)
    assert 0 < found.missing < 0.01 * len(whole)
    np.testing.assert_array_equal(found.mono, whole[: len(found.mono)])
