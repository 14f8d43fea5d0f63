"""What the page asks and what it is answered, as JSON; `docs/page.md` describes it for other programs."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tfmir.corpora.spelling import one_line
from tfmir.serving.page.audio import audio_response
from tfmir.serving.page.current import Current, Shown, refusal
from tfmir.serving.page.questions import known_row, number, question, space_name, vector_text
from tfmir.serving.page.table import hits_csv
from tfmir.serving.page.uploads import Uploads

_MOST_FOUND = 100
WHOLE = "whole"


Work = Callable[["Api", Request, Shown], Response]


def _of_shown(work: Work) -> Callable[[Api, Request], Response]:
    """Answers from the catalogue as it is now, see `Current.answered`."""

    def answer(api: Api, request: Request) -> Response:
        return api.current.answered(lambda shown: work(api, request, shown))

    return functools.update_wrapper(answer, work)


class Api:
    """The answers. Those that take a while are plain functions, which Starlette runs in threads.

    Args:
      current: what is searched.
      uploads: what hears songs.
    """

    def __init__(self, current: Current, uploads: Uploads):
        self.current, self.uploads = current, uploads

    @_of_shown
    def about(self, request: Request, shown: Shown) -> Response:
        """What the catalogue has and what the page can do."""
        index, labels = shown.catalogue.index, shown.catalogue.labels
        spaces = [space for space in (WHOLE, *index.notions) if index.map(space) is not None]
        return JSONResponse(
            {
                "index": shown.token,
                "tracks": len(index),
                "notions": list(index.notions),
                "tags": labels.counts,
                "artists": shown.catalogue.has_artists,
                "maps": spaces,
                "audio": bool(shown.audio_dir),
                "uploads": self.uploads.embedder is not None,
                "max_bytes": self.uploads.max_bytes,
                "corpus": index.card.get("corpus", ""),
                "licence": index.card.get("licence", ""),
                "space": space_name(shown.catalogue),
            }
        )

    @_of_shown
    def tracks(self, request: Request, shown: Shown) -> Response:
        """`q`, `limit`: the tracks that a text finds, and how many there are in all."""
        limit = number(request.query_params, "limit", 12, _MOST_FOUND)
        rows, total = shown.catalogue.find(request.query_params.get("q", ""), limit=limit)
        return JSONResponse({"total": total, "tracks": [shown.catalogue.track(row) for row in rows]})

    @_of_shown
    def track(self, request: Request, shown: Shown) -> Response:
        """`id` or `row`: one track."""
        return JSONResponse(shown.catalogue.track(_row(request, shown)))

    @_of_shown
    def search(self, request: Request, shown: Shown) -> Response:
        """The song that is asked about, the weights as they were understood, and the hits."""
        asked = question(request.query_params, shown.catalogue)
        hits = [
            shown.catalogue.track(hit.row)
            | {"rank": hit.rank, "score": _rounded(hit.score)}
            | {"similarities": {notion: _rounded(cosine) for notion, cosine in hit.similarities.items()}}
            for hit in asked.ask(shown.catalogue)
        ]
        query = None if asked.row is None else shown.catalogue.track(asked.row)
        typical = {notion: _rounded(cosine) for notion, cosine in shown.catalogue.typical(asked.embedding).items()}
        return JSONResponse({"query": query, "weights": asked.weights, "typical": typical, "hits": hits})

    @_of_shown
    def search_csv(self, request: Request, shown: Shown) -> Response:
        """The same hits as a table."""
        hits = question(request.query_params, shown.catalogue).ask(shown.catalogue)
        table = hits_csv(hits, [shown.catalogue.track(hit.row) for hit in hits], shown.catalogue.index.notions)
        headers = {"Content-Disposition": 'attachment; filename="similar.csv"'}
        return Response(table, media_type="text/csv; charset=utf-8", headers=headers)

    @_of_shown
    def map(self, request: Request, shown: Shown) -> Response:
        """`space`: rows and coordinates of its map, and a tag of each notion for each point."""
        space = request.query_params.get("space", WHOLE)
        points = shown.catalogue.index.map(space) if space in (WHOLE, *shown.catalogue.index.notions) else None
        if points is None:
            raise HTTPException(
                404, f"there is no map of this space ({one_line(space[:50])}): see --help of tfmir.index"
            )
        rows = np.flatnonzero(np.isfinite(points).all(axis=1))
        x, y = np.round(points[rows].astype(np.float64), 3).T
        return JSONResponse(
            {"rows": rows.tolist(), "x": x.tolist(), "y": y.tolist(), "labels": shown.catalogue.map_labels(rows)}
        )

    @_of_shown
    def audio(self, request: Request, shown: Shown) -> Response:
        """A track's audio; the address holds its row or its id and never a path."""
        return audio_response(shown.audio_dir, shown.catalogue.path(_row(request, shown)))

    async def upload(self, request: Request) -> Response:
        """`name`, and a file as the body: its embedding as it stands in an address, and its predicted tags."""
        name = request.query_params.get("name", "")[:200]
        self._refuse_other_space(await run_in_threadpool(self.current.shown))
        heard = await self.uploads.hear(request.headers, request.stream(), name=name)
        shown = await run_in_threadpool(self.current.shown)
        self._refuse_other_space(shown)
        predicted = shown.catalogue.labels.best(heard.scores)
        return JSONResponse(
            {
                "vector": vector_text(heard.embedding),
                "space": space_name(shown.catalogue),
                "name": one_line(name),
                "predicted": [{"tag": tag, "score": round(score, 3)} for tag, score in predicted],
            }
        )

    def _refuse_other_space(self, shown: Shown) -> None:
        embedder = self.uploads.embedder
        if embedder is not None and embedder.weights_sha256 != shown.catalogue.index.weights_sha256:
            raise HTTPException(
                409,
                "the index was made anew with other weights than what hears songs here: start the page again, with "
                "the run of the index",
            )


def _row(request: Request, shown: Shown) -> int:
    words = request.query_params
    if words.get("index", shown.token) != shown.token:
        raise HTTPException(409, "the index was made anew, and rows are other songs now: load the page again")
    text = request.path_params.get("row", words.get("row", ""))
    if not text:
        return known_row(words.get("id", ""), shown.catalogue)
    row = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else len(shown.catalogue)
    if row >= len(shown.catalogue):
        raise HTTPException(404, "this catalogue has no such track")
    return row


def _rounded(number_: float) -> float:
    return round(float(number_), 4)


async def explain(request: Request, error: Exception) -> Response:
    """What is not answered is refused with one line."""
    return refusal(error)
