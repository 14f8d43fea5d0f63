"""Audio files to mono float32 waveforms; whatever is wrong with a file becomes one `AudioError`."""

from __future__ import annotations

import contextlib
import os
import types
import warnings
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import soxr

from tfmir import files
from tfmir.corpora.audio_files import no_file
from tfmir.data import ffmpeg, libsndfile
from tfmir.data.sound import MISSING_SHARE, AudioError, AudioWarning, Sound, UnopenedError, remarks
from tfmir.errors import UserError

T = TypeVar("T")
__all__ = ["AudioError", "AudioWarning", "check_file", "decode", "local_copy", "remarks", "seconds"]

# MPEG decoders may drop the encoder's padding at the end: two frames of 1152 samples.
_PROMISE_TOLERANCE = 2 * 1152
_NO_SAMPLES = "no samples: the file has a header but holds no audio"


def decode(path: str, *, sample_rate: int, max_secs: float | None = None) -> np.ndarray:
    """Decodes, mixes down and resamples one file: equal to `librosa.load(path, sr=sample_rate, mono=True)`.

    libsndfile reads it (wav, flac, ogg, mp3, aiff, …) with soxr as resampler. What it cannot open, or would not read to
    its end, FFmpeg reads, if the extra `formats` is installed. Any number of channels is mixed down by the mean. A file
    that lacks less than a hundredth of what its header promises is used, with an `AudioWarning`.

    Args:
      path: local, or of any scheme that `files.py` knows (`s3://`, `gs://`, …).
      sample_rate: Hz of the result.
      max_secs: decode no more than so many seconds, so that a long mix needs bounded memory.

    Returns:
      float32 [samples], finite.

    Raises:
      AudioError: missing, no file, empty, no audio, a header that cannot be true, truncated, with NaN or infinite
        samples, or changing while it is read.
    """
    try:
        with local_copy(path) as name, _steady(name):
            sound = _read(name, max_secs)
    except AudioError:
        raise
    except Exception as error:  # of a decoder, which may raise anything
        raise AudioError(f"cannot be decoded ({type(error).__name__}: {error})") from error
    if not sound.mono.size:
        raise AudioError(_NO_SAMPLES)
    if not np.isfinite([sound.mono.min(), sound.mono.max()]).all():  # NaN is both; half the time of asking every one
        raise AudioError(f"{np.count_nonzero(~np.isfinite(sound.mono))} samples are NaN or infinite")
    return _resample(sound.mono, sound.rate, sample_rate)


def seconds(path: str) -> float:
    """Length of a local file by its header or its packets, without decoding it.

    Raises:
      AudioError: missing, empty, without samples, or none that `decode` can open.
    """
    try:
        with _steady(path):
            found: float = _by_either(lambda decoder: decoder.seconds(path))
    except AudioError:
        raise
    except Exception as error:  # of a decoder, which may raise anything
        raise AudioError(f"cannot be opened ({type(error).__name__}: {error})") from error
    if not found:
        raise AudioError(_NO_SAMPLES)
    return found


def check_file(path: str) -> None:
    """Refuses what is no file, or empty, without opening it.

    Raises:
      AudioError: with the reason.
    """
    if reason := no_file(path):
        raise AudioError(reason)
    if not os.path.getsize(path):
        raise AudioError("empty: 0 bytes")


@contextlib.contextmanager
def local_copy(path: str) -> Iterator[str]:
    """A local name of an audio file: its own, or that of a copy of a remote one.

    Raises:
      AudioError: a remote file is not there, or its store refuses.
    """
    try:
        with files.reading(path) as name:
            yield name
    except FileNotFoundError as error:
        raise AudioError("missing: no such file") from error
    except UserError as error:
        raise AudioError(f"cannot be decoded ({type(error).__name__}: {error})") from error


@contextlib.contextmanager
def _steady(path: str) -> Iterator[None]:
    """A local file that is there, has something in it, and is the same after the block.

    Raises:
      AudioError: it is not; or whatever the block raises, if it is.
    """
    check_file(path)
    before, problem = _stamp(path), None
    try:
        yield
    except AudioError as error:
        problem = error
    if _stamp(path) != before:
        raise AudioError("changes while it is read: wait until it is written") from problem
    if problem:
        raise problem


def _stamp(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def _read(path: str, max_secs: float | None) -> Sound:
    sound = _by_either(lambda decoder: decoder.read(path, max_secs))
    if sound.missing > _PROMISE_TOLERANCE:
        sound = _longer(sound, path, max_secs)
    if sound.missing > _PROMISE_TOLERANCE:
        promised = len(sound.mono) + sound.missing
        told = f"the header promises {promised / sound.rate:.1f} s, found {sound.secs:.1f} s"
        if sound.missing >= MISSING_SHARE * promised:
            raise AudioError(f"truncated: {told}")
        warnings.warn(f"used as far as it goes: {told}", AudioWarning, stacklevel=3)
    return sound


def _by_either(ask: Callable[[types.ModuleType], T]) -> T:
    """What libsndfile says, or else FFmpeg.

    Raises:
      AudioError: neither opens the file.
    """
    try:
        return ask(libsndfile)
    except UnopenedError as first:
        try:
            return ask(ffmpeg)
        except UnopenedError as second:
            raise AudioError(f"cannot be decoded: {first}; {second}") from second


def _longer(sound: Sound, path: str, max_secs: float | None) -> Sound:
    """What FFmpeg reads of a file that libsndfile has read short, if that is more."""
    with contextlib.suppress(UnopenedError, AudioError):
        other = ffmpeg.read(path, max_secs)
        if other.secs > sound.secs:
            promised = round((len(sound.mono) + sound.missing) / sound.rate * other.rate)
            return Sound(other.mono, other.rate, promised)
    return sound


def _resample(mono: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    """soxr at librosa's default quality, cut or padded to librosa's length."""
    if rate == sample_rate:
        return mono
    length = -(-len(mono) * sample_rate // rate)
    resampled = soxr.resample(mono, rate, sample_rate, quality="HQ")[:length]
    missing = length - len(resampled)
    return np.pad(resampled, (0, missing)) if missing else resampled
