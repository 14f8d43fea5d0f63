"""Trains and evaluates several systems with several seeds, and puts them side by side as the paper does.

    python -m tfmir.compare --flagfile=launch/compare.flags
    python -m tfmir.compare --stored=docs/comparison/report.json --output=again

Every run is `<output>/<system>-<seed>`, trained by the train command and evaluated by the evaluate command; finished
ones are reused. Interrupted, the same command goes on where it stopped. Writes report.md, report.json and figures/.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib

from tfmir import command, files, resources
from tfmir.errors import UserError
from tfmir.experiments.systems import ALL
from tfmir.params import MAX_SEED, field


@dataclasses.dataclass(frozen=True)
class CompareParams:
    """Flags of the command."""

    systems: str = field(",".join(ALL), "names of flag files in --launch, separated by commas")
    seeds: str = field("0,1,2", "seeds, separated by commas; every system is trained with each")
    output: str = field("runs/comparison", "directory of the runs and of the report", path=True)
    settings: str = field("", "flag files given to every run after its system's own, separated by commas", path="list")
    published: str = field(
        "", "CSV of published figures (system, column, value): each gets a column beside ours, on other data", path=True
    )
    stored: str = field(
        "", "report.json of an earlier comparison: only its tables are written again, to --output", path=True
    )
    human_triplets: str = field("", "votes of listeners for every run, as evaluate takes them", path=True)
    audio_dir: str = field("", "folder with the songs of --human_triplets", path=True)
    tsne_tags: str = field("", "notion/a,b: two tags for the t-SNE of a disentangled triplet system (paper, Figure 3)")
    launch: str = field("launch", "directory of the systems' flag files", path=True)
    jobs: int = field(1, "runs side by side; the cores are shared out among them", lower=1)


def main(params: CompareParams) -> None:
    """Trains, evaluates and compares, or writes the tables of an earlier comparison again."""
    if files.is_remote(params.output):
        raise UserError(f"--output={params.output}: compare needs a local folder, which all its runs share")
    output = pathlib.Path(params.output)
    if params.stored:
        from tfmir.experiments.comparison import rewrite
        from tfmir.experiments.published import load_published

        report = rewrite(params.stored, output, published=load_published(params.published))
        print(f"{report}\nreport: {output / 'report.md'}")
        return
    systems, seeds = _words(params.systems), _seeds(params.seeds)
    if not systems or not seeds:
        raise UserError("nothing to compare: --systems and --seeds need a name and a number at least")
    flag_files = {system: f"{params.launch}/{system}.flags" for system in systems}
    settings = _words(params.settings)
    for path in [*flag_files.values(), *settings]:
        if not os.path.exists(resources.find(path)):
            raise UserError(f"{path}: no such flag file (--systems names those in --launch={params.launch})")
    from tfmir.corpora.votes import votes_on_songs
    from tfmir.experiments.comparison import compare
    from tfmir.experiments.published import load_published
    from tfmir.experiments.queue import Job, run_jobs

    published = load_published(params.published)
    votes_on_songs(params.human_triplets, params.audio_dir)
    votes = [f"--human_triplets={params.human_triplets}", f"--audio_dir={params.audio_dir}"]
    jobs = [
        Job(
            run=output / f"{system}-{seed}",
            flags=(
                f"--flagfile={flag_files[system]}",
                *(f"--flagfile={path}" for path in settings),
                f"--seed={seed}",
            ),
            evaluation=tuple(votes if params.human_triplets else ()),
        )
        for seed in seeds
        for system in systems
    ]
    print(f"{len(jobs)} runs in {output}, {params.jobs} at a time; the log of each is its train.log")
    run_jobs(jobs, side_by_side=params.jobs)
    runs = {system: [output / f"{system}-{seed}" for seed in seeds] for system in systems}
    report = compare(runs, output, published=published, tsne_tags=params.tsne_tags)
    print(f"\n{report}\nreport: {output / 'report.md'}, figures: {output / 'figures'}")


def _words(text: str) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if len(set(words)) < len(words):
        raise UserError(f"{text}: the same name stands twice")
    return words


def _seeds(text: str) -> list[int]:
    words = _words(text)
    for word in words:
        if not word.isdecimal() or int(word) > MAX_SEED:
            raise UserError(f"--seeds: {word!r} is no whole number from 0 to {MAX_SEED}")
    seeds = list(map(int, words))
    if len(set(seeds)) < len(seeds):
        raise UserError(f"--seeds={text}: the same seed stands twice")
    return seeds


if __name__ == "__main__":
    command.run(main, CompareParams)
