"""The audio of a track, in whole or in ranges of bytes, and of nothing else on the disk."""

from __future__ import annotations

import os
import pathlib
import stat

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse

from tfmir.corpora.audio_files import AUDIO_SUFFIXES

_MP4, _MPEG, _OGG = "audio/mp4", "audio/mpeg", "audio/ogg"
MEDIA_TYPES = {
    ".aac": "audio/aac",
    ".aif": "audio/aiff",
    ".aiff": "audio/aiff",
    ".ape": "audio/x-ape",
    ".caf": "audio/x-caf",
    ".flac": "audio/flac",
    ".m4a": _MP4,
    ".m4b": _MP4,
    ".mka": "audio/x-matroska",
    ".mp2": _MPEG,
    ".mp3": _MPEG,
    ".oga": _OGG,
    ".ogg": _OGG,
    ".opus": _OGG,
    ".wav": "audio/wav",
    ".weba": "audio/webm",
    ".wma": "audio/x-ms-wma",
    ".wv": "audio/x-wavpack",
}


def audio_path(folder: str, path: str) -> pathlib.Path | None:
    """The file of a track, if it is audio and lies below the folder after every link in both was followed.

    Args:
      folder: `--audio_dir`; empty: there is no audio.
      path: of the track below it, as the index has it. It is not trusted: an index may come from elsewhere.

    Returns:
      None for everything else, so that a visitor cannot tell what is there from what is not.
    """
    if not folder or not path or os.path.splitext(path)[1].lower() not in AUDIO_SUFFIXES:
        return None
    try:
        top = pathlib.Path(folder).resolve(strict=True)
        file = (top / path).resolve(strict=True)
        is_file = stat.S_ISREG(file.stat().st_mode)
    except (OSError, ValueError, RuntimeError):  # not there, a byte 0 in the name, a loop of links
        return None
    is_audio = file.suffix.lower() in AUDIO_SUFFIXES and os.access(file, os.R_OK)
    return file if is_file and is_audio and file.is_relative_to(top) else None


def audio_response(folder: str, path: str) -> FileResponse:
    """The file of a track; Starlette answers HEAD, Range (206, 416) and If-Range.

    Raises:
      HTTPException: 404.
    """
    file = audio_path(folder, path)
    if file is None:
        raise HTTPException(404, "there is no audio of this track below --audio_dir")
    # The status is taken here: a file that is removed a moment later is an error of the connection and not of ours.
    return FileResponse(
        file,
        media_type=MEDIA_TYPES[file.suffix.lower()],
        stat_result=file.stat(),
        headers={"Cache-Control": "private, max-age=3600"},
    )
