"""The same catalogue in a Qdrant server: the same vectors, tags and query, for what is beyond one machine.

A set of embeddings is a collection of its own, `<name>-<its checksum>`; the alias `<name>` names the one that is whole.
So a search never meets half a catalogue, and an upload that was ended goes on where it stopped.

No graph is built and every search is exact: graphs over the sub-spaces side by side lose skewed queries (`graphs.py`).
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import uuid
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np

from tfmir.corpora.spelling import one_line
from tfmir.errors import UserError
from tfmir.searching import filters
from tfmir.searching.ranking import Scored
from tfmir.searching.searchable import Allowed, Question, Searchable

_ADDRESS = re.compile(r"(qdrants?)://([\w.-]+|\[[0-9a-fA-F:]+\])(?::(\d+))?(?:/([\w.-]+))?", re.ASCII)
PAYLOAD = ("track_id", "path", "artist", "tags", "size", "mtime_ns")
# A point without vectors, which no search finds: what the collection is.
CARD = str(uuid.uuid5(uuid.NAMESPACE_URL, "tfmir:card"))
_FACETS = 10_000


def is_server(address: str) -> bool:
    """Whether an index is named by the address of a server.

    >>> is_server("qdrant://localhost:6333/music"), is_server("index/music")
    (True, False)
    """
    return address.startswith(("qdrant://", "qdrants://"))


def connect(address: str) -> tuple[Any, str]:
    """A client and the name of the collection; `QDRANT_API_KEY` is the key, `qdrants://` is TLS.

    Raises:
      UserError: the address is none, or there is no qdrant-client.
    """
    found = _ADDRESS.fullmatch(address)
    if not found:
        raise UserError(f"{address}: no address such as qdrant://localhost:6333/music, or qdrants:// for TLS")
    try:
        from qdrant_client import QdrantClient
    except ImportError as error:
        raise UserError(f"{address} needs qdrant-client: pip install 'tfmir[qdrant]'") from error
    scheme, host, port, name = found.groups()
    url = f"{'https' if scheme == 'qdrants' else 'http'}://{host}:{port or 6333}"
    key = os.environ.get("QDRANT_API_KEY") or None
    return QdrantClient(url=url, api_key=key, timeout=60, check_compatibility=False), name or "tfmir"


class ServerIndex(Searchable):
    """A catalogue in a server. It has no maps, and no table of all tracks.

    Args:
      client: of the server.
      collection: its name.
      card: what the collection says of itself.
      address: for messages.
    """

    def __init__(self, client: Any, collection: str, card: dict[str, Any], address: str):
        super().__init__(card)
        self._client, self._collection, self._tracks, self._address = client, collection, card["tracks"], address

    def __len__(self) -> int:
        return int(self._tracks)

    def facts(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """Of each row: `track_id`, `path`, `artist`, `tags`, `size`, `mtime_ns`."""
        return [point.payload for point in self._points(rows, with_payload=list(PAYLOAD))]

    def vectors(self, space: str, rows: Sequence[int]) -> np.ndarray:
        """float32 [k, dim]: the vectors of some rows, in their order."""
        points = self._points(rows, with_payload=False, with_vectors=[space])
        return np.array([point.vector[space] for point in points], np.float32)

    def _points(self, rows: Sequence[int], **wanted: Any) -> list[Any]:
        with asking(self._address):
            points = {point.id: point for point in self._client.retrieve(self._collection, list(rows), **wanted)}
        return [points[row] for row in rows]

    def _nearest(self, question: Question, count: int, allowed: Allowed) -> Scored:
        from qdrant_client import models

        with asking(self._address):
            found = self._client.query_points(
                self._collection,
                query=question.vector.tolist(),
                using=question.space,
                limit=count,
                query_filter=allowed.rows,
                search_params=models.SearchParams(exact=True),
                with_payload=False,
            ).points
        rows = np.array([point.id for point in found], np.int64)
        return Scored(rows, np.array([point.score for point in found], np.float32))

    def _allowed(self, tags: Collection[str], artist: str) -> Allowed:
        if not tags and not artist:
            return Allowed(len(self))
        carried = self._values("tags") if tags else []
        known = tuple(dict.fromkeys((*self.tags, *carried))) if carried else ()
        conditions: list[tuple[str, str | list[str]]] = [("tags", tag) for tag in filters.known_tags(tags, known)]
        if artist:
            there = self._matching(("artist", artist), limit=1)
            names = [artist] if there else filters.same_artists(artist, self._values("artist"))
            conditions.append(("artist", names))
        rows = _filter(*conditions)
        with asking(self._address):
            return Allowed(self._client.count(self._collection, count_filter=rows, exact=True).count, rows)

    def _values(self, key: str) -> list[str]:
        with asking(self._address):
            return [str(hit.value) for hit in self._client.facet(self._collection, key, limit=_FACETS).hits]

    def _row(self, column: str, value: str) -> int | None:
        return next(iter(self._matching((column, value))), None)

    def _composed_row(self, track_id: str) -> int | None:
        return next(iter(self._matching(("composed", track_id))), None)

    def _with_stamps(self, size: int, mtime_ns: int) -> list[int]:
        rows = self._matching(("size", size))
        return [row for row, of in zip(rows, self.facts(rows), strict=True) if of["mtime_ns"] == mtime_ns]

    def _matching(self, *conditions: tuple[str, str | int], limit: int = sys.maxsize) -> list[int]:
        """Rows with some values, ascending."""
        rows: list[int] = []
        offset = None
        with asking(self._address):
            while True:
                points, offset = self._client.scroll(
                    self._collection, _filter(*conditions), limit=min(limit, 1000), offset=offset, with_payload=False
                )
                rows += [point.id for point in points]
                if offset is None or len(rows) >= limit:
                    return sorted(rows)


def open_server(address: str) -> ServerIndex:
    """The index in a server.

    Raises:
      UserError: the server does not answer, or has no such index.
    """
    client, name = connect(address)
    with asking(address):
        collection = alias_of(client, name)
        if collection is None:
            raise UserError(
                f"--index={address}: the server has no finished index {name!r}: make it with "
                f"python -m tfmir.index --embeddings=<folder> --store={address}"
            )
        return ServerIndex(client, collection, card_of(client, collection, address), address)


def alias_of(client: Any, name: str) -> str | None:
    """The collection that a name stands for."""
    return next((of.collection_name for of in client.get_aliases().aliases if of.alias_name == name), None)


def card_of(client: Any, collection: str, address: str) -> dict[str, Any]:
    """What a collection says of itself.

    Raises:
      UserError: it was not made by tfmir.
    """
    points = client.retrieve(collection, [CARD])
    if not points:
        raise UserError(f"{address}: the server's collection {collection!r} was not made by tfmir: name another")
    return dict(points[0].payload)


def _filter(*conditions: tuple[str, str | int | list[str]]) -> Any:
    """All conditions hold: a payload's value is the given one, or one of a list."""
    from qdrant_client import models

    def match(value: str | int | list[str]) -> Any:
        return models.MatchAny(any=value) if isinstance(value, list) else models.MatchValue(value=value)

    return models.Filter(must=[models.FieldCondition(key=key, match=match(value)) for key, value in conditions])


@contextlib.contextmanager
def asking(address: str) -> Iterator[None]:
    """Says in a line what a server answers instead of an answer."""
    from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

    try:
        yield
    except ResponseHandlingException as error:
        raise UserError(f"{address}: no Qdrant server answers ({error.source}): start it, or name another") from error
    except UnexpectedResponse as error:
        said = one_line(error.content.decode(errors="replace"))[:200]
        hint = ": set QDRANT_API_KEY" if error.status_code in (401, 403) else ""
        raise UserError(f"{address}: the Qdrant server says {error.status_code} ({said}){hint}") from error
