"""A catalogue: the embedding of every song of a library, as Parquet, made once and kept up to date.

    python -m tfmir.embed --run=runs/proxy --library=~/Music --output=embeddings/music
    python -m tfmir.embed --run=runs/proxy --library=s3://bucket/music --output=embeddings/music --projector

Interrupted at any moment, the same command goes on where it stopped. Given again, it embeds what is new or changed.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from tfmir import command, files, folders
from tfmir.errors import UserError
from tfmir.fields import field
from tfmir.params import PRECISIONS
from tfmir.run_directory import Run, trained_run


@dataclasses.dataclass(frozen=True)
class EmbedParams:
    """Flags of the command."""

    run: str = field("", "run directory, such as runs/proxy", path=True)
    library: str = field("", "folder of the songs, or its URL (s3://…)", path=True)
    output: str = field("", "directory of the embeddings (default: embeddings/<name of the library>)", path=True)
    annotations: str = field(
        "",
        "CSV file of artists and tags, as prepare --corpus=folder reads it (default: the one named for this output "
        "before, else <library>/annotations.csv); none: no artists and no tags",
        path=True,
    )
    workers: int = field(0, "processes of the local cluster; 0: one a core", lower=0)
    scheduler: str = field("", "address of a running Dask scheduler, tcp://host:port, instead of a local cluster")
    excerpts: bool = field(False, "keep the embedding of every excerpt of 3 s too")
    projector: bool = field(False, "write vectors and metadata of 10 000 songs for TensorBoard's projector too")
    precision: str = field(
        "float32",
        "numbers of the encoder's arithmetic. auto: that of the set that is there, else the fastest on this machine",
        choices=PRECISIONS,
    )
    max_rejected_fraction: float = field(0.01, "fail if a larger share of songs is rejected", lower=0.0, upper=1.0)

    @property
    def folder(self) -> str:
        """Where the embeddings go."""
        name = os.path.basename(_made_absolute(self.library)) or "root"
        return _absolute(self.output or f"embeddings/{name}")


def main(params: EmbedParams) -> dict[str, Any]:
    """Embeds a library, or what is new or changed in it; returns what `embeddings.json` says.

    Raises:
      UserError: no such run or library, an output of another origin, or too many songs that cannot be used.
    """
    if not params.library:
        raise UserError("--library is empty: name the folder of the songs")
    folders.require_folder("library", params.library)
    run = trained_run(_absolute(params.run))
    folders.require_writable("output", params.folder)
    from tfmir.catalogue.annotations import read_annotations
    from tfmir.catalogue.build import embed_library
    from tfmir.catalogue.embeddings import read_embeddings
    from tfmir.catalogue.parts import Job
    from tfmir.catalogue.projector import write_projector
    from tfmir.serving.card import run_card

    precision = _precision(params, run)
    card = run_card(run, precision=precision)
    annotations = read_annotations(params.annotations, library=_absolute(params.library), output=params.folder)
    said = embed_library(
        Job(str(run.path), card["weights_sha256"], _absolute(params.library), params.excerpts, precision),
        params.folder,
        labels=annotations.labels,
        card=card,
        annotations=_made_absolute(annotations.path),
        max_rejected_fraction=params.max_rejected_fraction,
        workers=params.workers,
        scheduler=params.scheduler,
    )
    size = sum(files.size(files.to_path(params.folder) / shard["file"]) for shard in said["shards"])
    print(
        f"{params.folder}: {said['tracks']} songs in {len(said['shards'])} shards, {size / 1e6:.1f} MB, "
        f"{said['rejected']} rejected"
    )
    if params.projector:
        where = f"{params.folder}/projector"
        shown = write_projector(read_embeddings(params.folder), where)
        print(f"{shown} songs for the projector: tensorboard --logdir={where}")
    return said


def _precision(params: EmbedParams, run: Run) -> str:
    """Of all workers: they are as good as one."""
    if params.precision != "auto":
        return params.precision
    from tfmir.catalogue.embeddings import precision_of
    from tfmir.catalogue.output import announced
    from tfmir.model.precision import resolved
    from tfmir.preparation.resumable import STATE

    before = announced(files.to_path(params.folder)).get("card")
    if before:
        return precision_of(before)
    kept = files.to_path(params.folder) / STATE / "precision"  # beside the parts that are finished
    if not kept.exists():
        files.write_text(kept, resolved("auto", run.params.network, training=False))
    return kept.read_text(encoding="utf-8")


def _absolute(path: str) -> str:
    """A path as a worker reaches it, whose working directory is another one."""
    return path if files.is_remote(path) or not path else os.path.realpath(path)


def _made_absolute(path: str) -> str:
    """A path from the root, whose links keep their names, as the user knows them."""
    return path if files.is_remote(path) or not path else os.path.abspath(path)


if __name__ == "__main__":
    command.run(main, EmbedParams, resumes=True)
