"""Makes a catalogue searchable: an index of what tfmir.embed has written, on the disk or in a Qdrant server.

python -m tfmir.index --embeddings=embeddings/music --output=index/music
python -m tfmir.index --embeddings=embeddings/music --store=qdrant://localhost:6333/music
"""

from __future__ import annotations

import dataclasses

from tfmir import command
from tfmir.errors import UserError
from tfmir.fields import field, refuse_given


@dataclasses.dataclass(frozen=True)
class IndexParams:
    """Flags of the command."""

    embeddings: str = field("", "folder of embeddings, as tfmir.embed writes it", path=True)
    output: str = field("", "folder of the index, such as index/music", path=True)
    kind: str = field(
        "exact",
        "exact: every search reads all vectors; hnsw: graphs of approximate neighbours too, for millions of tracks",
        choices=("exact", "hnsw"),
    )
    store: str = field("", "qdrant://host:6333 or qdrant://host:6333/collection: a server instead of --output")
    maps: str = field(
        "tsne", "maps of the spaces, for tfmir.page; umap needs umap-learn", choices=("tsne", "umap", "none")
    )
    map_sample: int = field(5000, "how many tracks a map has at most", lower=4)


def main(params: IndexParams) -> None:
    """Makes the index, and says how to search it."""
    from tfmir.catalogue.embedded_set import open_set

    if params.store and params.output:
        raise UserError("--store and --output: vectors go to one of them: leave the other out")
    if params.store:
        reason = "and --store: a server's searches are exact and it has no maps: leave it out"
        refuse_given(params, ("kind", "maps", "map_sample"), reason)
    embedded = open_set(params.embeddings)
    if params.store:
        from tfmir.searching.qdrant_upload import upload

        upload(embedded, params.store)
    else:
        from tfmir.searching.index_build import Wanted, build_index

        build_index(embedded, params.output, Wanted(params.kind, params.maps, params.map_sample))
    print(f"{embedded.tracks} tracks: python -m tfmir.search --index={params.store or params.output} --like=<track>")


if __name__ == "__main__":
    command.run(main, IndexParams)
