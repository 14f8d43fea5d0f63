"""Audio and tags to TFRecord shards.

    python -m tfmir.prepare --corpus=demo
    python -m tfmir.prepare --corpus=folder --audio_dir=~/Music --annotations=tags.csv --output=tfrecords/mine
    python -m tfmir.prepare --output=tfrecords/mine --verify

Interrupted at any moment, the same command goes on where it stopped.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import sys
from typing import TYPE_CHECKING

from tfmir import flags
from tfmir.errors import UserError
from tfmir.params import field

if TYPE_CHECKING:
    from tfmir.corpora.corpus import Corpus

_RENDERED_PER_TASK = 20


@dataclasses.dataclass(frozen=True)
class PrepareParams:
    """Flags of the command."""

    corpus: str = field("demo", "where tracks and tags come from", choices=("demo", "folder"))
    audio_dir: str = field("", "folder of the audio (default for the demo: audio/demo)")
    annotations: str = field("", "label file as its publisher ships it (default: <audio_dir>/annotations.csv)")
    output: str = field("", "directory of the record set (default: tfrecords/<corpus>)")
    licence: str = field("unknown", "licence of a folder's audio and tags; travels with records and models")
    workers: int = field(0, "processes of the local cluster; 0: one a core", lower=0)
    scheduler: str = field("", "address of a running Dask scheduler, tcp://host:port, instead of a local cluster")
    num_shards: int = field(0, "shards of the training split; 0: one per 100 tracks", lower=0)
    max_rejected_fraction: float = field(0.01, "fail if a larger share of tracks is rejected", lower=0.0, upper=1.0)
    verify: bool = field(False, "only re-read a finished record set against its checksums")
    demo_scale: float = field(1.0, "size of the demo corpus, 1: 1200 train, 200 validation, 400 test", above=0.0)
    demo_seed: int = field(0, "seed of the demo corpus", lower=0)

    @property
    def records(self) -> str:
        """Where the record set goes."""
        return os.path.expanduser(self.output or f"tfrecords/{self.corpus}").rstrip("/")

    @property
    def audio(self) -> str:
        """Where the audio is."""
        return os.path.expanduser(self.audio_dir or ("audio/demo" if self.corpus == "demo" else ""))


def main(params: PrepareParams) -> None:
    """Builds a record set, or verifies one."""
    if params.verify:
        from tfmir.data.build import verify

        verify(params.records)
    else:
        build(params)


def build(params: PrepareParams) -> str:
    """Builds the record set, or finishes one that was interrupted; returns its directory.

    Raises:
      UserError: bad flags or annotations, a directory with other records, too many rejected tracks.
    """
    from tfmir.data.build import build_records

    if not params.audio:
        raise UserError("--audio_dir is empty: name the folder of the audio")
    corpus = _demo(params) if params.corpus == "demo" else _folder(params)
    build_records(
        corpus,
        params.records,
        num_shards=params.num_shards,
        max_rejected_fraction=params.max_rejected_fraction,
        workers=params.workers,
        scheduler=params.scheduler,
    )
    return params.records


def _folder(params: PrepareParams) -> Corpus:
    from tfmir.corpora import folder

    annotations = os.path.expanduser(params.annotations) or f"{params.audio}/annotations.csv"
    name = pathlib.Path(params.records).name
    return folder.load(params.audio, annotations, name=name, licence=params.licence)


def _demo(params: PrepareParams) -> Corpus:
    """Renders what is missing of the demo's audio, then reads it like any folder."""
    from tfmir.corpora import demo, folder
    from tfmir.data.engine import run_tasks

    sizes = {split: max(2, round(size * params.demo_scale)) for split, size in demo.SPLIT_SIZES.items()}
    tracks = demo.demo_tracks(seed=params.demo_seed, sizes=sizes)
    missing = [track for track in tracks if not os.path.exists(f"{params.audio}/{track.path}")]
    if missing:
        print(f"rendering {len(missing)} tracks of the demo corpus to {params.audio}", file=sys.stderr)
    parts = [missing[i : i + _RENDERED_PER_TASK] for i in range(0, len(missing), _RENDERED_PER_TASK)]
    for _ in run_tasks(
        _render,
        [(part, params.audio, params.demo_seed) for part in parts],
        sizes=[len(part) for part in parts],
        description="render",
        unit="track",
        workers=params.workers,
        scheduler=params.scheduler,
    ):
        pass
    annotations = f"{params.audio}/annotations.csv"
    demo.write_annotations(tracks, annotations)
    return folder.load(params.audio, annotations, name="demo", licence=demo.LICENCE)


def _render(tracks: list, audio_dir: str, seed: int) -> int:
    from tfmir.corpora import demo

    return demo.write_audio(tracks, audio_dir, seed=seed)


if __name__ == "__main__":
    flags.run(main, PrepareParams)
