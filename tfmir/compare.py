"""Trains and evaluates several systems with several seeds, and puts them side by side as the paper does.

    python -m tfmir.compare --flagfile=launch/compare.flags

Every run is `<output>/<system>-<seed>`, trained by the train command and evaluated by the evaluate command; finished
ones are reused. Interrupted, the same command goes on where it stopped. Writes report.md, report.json and figures/.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib

from tfmir import flags
from tfmir.errors import UserError
from tfmir.params import field
from tfmir.remote import is_remote

ALL_SYSTEMS = (
    "triplet,triplet_disentangled,triplet_track,proxy_basic,proxy,"
    "classification_plain,classification,classification_disentangled,joint"
)


@dataclasses.dataclass(frozen=True)
class CompareParams:
    """Flags of the command."""

    systems: str = field(ALL_SYSTEMS, "names of flag files in --launch, separated by commas")
    seeds: str = field("0,1,2", "seeds, separated by commas; every system is trained with each")
    output: str = field("runs/comparison", "directory of the runs and of the report")
    settings: str = field("", "flag files given to every run after its system's own, separated by commas")
    published: str = field(
        "", "CSV of published figures (system, column, value): each gets a column beside ours, on other data"
    )
    launch: str = field("launch", "directory of the systems' flag files")
    jobs: int = field(1, "runs side by side; the cores are shared out among them", lower=1)


def main(params: CompareParams) -> None:
    """Trains, evaluates and compares."""
    systems, seeds = _words(params.systems), [_seed(word) for word in _words(params.seeds)]
    if not systems or not seeds:
        raise UserError("nothing to compare: --systems and --seeds need a name and a number at least")
    settings = _words(params.settings)
    for path in [*(f"{params.launch}/{system}.flags" for system in systems), *settings]:
        if not os.path.exists(path):
            raise UserError(f"{path}: no such flag file (--systems names those in --launch={params.launch})")
    if is_remote(params.output):
        raise UserError(f"--output={params.output}: compare needs a local folder, which all its runs share")

    from tfmir.experiments.comparison import compare, load_published
    from tfmir.experiments.queue import Job, run_jobs

    published = load_published(params.published)
    output = pathlib.Path(params.output)
    jobs = [
        Job(
            run=output / f"{system}-{seed}",
            flags=(
                f"--flagfile={params.launch}/{system}.flags",
                *(f"--flagfile={path}" for path in settings),
                f"--seed={seed}",
            ),
        )
        for seed in seeds
        for system in systems
    ]
    print(f"{len(jobs)} runs in {output}, {params.jobs} at a time; the log of each is its train.log")
    run_jobs(jobs, side_by_side=params.jobs)
    runs = {system: [output / f"{system}-{seed}" for seed in seeds] for system in systems}
    report = compare(runs, output, published=published)
    print(f"\n{report}\nreport: {output / 'report.md'}, figures: {output / 'figures'}")


def _words(text: str) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if len(set(words)) < len(words):
        raise UserError(f"{text}: the same name stands twice")
    return words


def _seed(word: str) -> int:
    if not word.isdigit():
        raise UserError(f"--seeds: {word!r} is no whole number")
    return int(word)


if __name__ == "__main__":
    flags.run(main, CompareParams)
