"""What the page asks and what it is answered, as JSON; `docs/page.md` describes it for other programs."""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tfmir.corpora.spelling import one_line
from tfmir.errors import UserError
from tfmir.serving.page.audio import audio_response
from tfmir.serving.page.catalogue import Catalogue
from tfmir.serving.page.questions import known_row, number, question, space_name, vector_text
from tfmir.serving.page.table import hits_csv
from tfmir.serving.page.uploads import Uploads

_MOST_FOUND = 100
WHOLE = "whole"


class Api:
    """The answers. Those that take a while are plain functions, which Starlette runs in threads.

    Args:
      catalogue: what is searched.
      uploads: what hears songs.
      audio_dir: where the catalogue's audio is; empty: it is not played.
    """

    def __init__(self, catalogue: Catalogue, uploads: Uploads, *, audio_dir: str):
        self.catalogue, self.uploads, self.audio_dir = catalogue, uploads, audio_dir
        self._lock = threading.Lock()

    def about(self, request: Request) -> Response:
        """What the catalogue has and what the page can do."""
        index, labels = self.catalogue.index, self.catalogue.labels
        spaces = [space for space in (WHOLE, *index.notions) if index.map(space) is not None]
        return JSONResponse(
            {
                "tracks": len(index),
                "notions": list(index.notions),
                "tags": labels.counts,
                "artists": self.catalogue.has_artists,
                "maps": spaces,
                "audio": bool(self.audio_dir),
                "uploads": self.uploads.embedder is not None,
                "max_bytes": self.uploads.max_bytes,
                "corpus": index.card.get("corpus", ""),
                "licence": index.card.get("licence", ""),
                "space": space_name(self.catalogue),
            }
        )

    def tracks(self, request: Request) -> Response:
        """`q`, `limit`: the tracks that a text finds, and how many there are in all."""
        limit = number(request.query_params, "limit", 12, _MOST_FOUND)
        rows, total = self.catalogue.find(request.query_params.get("q", ""), limit=limit)
        return JSONResponse({"total": total, "tracks": [self.catalogue.track(row) for row in rows]})

    def track(self, request: Request) -> Response:
        """`id` or `row`: one track."""
        return JSONResponse(self.catalogue.track(self._row(request)))

    def search(self, request: Request) -> Response:
        """The song that is asked about, the weights as they were understood, and the hits."""
        asked = question(request.query_params, self.catalogue)
        hits = [
            self.catalogue.track(hit.row)
            | {"rank": hit.rank, "score": _rounded(hit.score)}
            | {"similarities": {notion: _rounded(cosine) for notion, cosine in hit.similarities.items()}}
            for hit in asked.ask(self.catalogue)
        ]
        query = None if asked.row is None else self.catalogue.track(asked.row)
        typical = {notion: _rounded(cosine) for notion, cosine in self.catalogue.typical(asked.embedding).items()}
        return JSONResponse({"query": query, "weights": asked.weights, "typical": typical, "hits": hits})

    def search_csv(self, request: Request) -> Response:
        """The same hits as a table."""
        hits = question(request.query_params, self.catalogue).ask(self.catalogue)
        table = hits_csv(hits, [self.catalogue.track(hit.row) for hit in hits], self.catalogue.index.notions)
        headers = {"Content-Disposition": 'attachment; filename="similar.csv"'}
        return Response(table, media_type="text/csv; charset=utf-8", headers=headers)

    def map(self, request: Request) -> Response:
        """`space`: rows and coordinates of its map, and a tag of each notion for each point."""
        space = request.query_params.get("space", WHOLE)
        points = self.catalogue.index.map(space) if space in (WHOLE, *self.catalogue.index.notions) else None
        if points is None:
            raise HTTPException(
                404, f"there is no map of this space ({one_line(space[:50])}): see --help of tfmir.index"
            )
        rows = np.flatnonzero(np.isfinite(points).all(axis=1))
        x, y = np.round(points[rows].astype(np.float64), 3).T
        return JSONResponse({"rows": rows.tolist(), "x": x.tolist(), "y": y.tolist(), "labels": self._labels(rows)})

    def audio(self, request: Request) -> Response:
        """A track's audio; the address holds its row or its id and never a path."""
        return audio_response(self.audio_dir, self.catalogue.path(self._row(request)))

    async def upload(self, request: Request) -> Response:
        """`name`, and a file as the body: its embedding as it stands in an address, and its predicted tags."""
        name = request.query_params.get("name", "")[:200]
        heard = await self.uploads.hear(request.headers, request.stream(), name=name)
        predicted = self.catalogue.labels.best(heard.scores)
        return JSONResponse(
            {
                "vector": vector_text(heard.embedding),
                "space": space_name(self.catalogue),
                "name": one_line(name),
                "predicted": [{"tag": tag, "score": round(score, 3)} for tag, score in predicted],
            }
        )

    def _row(self, request: Request) -> int:
        words = request.query_params
        text = request.path_params.get("row", words.get("row", ""))
        if not text:
            return known_row(words.get("id", ""), self.catalogue)
        row = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else len(self.catalogue)
        if row >= len(self.catalogue):
            raise HTTPException(404, "this catalogue has no such track")
        return row

    def _labels(self, rows: np.ndarray) -> dict[str, Any]:
        """Of the points of a map: kept, as the maps of all spaces show the same tracks."""
        with self._lock:
            return self._labels_of(tuple(rows.tolist()))

    @functools.lru_cache(maxsize=2)  # noqa: B019  (the one object of a server)
    def _labels_of(self, rows: tuple[int, ...]) -> dict[str, Any]:
        found = self.catalogue.labels.of(np.array(rows, np.int64))
        return {
            notion: {"tags": labels.tags.tolist(), "predicted": labels.predicted.astype(int).tolist()}
            for notion, labels in found.items()
        }


def _rounded(number_: float) -> float:
    return round(float(number_), 4)


async def explain(request: Request, error: Exception) -> Response:
    """Every refusal is JSON with one line that says why."""
    if isinstance(error, HTTPException):
        return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)
    status = 400 if isinstance(error, UserError) else 500
    return JSONResponse({"error": one_line(str(error)) if status == 400 else "a bug: see the server's output"}, status)
