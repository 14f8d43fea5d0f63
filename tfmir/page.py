"""Opens a catalogue in a browser: listen, search along the notions that matter, see the map.

python -m tfmir.page --index=index/music
python -m tfmir.page --index=index/music --run=runs/proxy
python -m tfmir.page --index=index/music --endpoint=http://localhost:8501 --audio_dir=~/Music
"""

from __future__ import annotations

import dataclasses
import pathlib
import tempfile
import threading
from typing import TYPE_CHECKING

from tfmir import command, files
from tfmir.errors import UserError
from tfmir.fields import field

if TYPE_CHECKING:
    from tfmir.searching.index import Index
    from tfmir.serving.page.current import Shown
    from tfmir.serving.page.embedders import Embedder

_EXTRA = ("starlette", "uvicorn", "anyio")


@dataclasses.dataclass(frozen=True)
class PageParams:
    """Flags of the command."""

    index: str = field("", "what python -m tfmir.index has written", path=True)
    run: str = field("", "run of the index, which hears the songs that are uploaded", path=True)
    endpoint: str = field("", "http://host:8501 or grpc://host:8500: a served bundle hears them instead of the run")
    model: str = field("tfmir", "what the server at --endpoint calls the model; its version: tfmir@3 or tfmir@stable")
    audio_dir: str = field("", "the only folder that audio is played from; empty: where the library was", path=True)
    host: str = field("127.0.0.1", "address to listen at; any other than this machine's own lets others in")
    port: int = field(8080, "port to listen at; 0: a free one", lower=0, upper=65535)


def main(params: PageParams) -> None:
    """Serves until it is interrupted."""
    if not params.index:
        raise UserError("--index is empty: name the folder that python -m tfmir.index has written")
    if params.endpoint and params.run:
        raise UserError("--run and --endpoint: one of them hears the songs that are uploaded: leave the other out")
    try:
        from tfmir.serving.page.app import build_app
        from tfmir.serving.page.guard import is_loopback
        from tfmir.serving.page.server import listening, serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise UserError(f"no {error.name}: the page needs an extra: pip install 'tfmir[page]'") from error
    from tfmir.searching.qdrant import is_server
    from tfmir.serving.page.uploads import Uploads

    if is_server(params.index):
        raise UserError(
            f"--index={params.index}: the page needs an index on the disk, which python -m tfmir.index writes"
        )
    with listening(params.host, params.port) as taken, tempfile.TemporaryDirectory(prefix="tfmir-page-") as folder:
        shown = _opened(params)
        uploads = Uploads(_embedder(params, shown.catalogue.index), folder)
        app = build_app(
            shown.catalogue,
            uploads,
            audio_dir=shown.audio_dir,
            loopback=is_loopback(params.host),
            reopen=lambda: _opened(params),
        )
        serve(app, taken, host=params.host)


def _opened(params: PageParams) -> Shown:
    """The index as it is on the disk now, and where its audio is."""
    from tfmir.searching.index import open_index
    from tfmir.serving.page.catalogue import Catalogue
    from tfmir.serving.page.current import Shown

    index = open_index(params.index)
    if not len(index):
        raise UserError(f"--index={params.index} holds no track: embed and index a library with audio in it")
    catalogue = Catalogue(index)
    # So that the first letter that is typed need not wait for it, at a million tracks some seconds.
    threading.Thread(target=lambda: catalogue.haystack, daemon=True).start()
    return Shown(catalogue, _audio_dir(params, index))


def _audio_dir(params: PageParams, index: Index) -> str:
    """Where audio is played from; empty, which is said, if the library is not there any more or in a store."""
    if params.audio_dir:
        if files.is_remote(params.audio_dir) or not pathlib.Path(params.audio_dir).is_dir():
            raise UserError(f"--audio_dir={params.audio_dir}: no such folder on this machine")
        return params.audio_dir
    if not files.is_remote(index.library) and pathlib.Path(index.library).is_dir():
        return index.library
    print(f"no audio is played: {index.library} is not a folder here: name the one it is in now with --audio_dir")
    return ""


def _embedder(params: PageParams, index: Index) -> Embedder | None:
    """What hears uploads; None, which the page says, without a run and an endpoint."""
    from tfmir.serving.page.embedders import EndpointEmbedder, RunEmbedder

    if params.endpoint:
        from tfmir.serving.client import Client

        client = Client.of(params.endpoint, params.model)
        return EndpointEmbedder(client, index=params.index, weights_sha256=index.weights_sha256)
    if not params.run:
        return None
    from tfmir.run_directory import trained_run

    run = trained_run(params.run)
    return RunEmbedder(run, index=params.index, weights_sha256=index.weights_sha256, precision=index.precision)


if __name__ == "__main__":
    command.run(main, PageParams)
