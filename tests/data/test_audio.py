import io

import librosa
import numpy as np
import pytest
import soundfile

from tfmir.data import audio
from tfmir.data.audio import AudioError, decode

RATE = 22050


def tone(seconds, rate=RATE, channels=1):
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)
    return np.stack([wave * (c + 1) / channels for c in range(channels)], axis=1).astype(np.float32)


def write(path, wave, rate=RATE, **kwargs):
    soundfile.write(path, wave, rate, **kwargs)
    return str(path)


@pytest.mark.parametrize(
    ("suffix", "rate", "channels"),
    [("wav", 44100, 2), ("flac", 8000, 1), ("wav", 48000, 6), ("ogg", 22050, 1), ("mp3", 48000, 2)],
)
def test_equals_librosa(tmp_path, suffix, rate, channels):
    path = write(tmp_path / f"a.{suffix}", tone(4.0, rate, channels), rate)
    expected, _ = librosa.load(path, sr=RATE, mono=True)
    ours = decode(path, sample_rate=RATE)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_channels_are_mixed_by_their_mean(tmp_path):
    """Six channels of (1..6)/6 times the tone: their mean is 3.5/6 of it."""
    path = write(tmp_path / "a.wav", tone(1.0, RATE, 6), subtype="FLOAT")
    np.testing.assert_allclose(decode(path, sample_rate=RATE), tone(1.0)[:, 0] * 3.5 / 6, atol=1e-6)


def test_reads_no_more_than_max_secs_and_across_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(audio, "_BLOCK_SECS", 1)
    path = write(tmp_path / "a.wav", tone(5.0), subtype="FLOAT")
    np.testing.assert_array_equal(decode(path, sample_rate=RATE, max_secs=3.5), tone(5.0)[: int(3.5 * RATE), 0])


def test_silence_is_accepted(tmp_path):
    path = write(tmp_path / "a.wav", np.zeros(RATE, np.float32))
    assert not decode(path, sample_rate=RATE).any()


def truncated_flac(path):
    data = io.BytesIO()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, RATE * 5).astype(np.float32)
    soundfile.write(data, noise, RATE, format="FLAC")
    path.write_bytes(data.getvalue()[: len(data.getvalue()) // 2])


def test_an_mp3_without_a_header_promises_nothing(tmp_path):
    """Quiet, then loud, at a variable bitrate: judged by its first frames the file would be half as long again."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, RATE * 10).astype(np.float32)
    wave = np.concatenate([np.zeros_like(noise), noise])
    path = tmp_path / "a.mp3"
    soundfile.write(path, wave, RATE, bitrate_mode="VARIABLE", compression_level=0.5)
    whole = path.read_bytes()
    path.write_bytes((b"ID3\4\0\0\0\0\x28\0" + bytes(5120)) * 2 + whole[: len(whole) // 2])
    with pytest.raises(AudioError, match="truncated"):
        decode(str(path), sample_rate=RATE)
    path.write_bytes(whole[whole.index(whole[:2], 2) :])
    assert soundfile.info(path).duration > 22
    assert abs(len(decode(str(path), sample_rate=RATE)) - len(wave)) < 3 * 1152


def endless_flac(path):
    """As of an encoder that writes to a pipe: 36 bits of its header, the number of samples, are 0."""
    soundfile.write(path, np.zeros(RATE, np.float32), RATE)
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data)


BAD = {
    "empty.wav": (lambda path: path.write_bytes(b""), "empty"),
    "text.mp3": (lambda path: path.write_text("this is not music\n" * 50), "not audio"),
    "noise.ogg": (lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)), "not audio"),
    "half.flac": (truncated_flac, "truncated|damaged"),
    "nan.wav": (lambda path: soundfile.write(path, np.full(RATE, np.nan, np.float32), RATE, subtype="FLOAT"), "NaN"),
    "header.wav": (lambda path: soundfile.write(path, np.zeros(0, np.float32), RATE), "no samples"),
    "headerless.raw": (lambda path: path.write_bytes(bytes(9000)), "cannot be decoded|not audio"),
    "stream.flac": (endless_flac, "does not say how long it is"),
    "folder.wav": (lambda path: path.mkdir(), "not a file"),
    "absent.wav": (lambda path: None, "missing"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_have_a_reason(tmp_path, name):
    make, reason = BAD[name]
    make(tmp_path / name)
    with pytest.raises(AudioError, match=reason):
        decode(str(tmp_path / name), sample_rate=RATE)


def test_a_remote_path_is_read_through_tensorflow(tmp_path):
    path = write(tmp_path / "a.wav", tone(1.0), subtype="FLOAT")
    np.testing.assert_array_equal(decode(f"file://{path}", sample_rate=RATE), tone(1.0)[:, 0])
    with pytest.raises(AudioError, match="missing: no such file"):
        decode(f"file://{path}.absent", sample_rate=RATE)


def test_without_tensorflow_io_the_reason_is_libsndfiles(tmp_path, monkeypatch):
    monkeypatch.setattr(audio, "_tensorflow_io_works", lambda: False)
    (tmp_path / "a.mp3").write_text("no music")
    with pytest.raises(AudioError, match=r"not audio that can be decoded: .+"):
        decode(str(tmp_path / "a.mp3"), sample_rate=RATE)
