"""The page and its API as one Starlette application."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tfmir.errors import UserError
from tfmir.serving.page.api import Api, explain
from tfmir.serving.page.catalogue import Catalogue
from tfmir.serving.page.current import Current, Shown
from tfmir.serving.page.guard import Guard
from tfmir.serving.page.uploads import Uploads

STATIC = pathlib.Path(__file__).with_name("static")
_MEDIA_TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}


def build_app(
    catalogue: Catalogue,
    uploads: Uploads,
    *,
    audio_dir: str = "",
    loopback: bool = True,
    reopen: Callable[[], Shown] | None = None,
) -> Starlette:
    """The application.

    Args:
      catalogue: what is searched.
      uploads: what hears songs.
      audio_dir: the only folder from which audio is played; empty: none is.
      loopback: whether it is bound to this machine only, see `guard.py`.
      reopen: opens an index that was made anew, see `Current`.
    """
    api = Api(Current(Shown(catalogue, audio_dir), reopen), uploads)
    routes = [
        Route("/", _static("index.html")),
        *(Route(f"/static/{path.name}", _static(path.name)) for path in sorted(STATIC.iterdir()) if path.is_file()),
        Route("/api/about", api.about),
        Route("/api/tracks", api.tracks),
        Route("/api/track", api.track),
        Route("/api/search", api.search),
        Route("/api/search.csv", api.search_csv),
        Route("/api/map", api.map),
        Route("/api/upload", api.upload, methods=["POST"]),
        Route("/audio", api.audio),
        Route("/audio/{row}", api.audio),
    ]
    handlers = {HTTPException: explain, UserError: explain, Exception: explain}
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, loopback=loopback), Middleware(_Zipped)],
        exception_handlers=handlers,
    )


class _Zipped(GZipMiddleware):
    """Maps and lists are zipped; audio is not, whose ranges count bytes."""

    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        app = self.app if scope.get("path", "").startswith("/audio") else super().__call__
        await app(scope, receive, send)


def _static(name: str) -> Callable[[Request], Response]:
    """Read once, at the start: a request names one of these and no file."""
    path = STATIC / name
    content, kind = path.read_bytes(), _MEDIA_TYPES[path.suffix]

    def endpoint(request: Request) -> Response:
        return Response(content, media_type=kind, headers={"Cache-Control": "no-cache"})

    return endpoint
