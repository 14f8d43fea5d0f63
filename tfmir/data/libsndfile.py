"""Decodes what libsndfile opens: wav, flac, ogg, mp3, aiff and more."""

from __future__ import annotations

import io
import os

import mutagen.ogg
import numpy as np
import soundfile
import soxr

from tfmir.data import mpeg
from tfmir.data.sound import MISSING_SHARE, MOST_CHANNELS, AudioError, Sound, UnopenedError, check_header, joined

_HALVES = np.full(2, 0.5, np.float32)
_BLOCK_SECS = 30
_SMALLEST_BLOCK = 256  # samples
_BLOCK_SAMPLES = 1 << 24  # of all channels together
# No format holds more in a byte: a frame of FLAC that is silent holds 65 535 samples in 11 bytes.
_SAMPLES_PER_BYTE = 8192
_UNKNOWN_LENGTH = (1 << 63) - 1  # libsndfile's, in samples; it cannot read such a file to its end
# What an mp3's frames may hold beside the music: the encoder's and the decoder's delay, and padding.
_MPEG_SPARE = 4 * 1152


class _Straight(soundfile.SoundFile):
    """A file that is read on from where a read has ended.

    soundfile seeks to that place after every read of a file that it takes for seekable. libsndfile begins an mp3 anew
    there, without what the frames before have left for it: up to some thousand wrong samples.
    """

    def seekable(self) -> bool:
        """What soundfile asks before it seeks by itself; `seek` does not ask."""
        return False


def read(path: str, max_secs: float | None) -> Sound:
    """Mono samples of a file, read in blocks, so that channels never pile up in memory.

    Ogg streams that were put one behind the other are read one by one: libsndfile itself stops after the first.

    Raises:
      UnopenedError: libsndfile does not open it, or would stop before its end.
      AudioError: damaged: decoding fails on the way, or its header cannot be true.
    """
    parts = _ogg_parts(path)
    if len(parts) > 1:
        return _read_parts(path, parts, max_secs)
    with _opened(path) as file:
        frames = _frames(file, path)
        return _read_open(file, frames if max_secs is None else min(frames, int(max_secs * file.samplerate)))


def seconds(path: str) -> float:
    """Length of a file by its header.

    Raises:
      UnopenedError: libsndfile does not open it, or would stop before its end.
      AudioError: its header cannot be true.
    """
    parts = _ogg_parts(path)
    if len(parts) > 1:
        return sum(_duration(data) for data in _cut(path, parts))
    with _opened(path) as file:
        return float(_frames(file, path) / file.samplerate)


def _duration(data: bytes) -> float:
    with _opened(io.BytesIO(data)) as file:
        return float(file.frames / file.samplerate)


def _frames(file: soundfile.SoundFile, path: str) -> int:
    """Samples of a file to its end.

    libsndfile believes an mp3's header, and where there is none it judges by the bitrate of the first frames.

    Raises:
      UnopenedError: libsndfile would stop before the end.
      AudioError: the header claims more than the file can hold.
    """
    if file.frames >= _UNKNOWN_LENGTH:
        raise UnopenedError("its header does not say how long it is, as in a stream")
    size = os.path.getsize(path)
    if file.frames > size * _SAMPLES_PER_BYTE:
        raise AudioError(f"truncated: the header promises {file.frames / file.samplerate:.1f} s in {size} bytes")
    if file.format != "MP3":
        return int(file.frames)
    with open(path, "rb") as data:
        counted = mpeg.count(data.read())
    if counted is None:
        return int(file.frames)
    if counted.samples > file.frames + _MPEG_SPARE:
        said, found = (samples / counted.rate for samples in (file.frames, counted.samples))
        raise UnopenedError(f"it lasts {found:.1f} s, but by its header or its first frames {said:.1f} s")
    return int(file.frames) if counted.has_header else min(file.frames, counted.samples)


def _opened(path: str | io.BytesIO) -> soundfile.SoundFile:
    """The file, whose header is one that can be true.

    Raises:
      UnopenedError: libsndfile does not open it.
      AudioError: see `check_header`.
    """
    try:
        # As bytes: a folder's name need not be text.
        file = _Straight(os.fsencode(path) if isinstance(path, str) else path)
    except soundfile.LibsndfileError as error:
        reason = str(error.error_string).strip().rstrip(".")
        if reason.startswith("Too many channels"):
            raise AudioError(f"its header claims more than {MOST_CHANNELS} channels") from error
        if "SF_INFO struct incomplete" in reason:
            reason = "its header claims an impossible sample rate, or no channels"
        # What it says of a text that is called .mp3, although the file is there.
        raise UnopenedError("unknown format" if reason.startswith("File does not exist") else reason) from error
    except TypeError as error:  # headerless data, such as .raw
        raise UnopenedError("no header of an audio file") from error
    try:
        check_header(file.samplerate, file.channels)
    except AudioError:
        file.close()
        raise
    return file


def _read_open(file: soundfile.SoundFile, wanted: int) -> Sound:
    """What can be decoded from the beginning, of a file that lacks a little at its end as well.

    A decoder that fails gives nothing of the block that it fails in, so that block is read in smaller ones.
    """
    rate, blocks, remaining = file.samplerate, [], wanted
    most, damage = max(1, min(_BLOCK_SECS * rate, _BLOCK_SAMPLES // file.channels)), ""
    while remaining > 0:
        try:
            block = file.read(min(remaining, most), dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            damage = str(error.error_string)
            if most <= _SMALLEST_BLOCK or not _is_back_at(file, wanted - remaining):
                break
            most = max(_SMALLEST_BLOCK, most // 10)
            continue
        if not len(block):
            break
        blocks.append(_mixed(block))
        remaining -= len(block)
    if damage and remaining >= MISSING_SHARE * wanted:
        done = (wanted - remaining) / rate
        raise AudioError(f"damaged: decoding failed after {done:.1f} s ({damage})")
    return Sound(joined(blocks), rate, wanted)


def _mixed(block: np.ndarray) -> np.ndarray:
    """float32 [samples]: the mean of the channels of [samples, channels].

    NumPy's `mean` over so short an axis takes as long as decoding an mp3; a product has the same bits for two channels,
    since halving is exact.
    """
    if block.shape[1] > 2:
        return block.mean(axis=1)
    return block[:, 0] if block.shape[1] == 1 else block @ _HALVES


def _is_back_at(file: soundfile.SoundFile, position: int) -> bool:
    try:
        return bool(file.seek(position) == position)
    except soundfile.LibsndfileError:
        return False


def _read_parts(path: str, parts: list[int], max_secs: float | None) -> Sound:
    """One stream after the other, at the sample rate of the first."""
    sounds: list[Sound] = []
    for data in _cut(path, parts):
        left = (max_secs or float("inf")) - sum(sound.secs for sound in sounds)
        if left <= 0:
            break
        with _opened(io.BytesIO(data)) as file:
            sounds.append(_read_open(file, int(min(file.frames, left * file.samplerate))))
    rate = sounds[0].rate
    mono = [s.mono if s.rate == rate else soxr.resample(s.mono, s.rate, rate, quality="HQ") for s in sounds]
    missing = sum(sound.missing for sound in sounds)
    whole = joined(mono)
    return Sound(whole, rate, len(whole) + missing)


def _cut(path: str, parts: list[int]) -> list[bytes]:
    with open(path, "rb") as file:
        data = file.read()
    return [data[start:end] for start, end in zip(parts, [*parts[1:], len(data)], strict=True)]


def _ogg_parts(path: str) -> list[int]:
    """Where streams begin that follow another's end; one offset, 0, for a file that is none or one ogg stream."""
    starts, ended = [0], False
    with open(path, "rb") as file:
        if file.read(4) != b"OggS":
            return starts
        file.seek(0, os.SEEK_SET)
        while True:
            offset = file.tell()
            try:
                page = mutagen.ogg.OggPage(file)
            except (EOFError, LookupError, ValueError, mutagen.ogg.error):
                return starts
            if page.first and ended:
                starts.append(offset)
            ended = not page.first
