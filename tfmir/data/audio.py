"""Audio files to mono float32 waveforms; whatever is wrong with a file becomes one `AudioError`."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import warnings
from collections.abc import Iterator

import numpy as np
import soundfile
import soxr

from tfmir import files
from tfmir.errors import UserError

_BLOCK_SECS = 30
UNKNOWN_LENGTH = (1 << 63) - 1  # libsndfile's, in samples; it cannot read such a file to its end
# MPEG decoders may drop the encoder's padding at the end: two frames of 1152 samples.
_PROMISE_TOLERANCE = 2 * 1152


class AudioError(Exception):
    """A file that cannot be used; the text is the reason, as written to `rejected.tsv`."""


def decode(path: str, *, sample_rate: int, max_secs: float | None = None) -> np.ndarray:
    """Decodes, mixes down and resamples one file: equal to `librosa.load(path, sr=sample_rate, mono=True)`.

    libsndfile reads it (wav, flac, ogg, mp3, aiff, …) with soxr as resampler; tensorflow-io is the fallback for
    what libsndfile cannot open. Any number of channels is mixed down by the mean.

    Args:
      path: local, or of any scheme that TensorFlow's file systems know (`s3://`, `gs://`, …).
      sample_rate: Hz of the result.
      max_secs: decode no more than so many seconds, so that a long mix needs bounded memory.

    Returns:
      float32 [samples], finite.

    Raises:
      AudioError: missing, empty, no audio, truncated, or with NaN or infinite samples.
    """
    try:
        with local_copy(path) as name:
            mono, rate = _read(name, max_secs)
    except (OSError, RuntimeError, TypeError, ValueError, MemoryError) as error:
        raise AudioError(f"cannot be decoded ({type(error).__name__}: {error})") from error
    if not mono.size:
        raise AudioError("no samples: the file has a header but holds no audio")
    if not np.isfinite(mono).all():
        raise AudioError(f"{np.count_nonzero(~np.isfinite(mono))} samples are NaN or infinite")
    return _resample(mono, rate, sample_rate)


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


def _read(path: str, max_secs: float | None) -> tuple[np.ndarray, int]:
    if not os.path.exists(path):
        raise AudioError("missing: no such file")
    if not os.path.isfile(path):
        raise AudioError("not a file")
    if not os.path.getsize(path):
        raise AudioError("empty: 0 bytes")
    try:
        return _read_soundfile(path, max_secs)
    except soundfile.LibsndfileError as error:
        return _read_tensorflow_io(path, max_secs, reason=str(error.error_string).strip().rstrip("."))


def _read_soundfile(path: str, max_secs: float | None) -> tuple[np.ndarray, int]:
    """Mono float32 samples and their rate; read in blocks, so that channels never pile up in memory."""
    with soundfile.SoundFile(path) as file:
        promised = file.frames
        if promised >= UNKNOWN_LENGTH:
            raise AudioError("its header does not say how long it is, as in a stream: encode it again")
        wanted = promised if max_secs is None else min(promised, int(max_secs * file.samplerate))
        blocks = []
        remaining = wanted
        while remaining > 0:
            try:
                block = file.read(min(remaining, _BLOCK_SECS * file.samplerate), dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                done = (wanted - remaining) / file.samplerate
                raise AudioError(f"damaged: decoding failed after {done:.1f} s ({error.error_string})") from error
            if not len(block):
                break
            blocks.append(block.mean(axis=1))
            remaining -= len(block)
        if remaining > _PROMISE_TOLERANCE and not (file.format == "MP3" and _is_estimated(path)):
            found = (wanted - remaining) / file.samplerate
            raise AudioError(f"truncated: the header promises {promised / file.samplerate:.1f} s, found {found:.1f} s")
        return np.concatenate(blocks) if blocks else np.zeros(0, np.float32), file.samplerate


def _is_estimated(path: str) -> bool:
    """Whether an mp3 lacks the header that tells its length, so that libsndfile judges by the first frames' bitrate."""
    with open(path, "rb") as file:
        while (head := file.read(10)).startswith(b"ID3"):  # its size is four bytes of seven bits
            file.seek(functools.reduce(lambda size, byte: size << 7 | byte, head[6:], 0), os.SEEK_CUR)
        start = file.read(4096)
    return not any(name in start for name in (b"Xing", b"Info", b"VBRI"))


def _read_tensorflow_io(path: str, max_secs: float | None, *, reason: str) -> tuple[np.ndarray, int]:
    """What libsndfile could not open, through tensorflow-io where its operations load."""
    if not _tensorflow_io_works():
        raise AudioError(f"not audio that can be decoded: {reason}")
    import tensorflow_io as tfio

    try:
        audio = tfio.audio.AudioIOTensor(path)
        rate = int(audio.rate)
        samples = audio[: None if max_secs is None else int(max_secs * rate)]
        values = samples.numpy()
    except Exception as error:
        # Its decoders raise many types, OutOfRangeError among them, which tf.data would take for the end of the data.
        raise AudioError(f"not audio that can be decoded: {reason}") from error
    if np.issubdtype(values.dtype, np.integer):
        values = values.astype(np.float32) / (np.iinfo(values.dtype).max + 1.0)
    return np.asarray(values, np.float32).mean(axis=1), rate


@functools.cache
def _tensorflow_io_works() -> bool:
    """tensorflow-io imports under any TensorFlow, but its operations load under few: try one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import tensorflow_io as tfio

            tfio.audio.decode_wav(_one_sample_wav(), dtype=np.int16)
    except Exception as error:
        print(f"tensorflow-io cannot be used here ({type(error).__name__}): only what libsndfile opens is decoded")
        return False
    return True


def _one_sample_wav() -> bytes:
    out = io.BytesIO()
    soundfile.write(out, np.zeros(1, np.float32), 8000, format="WAV", subtype="PCM_16")
    return out.getvalue()


def _resample(mono: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    """soxr at librosa's default quality, cut or padded to librosa's length."""
    if rate == sample_rate:
        return mono
    length = -(-len(mono) * sample_rate // rate)
    resampled = soxr.resample(mono, rate, sample_rate, quality="HQ")[:length]
    return np.pad(resampled, (0, length - len(resampled))).astype(np.float32, copy=False)
