"""Decodes what FFmpeg opens, through PyAV (the extra `formats`): m4a, AAC, ALAC, WMA, opus in any container."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
from collections.abc import Iterator
from typing import Any

import numpy as np

from tfmir.data.sound import AudioError, Sound, UnopenedError, check_header, joined

EXTRA = "pip install 'tfmir[formats]'"
_MP4 = "mp4"  # part of the name of FFmpeg's reader of that family, m4a included


@functools.cache
def is_installed() -> bool:
    """Whether PyAV is there."""
    return importlib.util.find_spec("av") is not None


def read(path: str, max_secs: float | None) -> Sound:
    """Mono samples of a file's first audio stream, to its end.

    An mp4 is cut to its stream's duration: its last frame holds more than the music. Frames that cannot be decoded
    are left out where files of mp3 were put one behind the other, else the file is damaged.

    Raises:
      UnopenedError: PyAV is missing, or FFmpeg does not know the file.
      AudioError: damaged: decoding fails on the way, or its header cannot be true.
    """
    with _opened(path) as (container, stream):
        rate = stream.rate
        promised = _promised(container, stream)
        wanted = None if max_secs is None else int(max_secs * rate)
        if promised is not None and (wanted is None or promised < wanted):
            wanted = promised
        blocks: list[np.ndarray] = []
        samples = 0
        for frame in _frames(container, stream):
            if frame.sample_rate != rate:
                raise AudioError(f"damaged: its sample rate changes from {rate} to {frame.sample_rate} Hz")
            blocks.append(_mono(frame))
            samples += frame.samples
            if wanted is not None and samples >= wanted:
                break
        return Sound(joined(blocks)[:wanted], rate, wanted if promised is not None else None)


def seconds(path: str) -> float:
    """Length of a file's first audio stream, by its packets.

    Raises:
      UnopenedError: PyAV is missing, or FFmpeg does not know the file.
      AudioError: its header cannot be true.
    """
    with _opened(path) as (container, stream):
        promised = _promised(container, stream)
        if promised is not None:
            return float(promised / stream.rate)
        ticks = sum(packet.duration or 0 for packet in container.demux(stream))
        return float(ticks * stream.time_base)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[tuple[Any, Any]]:
    """The container and its first audio stream; what the file names, as playlists do, is not opened."""
    if not is_installed():
        raise UnopenedError(f"what libsndfile does not decode needs FFmpeg: {EXTRA}")
    import av

    with open(path, "rb") as file:
        try:
            container = av.open(file, options={"protocol_whitelist": ""}, **_metadata(av.__version__))
        except (OSError, av.FFmpegError) as error:
            raise UnopenedError(_reason(error)) from error
        with container:
            if not container.streams.audio:
                raise UnopenedError("no sound in it")
            stream = container.streams.audio[0]
            if not getattr(stream, "rate", 0):  # a stream of no known codec has no such attribute
                raise UnopenedError("no sound in it that FFmpeg knows")
            check_header(stream.rate, stream.channels)
            yield container, stream


def _metadata(version: str) -> dict[str, Any]:
    """Before version 19, PyAV refuses metadata that is not UTF-8 unless it is told otherwise."""
    return {"metadata_errors": "replace"} if int(version.split(".")[0]) < 19 else {}


def _promised(container: Any, stream: Any) -> int | None:
    """Samples, where the container knows: others only estimate them."""
    if _MP4 not in container.format.name or not stream.duration:
        return None
    return round(stream.duration * stream.time_base * stream.rate)


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    import av

    done = 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            if "mp3" in stream.codec_context.name:
                continue
            raise AudioError(f"damaged: decoding failed after {done / stream.rate:.1f} s ({_reason(error)})") from error
        for frame in frames:
            done += frame.samples
            yield frame


def _mono(frame: Any) -> np.ndarray:
    """float32 [samples]: the mean of the channels."""
    values = frame.to_ndarray()
    if not frame.format.is_planar:
        values = values.reshape(frame.samples, -1).T
    if values.dtype == np.uint8:
        return (values.mean(axis=0, dtype=np.float32) - 128.0) / 128.0
    scale = np.iinfo(values.dtype).max + 1.0 if np.issubdtype(values.dtype, np.integer) else 1.0
    return (values.mean(axis=0, dtype=np.float64) / scale).astype(np.float32)


def _reason(error: Exception) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error).split()).rstrip(".")
