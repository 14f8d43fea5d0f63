"""Songs that are uploaded: bounded in size, time and number, heard one at a time, and never kept."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import anyio
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from tfmir.corpora.audio_files import AUDIO_SUFFIXES
from tfmir.corpora.spelling import one_line
from tfmir.data.audio import AudioError
from tfmir.errors import UserError
from tfmir.serving.page.embedders import Embedder, Heard

T = TypeVar("T")
MAX_BYTES = 100 << 20
READ_SECS = 120  # for all of a file
_WAITING = 4  # uploads at a time, the one that is heard among them
_RETRY = {"Retry-After": "10"}


class Uploads:
    """Takes songs in.

    Args:
      embedder: what hears them; None: uploads are off.
      folder: for the files while they are heard; it is empty after each.
      max_bytes: of a file.
      read_secs: how long a file may take to arrive.
    """

    def __init__(
        self, embedder: Embedder | None, folder: str, *, max_bytes: int = MAX_BYTES, read_secs: float = READ_SECS
    ):
        self.embedder, self.folder = embedder, folder
        self.max_bytes, self.read_secs = max_bytes, read_secs
        self._places = _WAITING
        self._turn = threading.Lock()

    async def hear(self, headers: Headers, body: AsyncIterator[bytes], *, name: str) -> Heard:
        """The song in the body of a request.

        Args:
          headers: of the request.
          body: the file, part by part.
          name: that its owner gave the file: its suffix helps a decoder, and nothing else is made of it.

        Raises:
          HTTPException: 403 uploads are off, 408 too slow, 411 or 413 too large, 422 not audio, 503 too many.
        """
        if self.embedder is None:
            raise HTTPException(403, "uploads are off: start the page with --run or --endpoint")
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length[:15]) > self.max_bytes:
            raise self._too_large()
        if not self._places:
            raise HTTPException(503, "other songs are being heard: try again in a moment", headers=_RETRY)
        self._places -= 1
        try:
            return await self._heard(body, name, self.embedder)
        finally:
            self._places += 1

    async def _heard(self, body: AsyncIterator[bytes], name: str, embedder: Embedder) -> Heard:
        suffix = os.path.splitext(name)[1].lower()
        handle, path = tempfile.mkstemp(suffix if suffix in AUDIO_SUFFIXES else "", "upload-", self.folder)
        try:
            with os.fdopen(handle, "wb") as file:
                await self._write(body, file.write)
            return await in_daemon(lambda: self._in_turn(path, embedder))
        finally:
            with contextlib.suppress(FileNotFoundError):  # the server has ended, and its folder with it
                os.unlink(path)

    async def _write(self, body: AsyncIterator[bytes], write: Callable[[bytes], Any]) -> None:
        total = 0
        try:
            with anyio.fail_after(self.read_secs):
                async for part in body:
                    total += len(part)
                    if total > self.max_bytes:
                        raise self._too_large()
                    write(part)
        except TimeoutError as error:
            raise HTTPException(408, f"the file took more than {self.read_secs:g} s to arrive") from error
        except ClientDisconnect as error:  # nobody reads why
            raise HTTPException(400, "the browser has left") from error
        if not total:
            raise HTTPException(422, "the file is empty")

    def _in_turn(self, path: str, embedder: Embedder) -> Heard:
        with self._turn:
            try:
                return embedder.hear(path)
            except AudioError as error:
                raise HTTPException(422, f"this file cannot be heard: {_plain(error, path)}") from error
            except UserError as error:
                raise HTTPException(502, _plain(error, path)) from error

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"the file is larger than {self.max_bytes >> 20} MB")


async def in_daemon(work: Callable[[], T]) -> T:
    """As `asyncio.to_thread`, in a thread that the process does not wait for when it ends."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(how: Callable[[Any], None], what: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(lambda: None if done.done() else how(what))

    def run() -> None:
        try:
            tell(done.set_result, work())
        except Exception as error:
            tell(done.set_exception, error)

    threading.Thread(target=run, daemon=True).start()
    return await done


def _plain(error: Exception, path: str) -> str:
    """A message without the name of the temporary file."""
    return one_line(str(error).replace(path, "the file"))
