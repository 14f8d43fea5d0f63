import pathlib

import numpy as np
import pytest

from tests.fixtures.formats import RATE, tone
from tests.fixtures.odd_audio import wav
from tfmir.data import ffmpeg
from tfmir.data.sound import AudioError, UnopenedError

# file name -> FFmpeg's encoder, container, Hz, and how many samples the format may add at the end
FORMATS = {
    "alac.m4a": ("alac", "ipod", 44100, 0),
    "a.m4a": ("aac", "ipod", 44100, 1024),
    "a.mp4": ("aac", "mp4", 44100, 1024),
    "a.aac": ("aac", "adts", 44100, 2048),
    "a.wma": ("wmav2", "asf", 44100, 4096),
    "a.mka": ("libopus", "matroska", 48000, 960),
    "a.webm": ("libopus", "webm", 48000, 960),
    "a.wv": ("wavpack", "wv", 44100, 0),
}


@pytest.fixture
def make(encode, tmp_path):
    def written(name, secs=4.0):
        codec, container, rate, _ = FORMATS[name]
        return encode(tmp_path / name, tone(secs, rate=rate), codec, container=container, rate=rate, bit_rate=128_000)

    return written


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read_to_its_end_and_equal_to_ffmpegs_samples(make, ffmpegs_samples, name):
    rate, spare = FORMATS[name][2:]
    path = make(name)
    found = ffmpeg.read(path, None)
    theirs, _ = ffmpegs_samples(path)
    assert found.rate == rate
    assert -2048 <= len(found.mono) - 4 * rate <= spare
    np.testing.assert_allclose(found.mono, theirs.mean(axis=1)[: len(found.mono)], atol=1e-6)
    assert ffmpeg.seconds(path) == pytest.approx(found.secs, abs=0.05)


def test_an_mp4_is_cut_to_its_streams_duration(make, ffmpegs_samples):
    """AAC comes in frames of 1024 samples; the container knows where the music ends in the last of them."""
    path = make("a.m4a", secs=4.01)
    found = ffmpeg.read(path, None)
    assert len(found.mono) == found.promised == round(4.01 * 44100) + 1024
    assert len(ffmpegs_samples(path)[0]) >= len(found.mono)  # PyAV 19's FFmpeg cuts it, too


def test_no_more_is_read_than_is_wanted(make):
    found = ffmpeg.read(make("a.m4a"), 1.5)
    assert (len(found.mono), found.missing) == (round(1.5 * 44100), 0)


def test_an_mp4_that_ends_early_is_not_used(encode, tmp_path):
    """The index before the sound, as for streaming, and then half of the sound."""
    path = encode(tmp_path / "a.m4a", tone(4, rate=44100), "alac", container="ipod", rate=44100, movflags="faststart")
    whole = (tmp_path / "a.m4a").read_bytes()
    (tmp_path / "a.m4a").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AudioError, match=r"damaged: decoding failed after [12]\.\d s"):
        ffmpeg.read(path, None)


@pytest.mark.parametrize(
    ("dtype", "planar", "values", "expected"),
    [
        (np.int16, True, [[16384, -32768], [0, 0]], [0.25, -0.5]),
        (np.int16, False, [[16384, 0, -32768, 0]], [0.25, -0.5]),
        (np.int32, True, [[1 << 30, 0]], [0.5, 0.0]),
        (np.uint8, True, [[128, 0, 255]], [0.0, -1.0, 127 / 128]),
        (np.float32, False, [[0.5, 0.25, 1.0, 0.0]], [0.375, 0.5]),
        (np.float64, True, [[0.5, 0.25], [0.0, 0.25]], [0.25, 0.25]),
    ],
)
def test_samples_of_every_type_and_arrangement_become_mono_floats(dtype, planar, values, expected):
    class Frame:
        samples = len(expected)
        format = type("Format", (), {"is_planar": planar})

        def to_ndarray(self):
            return np.array(values, dtype)

    found = ffmpeg._mono(Frame())
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-7)


@pytest.mark.parametrize(
    "data",
    [b"", b"no music", b"#EXTM3U\n#EXTINF:3,\nother.wav\n", b"ffconcat version 1.0\nfile other.wav\n", bytes(999)],
)
def test_what_is_no_sound_is_not_opened_and_opens_nothing_else(tmp_path, data, ffmpegs_samples):
    (tmp_path / "a.m4a").write_bytes(data)
    with pytest.raises(UnopenedError):
        ffmpeg.read(str(tmp_path / "a.m4a"), None)


def test_names_that_ffmpeg_would_take_for_protocols_are_files(make, tmp_path, monkeypatch):
    whole = pathlib.Path(make("alac.m4a")).read_bytes()
    monkeypatch.chdir(tmp_path)
    for name in ("concat:a.m4a", "pipe:0", "a%d.m4a", "ä ö.m4a"):
        (tmp_path / name).write_bytes(whole)
        assert ffmpeg.read(name, None).secs == pytest.approx(4.0)


def test_without_the_extra_the_reason_names_it(tmp_path, monkeypatch):
    monkeypatch.setattr(ffmpeg, "is_installed", lambda: False)
    for read in (lambda path: ffmpeg.read(path, None), ffmpeg.seconds):
        with pytest.raises(UnopenedError, match=r"needs FFmpeg: pip install 'tfmir\[formats\]'"):
            read(str(tmp_path / "a.m4a"))


@pytest.mark.parametrize("rate", [1, 2_000_000_000])
def test_a_header_that_cannot_be_true_is_refused(tmp_path, encode, rate):
    (tmp_path / "a.wav").write_bytes(wav(claimed_rate=rate))
    for read in (lambda path: ffmpeg.read(path, None), ffmpeg.seconds):
        with pytest.raises(AudioError, match=f"^its header claims {rate} Hz: expected 1000 to 768000$"):
            read(str(tmp_path / "a.wav"))


@pytest.mark.parametrize("data", [bytes(5000), wav(kind=0xBEEF)])
def test_what_has_no_sample_rate_or_an_unknown_codec_is_not_opened(tmp_path, encode, data):
    (tmp_path / "a.flac").write_bytes(data)
    for read in (lambda path: ffmpeg.read(path, None), ffmpeg.seconds):
        with pytest.raises(UnopenedError):
            read(str(tmp_path / "a.flac"))


def test_metadata_that_are_not_utf_8_are_no_obstacle(tmp_path, encode, mp3):
    """An ID3v1 tag has no encoding: most are Latin-1."""
    tag = (b"TAG" + b"Caf\xe9 M\xfcller").ljust(128, b"\0")
    (tmp_path / "a.mp3").write_bytes(mp3(np.zeros(3 * RATE, np.float32), header=False) + tag)
    assert ffmpeg.read(str(tmp_path / "a.mp3"), None).secs == pytest.approx(3.0, abs=0.2)
    assert ffmpeg.seconds(str(tmp_path / "a.mp3")) == pytest.approx(3.0, abs=0.2)
