"""Evaluates a run on the test split: retrieval, tagging, triplets, leakage, beside three baselines.

    python -m tfmir.evaluate --run=runs/proxy
    python -m tfmir.evaluate --run=runs/proxy --library=~/Music
    python -m tfmir.evaluate --run=runs/proxy --library=~/Music --annotations=tags.csv --by=artist

Writes report.json, report.md, figures/, answers.npz (what was answered to every question) and test.npz (track ids,
embeddings, labels, and truth where the records have one) into the run directory; with --truth, all but the last against
the truth into its folder `truth`, too. With --library: retrieval and triplets on the songs of another corpus, by the
tags that both know or by any column, into library/<name> of the run directory.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from tfmir import command, folders
from tfmir.corpora.votes import votes_on_songs
from tfmir.data.run_records import records_of
from tfmir.fields import field, refuse_given
from tfmir.run_directory import trained_run

_OF_LIBRARY = ("annotations", "by", "output")
_NOT_WITH_LIBRARY = ("records", "truth", "figures", "human_triplets", "audio_dir")


@dataclasses.dataclass(frozen=True)
class EvaluateParams:
    """Flags of the command."""

    run: str = field("", "run directory, such as runs/proxy", path=True)
    records: str = field("", "where the run's records are now, if they were moved since its training", path=True)
    baselines: bool = field(True, "compare with the untrained encoder, statistics and chance")
    truth: bool = field(
        False,
        "write the same against the truth that the records keep beside their labels, too (prepare --annotated), into "
        "<run>/truth",
    )
    figures: bool = field(True, "draw the pictures; the t-SNE is of 1000 tracks at most")
    human_triplets: str = field(
        "",
        "dim-sim's CSV (Zenodo 3889149) or MagnaTagATune's comparisons_final.csv: agreement with listeners, too",
        path=True,
    )
    audio_dir: str = field("", "folder with the songs of --human_triplets, each file named by the song's id", path=True)
    library: str = field(
        "", "evaluates on a folder of songs instead, on its embeddings (tfmir.embed), or on other records", path=True
    )
    annotations: str = field(
        "",
        "what is known of the songs of --library: a CSV (path, then any columns), a published label file or folder, "
        "json (a file beside each song), or metadata (default: <library>/annotations.csv, else metadata)",
        path="or name",
    )
    by: str = field("tags", "labels of --library: tags that the run knows too, or columns such as artist,album")
    output: str = field("", "report on --library (default: library/<its name> in the run directory)", path=True)


def main(params: EvaluateParams) -> dict[str, Any]:
    """Evaluates one run and writes its report.

    Raises:
      UserError: flags that do not go together, or what cannot be evaluated.
    """
    if params.library:
        refuse_given(params, _NOT_WITH_LIBRARY, "does not go with --library: leave it out")
        folders.require_folder("library", params.library)
        trained_run(params.run)
        folders.require_writable(*(("output", params.output) if params.output else ("run", params.run)))
        from tfmir.evaluation.library.library_report import evaluate_library

        return evaluate_library(
            params.run,
            params.library,
            annotations=params.annotations,
            by=params.by,
            output=params.output,
            with_baselines=params.baselines,
        )
    refuse_given(params, _OF_LIBRARY, "needs --library: name the folder of the songs")
    # Wrong paths are told here, before TensorFlow is imported, which takes seconds.
    votes_on_songs(params.human_triplets, params.audio_dir)
    records_of(trained_run(params.run), params.records)
    folders.require_writable("run", params.run)
    from tfmir.evaluation.run_report import evaluate_run

    return evaluate_run(
        params.run,
        records=params.records,
        with_baselines=params.baselines,
        with_truth=params.truth,
        with_figures=params.figures,
        human_triplets=params.human_triplets,
        audio_dir=params.audio_dir,
    )


if __name__ == "__main__":
    command.run(main, EvaluateParams)
