"""Evaluates a run on the test split: retrieval, tagging, triplets, leakage, beside three baselines.

    python -m tfmir.evaluate --run=runs/proxy

Writes report.json, report.md, figures/, answers.npz (what was answered to every question) and test.npz (track ids,
embeddings, labels, and truth where the records have one) into the run directory; with --truth, all but the last against
the truth into its folder `truth`, too.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from tfmir import command
from tfmir.params import field


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
    human_triplets: str = field(
        "",
        "dim-sim's CSV (Zenodo 3889149) or MagnaTagATune's comparisons_final.csv: agreement with listeners, too",
        path=True,
    )
    audio_dir: str = field("", "folder with the songs of --human_triplets, each file named by the song's id", path=True)


def main(params: EvaluateParams) -> dict[str, Any]:
    """Evaluates one run and writes its report."""
    from tfmir.evaluation.run_report import evaluate_run

    return evaluate_run(
        params.run,
        records=params.records,
        with_baselines=params.baselines,
        with_truth=params.truth,
        human_triplets=params.human_triplets,
        audio_dir=params.audio_dir,
    )


if __name__ == "__main__":
    command.run(main, EvaluateParams)
