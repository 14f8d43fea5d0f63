"""The catalogue as it is on the disk now: an index that is made anew under the open page is opened anew.

An answer's rows are of one index, whose token it bears: rows of another index are other songs.
"""

from __future__ import annotations

import dataclasses
import secrets
import threading
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from tfmir.corpora.spelling import one_line
from tfmir.errors import UserError
from tfmir.serving.page.catalogue import Catalogue

TOKEN_HEADER = "X-Tfmir-Index"
_TRIES = 3
_RETRY = {"Retry-After": "5"}


@dataclasses.dataclass(frozen=True)
class Shown:
    """A catalogue as it was opened once.

    Attributes:
      catalogue: what is searched.
      audio_dir: where its audio is; empty: it is not played.
      token: tells it from what is opened before and after it, by this server and by others.
    """

    catalogue: Catalogue
    audio_dir: str = ""
    token: str = dataclasses.field(default_factory=lambda: secrets.token_hex(6))


class Current:
    """What is shown now. Threads share one.

    Args:
      shown: what was opened at the start.
      reopen: opens what is there now; raises UserError. None: an index that was made anew is not answered from.
    """

    def __init__(self, shown: Shown, reopen: Callable[[], Shown] | None = None):
        self._shown, self._reopen = shown, reopen
        self._lock = threading.Lock()

    def shown(self) -> Shown:
        """What is on the disk now.

        Raises:
          HTTPException: 503, it cannot be opened, with the reason.
        """
        with self._lock:
            if not self._shown.catalogue.is_current():
                self._shown = self._opened()
            return self._shown

    def answered(self, work: Callable[[Shown], Response]) -> Response:
        """An answer, or a refusal, that is of one index from its beginning to its end, with its token.

        Raises:
          HTTPException: 503, see `shown`.
        """
        for _ in range(_TRIES):
            shown = self.shown()
            try:
                answer = work(shown)
            except (HTTPException, UserError) as error:
                answer = refusal(error)
            except Exception:
                if shown.catalogue.is_current():
                    raise
                continue  # a file of the index was another one, or gone
            if shown.catalogue.is_current():
                answer.headers[TOKEN_HEADER] = shown.token
                return answer
        raise HTTPException(503, "the index is being made anew: try again in a moment", headers=_RETRY)

    def _opened(self) -> Shown:
        if self._reopen is None:
            raise HTTPException(503, "the index was made anew: start the page again")
        try:
            return self._reopen()
        except (UserError, OSError) as error:
            raise HTTPException(503, one_line(str(error)), headers=_RETRY) from error


def refusal(error: Exception) -> Response:
    """A refusal is JSON with one line that says why."""
    if isinstance(error, HTTPException):
        return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)
    status = 400 if isinstance(error, UserError) else 500
    return JSONResponse({"error": one_line(str(error)) if status == 400 else "a bug: see the server's output"}, status)
