"""Audio and tags to TFRecord shards.

    python -m tfmir.prepare --corpus=demo
    python -m tfmir.prepare --flagfile=launch/sparse_demo.flags
    python -m tfmir.prepare --corpus=folder --audio_dir=~/Music --annotations=tags.csv --output=tfrecords/mine
    python -m tfmir.prepare --corpus=jamendo --audio_dir=/data/jamendo --annotations=data/splits/split-0
    python -m tfmir.prepare --corpus=msd --annotations=MSD_split --report
    python -m tfmir.prepare --output=tfrecords/mine --verify

Interrupted at any moment, the same command goes on where it stopped.
"""

from __future__ import annotations

import dataclasses
import importlib
import os
import sys
from typing import TYPE_CHECKING

from tfmir import command, files, folders
from tfmir.errors import UserError
from tfmir.fields import field, refuse_given
from tfmir.params import MAX_SEED

if TYPE_CHECKING:
    from tfmir.corpora.corpus import Corpus

CORPORA = ("demo", "folder", "msd", "jamendo", "magnatagatune")
_NOT_OF_THE_DEMO = ("annotations", "vocabulary", "licence")


@dataclasses.dataclass(frozen=True)
class PrepareParams:
    """Flags of the command."""

    corpus: str = field("demo", "where tracks and tags come from", choices=CORPORA)
    audio_dir: str = field(
        "", "folder of the audio (default for the demo: audio/demo, or audio/demo_zipf with --annotated)", path=True
    )
    annotations: str = field(
        "", "label file as its publisher ships it (default: <audio_dir>/annotations.csv)", path=True
    )
    tags: str = field(
        "csv",
        "a folder's tags: from --annotations, a JSON file beside each track, or the files' metadata",
        choices=("csv", "json", "metadata"),
    )
    vocabulary: str = field(
        "", "tab-separated file of tag and notion that chooses and groups the tags (see README)", path=True
    )
    output: str = field(
        "", "directory of the record set (default: tfrecords/<corpus>; with --annotated demo_sparse)", path=True
    )
    licence: str = field("unknown", "licence of a folder's audio and tags; travels with records and models")
    workers: int = field(0, "processes of the local cluster; 0: one a core", lower=0)
    scheduler: str = field("", "address of a running Dask scheduler, tcp://host:port, instead of a local cluster")
    num_shards: int = field(0, "shards of the training split; 0: one per 100 tracks", lower=0)
    max_rejected_fraction: float = field(0.01, "fail if a larger share of tracks is rejected", lower=0.0, upper=1.0)
    verify: bool = field(False, "only re-read a finished record set against its checksums")
    report: bool = field(False, "only say what is in the corpus; looks at the audio too if --audio_dir is given")
    strict: bool = field(False, "refuse a corpus with an artist in more than one split instead of warning")
    demo_scale: float = field(
        1.0,
        "size of the demo corpus, 1: 1200 train, 200 validation, 400 test; every system trains from 0.03 on, with the "
        "shares that --annotated names below from 0.1 on: smaller ones may give triplets nothing to validate with",
        above=0.0,
        upper=10.0,
    )
    demo_seed: int = field(0, "seed of the demo corpus", lower=0, upper=MAX_SEED)
    annotated: str = field(
        "",
        "the demo with tags in Zipf's proportions, and the share of its tracks that is annotated with each notion: "
        "genre=0.88,mood=0.13,instrument=0.14,era=0.11; the whole truth is kept beside the labels",
    )

    @property
    def records(self) -> str:
        """Where the record set goes."""
        return self.output or f"tfrecords/{self.corpus}{'_sparse' if self.annotated else ''}"

    @property
    def audio(self) -> str:
        """Where the audio is."""
        if self.corpus != "demo":
            return self.audio_dir
        return self.audio_dir or ("audio/demo_zipf" if self.annotated else "audio/demo")


def main(params: PrepareParams) -> None:
    """Builds a record set, verifies one, or reports on a corpus."""
    if params.verify:
        from tfmir.preparation.repair import verify

        verify(params.records)
    elif params.report:
        report(params)
    else:
        build(params)


def build(params: PrepareParams) -> str:
    """Builds the record set, or finishes one that was interrupted; returns its directory.

    Raises:
      UserError: bad flags or annotations, no tracks for training or validation, a directory with other records, too
        many rejected tracks.
    """
    from tfmir.preparation.survey import artist_leaks, pairless_notions, refuse_empty_splits, refuse_leaks

    if not params.audio:
        raise UserError("--audio_dir is empty: name the folder of the audio")
    corpus = load_corpus(params)
    for notion in corpus.empty_notions:
        if params.tags != "metadata":
            raise UserError(f"notion {notion!r} has no tag: tag some tracks, or remove it from the labels")
        print(f"warning: no file has a {notion}: the records have no such notion", file=sys.stderr)
    for notion in pairless_notions(corpus):
        print(f"warning: notion {notion!r}: no two tracks share a tag of it: is it a notion?", file=sys.stderr)
    refuse_empty_splits(corpus)
    if params.strict:
        refuse_leaks(corpus)
    elif leaks := artist_leaks(corpus):
        print(f"warning: {len(leaks)} artists have tracks in more than one split: see --report", file=sys.stderr)
    # What is wrong with the corpus is told before TensorFlow is imported, which takes seconds.
    from tfmir.preparation.build import build_records

    build_records(
        corpus,
        params.records,
        num_shards=params.num_shards,
        max_rejected_fraction=params.max_rejected_fraction,
        workers=params.workers,
        scheduler=params.scheduler,
    )
    return params.records


def report(params: PrepareParams) -> None:
    """Writes corpus.md, corpus.json and corpus.png to the directory of the record set, and prints the first.

    Raises:
      UserError: bad flags or annotations, or, with --strict, an artist in more than one split.
    """
    corpus = load_corpus(params)
    from tfmir.preparation.inspection import inspect_corpus
    from tfmir.preparation.survey import refuse_leaks, survey, survey_text
    from tfmir.preparation.survey_plot import plot_tags

    looked = params.audio and (params.corpus != "demo" or all(os.path.exists(track.path) for track in corpus.tracks))
    facts = inspect_corpus(corpus, workers=params.workers, scheduler=params.scheduler) if looked else []
    found = survey(corpus, facts)
    folder = files.to_path(params.records)
    text = survey_text(found)
    files.write_text(folder / "corpus.md", text)
    files.write_json(folder / "corpus.json", found)
    plot_tags(found, folder / "corpus.png")
    print(f"{text}\nreport: {folder / 'corpus.md'}, {folder / 'corpus.json'}, {folder / 'corpus.png'}")
    if params.strict:
        refuse_leaks(corpus)


def load_corpus(params: PrepareParams) -> Corpus:
    """The corpus that the flags name; the demo's audio is rendered where it is missing, except for a report.

    Raises:
      UserError: flags that do not go together, or bad annotations.
    """
    if params.annotated and params.corpus != "demo":
        raise UserError(
            f"--annotated={params.annotated} is for --corpus=demo, whose whole truth is known: {params.corpus} has the "
            "labels that people gave it; leave --annotated out"
        )
    if params.tags != "csv" and params.corpus != "folder":
        raise UserError(f"--tags={params.tags} is for --corpus=folder: {params.corpus} has label files of its own")
    if files.is_remote(params.audio) and (params.corpus == "demo" or params.tags != "csv"):
        what = "the demo corpus" if params.corpus == "demo" else f"--tags={params.tags}"
        raise UserError(f"--audio_dir={params.audio}: {what} needs a local folder")
    if params.corpus == "demo":
        return _demo(params)
    if params.corpus == "folder":
        return _folder(params)
    if not params.annotations:
        raise UserError(f"--annotations is empty: name the label files of {params.corpus} as they are published")
    if params.audio:
        folders.require_folder("audio_dir", params.audio)
    module = importlib.import_module(f"tfmir.corpora.{params.corpus}")
    corpus: Corpus = module.load(params.audio, params.annotations, grouping=params.vocabulary)
    return corpus


def _folder(params: PrepareParams) -> Corpus:
    from tfmir.corpora import folder

    return folder.load(
        params.audio,
        params.annotations or f"{params.audio}/annotations.csv",
        tags=params.tags,
        grouping=params.vocabulary,
        name=files.to_path(params.records).name,
        licence=params.licence,
    )


def _demo(params: PrepareParams) -> Corpus:
    """Renders what is missing of the demo's audio, then reads it like any folder."""
    from tfmir.corpora import folder
    from tfmir.corpora.annotated import annotated, check_shares, parse_shares
    from tfmir.corpora.demo import demo
    from tfmir.corpora.demo.audio_folder import claim
    from tfmir.preparation.rendering import render_all

    reason = "does not go with --corpus=demo, whose tags and licence are its own: leave it out"
    refuse_given(params, _NOT_OF_THE_DEMO, f"{reason} (--annotated says how many of them are kept)")
    shares = parse_shares(params.annotated, list(demo.NOTIONS)) if params.annotated else None
    sizes = {split: max(2, round(size * params.demo_scale)) for split, size in demo.SPLIT_SIZES.items()}
    if shares is not None:
        check_shares(params.annotated, shares, tracks=sizes["train"])
    tracks = demo.demo_tracks(seed=params.demo_seed, sizes=sizes, zipf=shares is not None)
    missing = claim(params.audio, tracks, zipf=shares is not None, seed=params.demo_seed)
    if not params.report:
        render_all(missing, params.audio, seed=params.demo_seed, workers=params.workers, scheduler=params.scheduler)
    annotations = f"{params.audio}/annotations.csv"
    demo.write_annotations(tracks, annotations)
    name = "demo" if shares is None else "demo_zipf"
    corpus = folder.load(params.audio, annotations, name=name, licence=demo.LICENCE)
    return corpus if shares is None else annotated(corpus, shares, seed=params.demo_seed)


if __name__ == "__main__":
    command.run(main, PrepareParams, resumes=True)
