import contextlib
import io
import os
import tracemalloc
import warnings

import librosa
import numpy as np
import pytest
import soundfile

from tests.fixtures.odd_audio import promising, wav
from tfmir.data.audio import AudioError, decode, remarks, seconds
from tfmir.data.features import log_mel
from tfmir.data.sound import Sound
from tfmir.params import FeatureParams

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


def test_silence_is_accepted(tmp_path):
    path = write(tmp_path / "a.wav", np.zeros(RATE, np.float32))
    assert not decode(path, sample_rate=RATE).any()


def truncated_flac(path):
    data = io.BytesIO()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, RATE * 5).astype(np.float32)
    soundfile.write(data, noise, RATE, format="FLAC")
    path.write_bytes(data.getvalue()[: len(data.getvalue()) // 2])


def years_of_flac(path):
    """36 bits of a header that are all 1: 2^36 - 1 samples at 22 050 Hz are 3 116 529.6 s."""
    data = io.BytesIO()
    soundfile.write(data, tone(4.0), RATE, format="FLAC")
    path.write_bytes(promising(data.getvalue(), 2**36 - 1))


BAD = {
    "empty.wav": (lambda path: path.write_bytes(b""), "empty"),
    "text.mp3": (lambda path: path.write_text("this is not music\n" * 50), "cannot be decoded: unknown format; "),
    "noise.ogg": (lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)), "cannot be decoded"),
    "half.flac": (truncated_flac, "truncated|damaged"),
    "nan.wav": (lambda path: soundfile.write(path, np.full(RATE, np.nan, np.float32), RATE, subtype="FLOAT"), "NaN"),
    "header.wav": (lambda path: soundfile.write(path, np.zeros(0, np.float32), RATE), "no samples"),
    "headerless.raw": (lambda path: path.write_bytes(bytes(9000)), "cannot be decoded: no header"),
    "folder.wav": (lambda path: path.mkdir(), "not a file"),
    "absent.wav": (lambda path: None, "missing"),
    "dangling.wav": (lambda path: path.symlink_to("nowhere"), "^missing: a link that leads nowhere$"),
    "pipe.wav": (os.mkfifo, "^not a file: a pipe$"),
    "device.wav": (lambda path: path.symlink_to("/dev/zero"), "^not a file: a device$"),
    "fast.wav": (lambda path: path.write_bytes(wav(claimed_rate=2_000_000_000)), "^its header claims 2000000000 Hz"),
    "slow.wav": (lambda path: path.write_bytes(wav(claimed_rate=1)), "^its header claims 1 Hz: expected 1000 to "),
    "faster.wav": (lambda path: path.write_bytes(wav(claimed_rate=2**32 - 1)), "claims an impossible sample rate"),
    "wide.wav": (lambda path: path.write_bytes(wav(claimed_channels=3000)), "claims more than 1024 channels$"),
    "years.flac": (years_of_flac, r"^truncated: the header promises 3116529\.6 s in \d+ bytes$"),
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


@pytest.mark.parametrize("whole", ["header", "no header", "two", "promises too little"])
def test_an_mp3_is_decoded_to_its_end_whatever_it_says(tmp_path, mp3, ffmpegs_samples, whole):
    """Quiet, then loud, at a variable bitrate; and with a header that has another number of frames."""
    rng = np.random.default_rng(0)
    wave = np.concatenate([np.zeros(RATE * 6), rng.uniform(-0.5, 0.5, RATE * 6)]).astype(np.float32)
    data, secs = mp3(wave, header=whole != "no header"), 12
    if whole == "two":
        data, secs = data + mp3(wave), 24
    if whole == "promises too little":
        at = max(data.find(b"Xing"), data.find(b"Info")) + 8
        data = data[:at] + (int.from_bytes(data[at : at + 4], "big") // 3).to_bytes(4, "big") + data[at + 4 :]
    (tmp_path / "a.mp3").write_bytes(data)
    found = decode(str(tmp_path / "a.mp3"), sample_rate=RATE)
    assert len(found) / RATE == pytest.approx(secs, abs=0.2)
    assert seconds(str(tmp_path / "a.mp3")) == pytest.approx(secs, abs=0.2)


def test_what_libsndfile_reads_short_ffmpeg_may_read_to_its_end(tmp_path, encode, monkeypatch):
    path = write(tmp_path / "a.wav", tone(5.0), subtype="FLOAT")
    short = Sound(tone(4.8)[:, 0], RATE, 5 * RATE)
    monkeypatch.setattr("tfmir.data.libsndfile.read", lambda *_: short)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(decode(path, sample_rate=RATE), tone(5.0)[:, 0], atol=1e-6)


@pytest.mark.parametrize(("secs", "used"), [(39.7, True), (39.5, False), (39.95, True)])
def test_a_file_that_lacks_less_than_a_hundredth_is_used_and_named(tmp_path, monkeypatch, secs, used):
    """40 s are promised; two MPEG frames are no word worth."""
    path = write(tmp_path / "a.wav", tone(0.1))
    short = Sound(tone(secs)[:, 0], RATE, 40 * RATE)
    monkeypatch.setattr("tfmir.data.libsndfile.read", lambda *_: short)
    monkeypatch.setattr("tfmir.data.ffmpeg.is_installed", lambda: False)
    if not used:
        with pytest.raises(AudioError, match=r"truncated: the header promises 40.0 s, found 39.5 s"):
            decode(path, sample_rate=RATE)
        return
    with remarks() as said:
        assert len(decode(path, sample_rate=RATE)) == len(tone(secs))
    assert said == (["used as far as it goes: the header promises 40.0 s, found 39.7 s"] if secs == 39.7 else [])


def test_a_stream_that_does_not_say_how_long_it_is_is_read_to_its_end(tmp_path, encode, monkeypatch):
    """A FLAC of an encoder that writes to a pipe: 36 bits of its header, the number of samples, are 0."""
    path = write(tmp_path / "a.flac", tone(3.0))
    data = bytearray((tmp_path / "a.flac").read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(data)
    np.testing.assert_allclose(decode(path, sample_rate=RATE), tone(3.0)[:, 0], atol=1e-4)
    assert seconds(path) == pytest.approx(3.0, abs=0.1)
    monkeypatch.setattr("tfmir.data.ffmpeg.is_installed", lambda: False)
    with pytest.raises(AudioError, match=r"does not say how long it is.*needs FFmpeg: pip install 'tfmir\[formats\]'"):
        decode(path, sample_rate=RATE)


@pytest.mark.parametrize(("codec", "container"), [("aac", "ipod"), ("alac", "ipod"), ("wmav2", "asf")])
def test_the_log_mel_of_other_formats_is_that_of_ffmpegs_samples(tmp_path, encode, ffmpegs_samples, codec, container):
    """Decoded by FFmpeg, mixed and resampled by librosa: 2e-3 in the log-mel."""
    path = encode(tmp_path / "a.bin", tone(4.0, 44100)[:, 0], codec, container=container, rate=44100, bit_rate=128_000)
    samples, rate = ffmpegs_samples(path)
    expected = librosa.resample(samples.mean(axis=1), orig_sr=rate, target_sr=RATE)
    ours = decode(path, sample_rate=RATE)
    frames = [log_mel(wave[np.newaxis, : len(ours)], FeatureParams()).numpy()[0, :160] for wave in (ours, expected)]
    np.testing.assert_allclose(*frames, atol=2e-3)


OPENED = {"nan.wav", "half.flac"}  # of these the header is good


@pytest.mark.parametrize("name", sorted({*BAD} - OPENED))
def test_what_cannot_be_decoded_has_no_length_either(tmp_path, name):
    BAD[name][0](tmp_path / name)
    with pytest.raises(AudioError, match=BAD[name][1]):
        seconds(str(tmp_path / name))


@pytest.mark.parametrize("claims", [{"claimed_rate": 1}, {"claimed_rate": 2_000_000_000}, {"claimed_channels": 1000}])
def test_what_a_header_claims_is_not_made_room_for(tmp_path, claims):
    """A minute of it. At 1 Hz it would be resampled to 110 GB; 1000 channels of 30 s are 2.6 GB."""
    (tmp_path / "a.wav").write_bytes(wav(60.0, **claims))
    tracemalloc.start()
    try:
        with contextlib.suppress(AudioError):
            decode(str(tmp_path / "a.wav"), sample_rate=RATE)
        assert tracemalloc.get_traced_memory()[1] < 200e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("rate", [1000, 768_000])
def test_the_slowest_and_the_fastest_sample_rates_are_resampled(tmp_path, rate):
    path = write(tmp_path / "a.wav", tone(1.0, rate), rate)
    assert len(decode(path, sample_rate=RATE)) == RATE


@pytest.mark.parametrize("read", [lambda path: decode(path, sample_rate=RATE), seconds])
def test_a_file_that_is_being_written_is_not_used(tmp_path, monkeypatch, read):
    """One block more arrives while it is read; whatever the decoder makes of it."""
    path = write(tmp_path / "a.wav", tone(1.0))

    def grows(*_):
        with open(path, "ab") as file:
            file.write(bytes(100))
        raise AudioError("truncated")

    monkeypatch.setattr("tfmir.data.libsndfile.read", grows)
    monkeypatch.setattr("tfmir.data.libsndfile.seconds", grows)
    with pytest.raises(AudioError, match=r"^changes while it is read: wait until it is written$"):
        read(path)
    monkeypatch.undo()
    read(path)


@pytest.mark.parametrize(
    "name", ["new\nline.wav", "tab\t.flac", "[a]*?.ogg", "100%s.mp3", "#1?x=2.wav", "\N{GUITAR}.flac"]
)
def test_odd_names_are_decoded_as_any(tmp_path, name):
    path = write(tmp_path / name, tone(1.0))
    assert len(decode(path, sample_rate=RATE)) == pytest.approx(RATE, abs=2 * 1152)
    assert seconds(path) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyError, MemoryError, EOFError, AttributeError])
def test_whatever_a_decoder_raises_is_a_reason(tmp_path, monkeypatch, error):
    path = write(tmp_path / "a.wav", tone(1.0))

    def fail(*_):
        raise error("odd")

    monkeypatch.setattr("tfmir.data.libsndfile.read", fail)
    monkeypatch.setattr("tfmir.data.libsndfile.seconds", fail)
    for read in (lambda path: decode(path, sample_rate=RATE), seconds):
        with pytest.raises(AudioError, match=rf"^cannot be (decoded|opened) \({error.__name__}: "):
            read(path)


def test_a_folder_whose_name_is_no_text_may_hold_audio(tmp_path):
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/d\xe9j\xe0")
    os.mkdir(folder)
    os.rename(write(tmp_path / "a.wav", tone(1.0)), f"{folder}/a.wav")
    assert len(decode(f"{folder}/a.wav", sample_rate=RATE)) == RATE
    assert seconds(f"{folder}/a.wav") == 1.0


QUIET_THEN_LOUD = [
    (level * np.random.default_rng(seed).uniform(-0.5, 0.5, RATE * 5)).astype(np.float32)
    for seed, level in enumerate((0.01, 1.0))
]


def same_log_mel(ours, theirs):
    count = min(len(ours), len(theirs))
    assert count > 9.9 * RATE
    frames = [log_mel(wave[np.newaxis, :count], FeatureParams()).numpy() for wave in (ours, theirs)]
    np.testing.assert_allclose(*frames, atol=2e-3)


def test_the_log_mel_of_a_variable_bitrate_without_a_header_is_that_of_ffmpegs_samples(tmp_path, mp3, ffmpegs_samples):
    (tmp_path / "a.mp3").write_bytes(mp3(np.concatenate(QUIET_THEN_LOUD), header=False))
    samples, rate = ffmpegs_samples(tmp_path / "a.mp3")
    assert rate == RATE
    same_log_mel(decode(str(tmp_path / "a.mp3"), sample_rate=RATE), samples.mean(axis=1))


def test_the_log_mel_of_ogg_streams_one_behind_the_other_is_that_of_each_by_librosa(tmp_path, chained_ogg):
    """FFmpeg itself reads 256 samples more, of the padding at the end of the first."""
    path = chained_ogg(tmp_path / "a.ogg", QUIET_THEN_LOUD)
    alone = [librosa.load(chained_ogg(tmp_path / "one.ogg", [wave]), sr=RATE)[0] for wave in QUIET_THEN_LOUD]
    same_log_mel(decode(path, sample_rate=RATE), np.concatenate(alone))
