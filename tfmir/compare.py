"""Trains and evaluates several systems with several seeds, and puts them side by side as the paper does.

    python -m tfmir.compare --flagfile=launch/compare.flags
    python -m tfmir.compare --stored=docs/comparison/sparse/report.json --output=again

Every run is `<output>/<system>-<seed>`, trained by the train command and evaluated by the evaluate command; finished
ones are reused. Interrupted, the same command goes on where it stopped. Writes report.md, report.json and figures/.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tfmir import command, files, folders, resources
from tfmir.errors import UserError
from tfmir.experiments.systems import ALIASES, ALL
from tfmir.fields import field, refuse_given
from tfmir.flags import parse, to_argv
from tfmir.params import MAX_SEED
from tfmir.train import TrainCommand, make_missing_demo

if TYPE_CHECKING:
    from tfmir.experiments.queue import Job

_LAUNCH = "launch"
_WITH_STORED = ("stored", "output", "published")
_SEEDS = "seeds or ranges of them, separated by commas"


@dataclasses.dataclass(frozen=True)
class CompareParams:
    """Flags of the command."""

    systems: str = field(",".join(ALL), "names of flag files in --launch, separated by commas")
    seeds: str = field("0,1,2", f"{_SEEDS}, such as 10-19; every system is trained with each")
    more_seeds: str = field("", f"{_SEEDS}: with these, only --more_systems are trained")
    more_systems: str = field("", "those of --systems that are trained with --more_seeds, too")
    output: str = field("runs/comparison", "directory of the runs and of the report", path=True)
    settings: str = field(
        "", "flag files given to every run before its system's own, which has the last word; with commas", path="list"
    )
    published: str = field(
        "", "CSV of published figures (system, column, value): each gets a column beside ours, on other data", path=True
    )
    contrasts: str = field(
        "docs/comparison/contrasts.csv",
        "CSV of the differences to judge, primary and secondary; empty: none",
        path=True,
    )
    stored: str = field(
        "", "report.json of an earlier comparison: only its tables are written again, to --output", path=True
    )
    truth: bool = field(False, "ask every run against the truth, too, where the records keep one beside the labels")
    human_triplets: str = field("", "votes of listeners for every run, as evaluate takes them", path=True)
    audio_dir: str = field("", "folder with the songs of --human_triplets", path=True)
    tsne_tags: str = field("", "notion/a,b: two tags for the t-SNE of a disentangled triplet system (paper, Figure 3)")
    launch: str = field(_LAUNCH, "directory of the systems' flag files", path=True)
    jobs: int = field(1, "runs side by side; the cores are shared out among them", lower=1)


def main(params: CompareParams) -> None:
    """Trains, evaluates and compares, or writes the tables of an earlier comparison again."""
    if files.is_remote(params.output):
        raise UserError(f"--output={params.output}: compare needs a local folder, which all its runs share")
    folders.require_writable("output", params.output)
    if params.stored:
        _rewrite(params)
    else:
        from tfmir.training.cluster import refuse_cluster

        refuse_cluster("compare", "unset it")
        _compare(params)


def _rewrite(params: CompareParams) -> None:
    """Writes the tables of an earlier comparison again; its differences were judged then, from the runs' answers."""
    others = [f.name for f in dataclasses.fields(params) if f.name not in _WITH_STORED]
    refuse_given(params, others, "does not go with --stored, which takes --output and --published: leave it out")
    from tfmir.experiments.comparison import rewrite
    from tfmir.experiments.published import load_published

    output = pathlib.Path(params.output)
    report = rewrite(params.stored, output, published=load_published(params.published))
    print(f"{report}\nreport: {output / 'report.md'}")


def _compare(params: CompareParams) -> None:
    rows, seeds = _words("systems", params.systems), _seeds_of_systems(params)
    flags = {system: _flags(params, system) for system in seeds}
    from tfmir.corpora.votes import votes_on_songs
    from tfmir.experiments.comparison import compare
    from tfmir.experiments.contrasts import load_contrasts
    from tfmir.experiments.plots import check_tsne_tags
    from tfmir.experiments.published import load_published
    from tfmir.experiments.queue import run_jobs

    published = load_published(params.published)
    contrasts = load_contrasts(params.contrasts, launch=params.launch)
    votes_on_songs(params.human_triplets, params.audio_dir)
    jobs = _jobs(params, seeds, flags)
    runs = {system: [jobs[system, seed].run for seed in of_system] for system, of_system in seeds.items()}
    check_tsne_tags(params.tsne_tags, runs)
    output = pathlib.Path(params.output)
    print(f"{len(jobs)} runs in {output}, {params.jobs} at a time; the log of each is its train.log")
    run_jobs(list(jobs.values()), side_by_side=params.jobs)
    report = compare(
        {system: [pathlib.Path(run.path) for run in of_seeds] for system, of_seeds in runs.items()},
        output,
        rows=rows,
        contrasts=contrasts,
        truth=params.truth,
        published=published,
        tsne_tags=params.tsne_tags,
        command=to_argv(params),
    )
    print(f"\n{report}\nreport: {output / 'report.md'}, figures: {output / 'figures'}")


def _jobs(
    params: CompareParams, seeds: dict[str, list[int]], flags: dict[str, tuple[str, ...]]
) -> dict[tuple[str, int], Job]:
    """System and seed -> its job, seed by seed; what train would refuse is refused here, before the first run."""
    from tfmir.experiments.queue import Job
    from tfmir.training.asked import asked_run

    jobs = {}
    order = dict.fromkeys(seed for of_system in seeds.values() for seed in of_system)
    for seed, system in ((seed, system) for seed in order for system in seeds if seed in seeds[system]):
        words = (*flags[system], f"--seed={seed}")
        run = f"{params.output}/{system}-{seed}"
        training = parse(["tfmir.train", *words, f"--run={run}"], TrainCommand)
        if training.settings.training.precision == "auto":
            raise UserError("--precision=auto: runs that each measure for themselves cannot be compared: say which")
        make_missing_demo(training.records)
        asked, _ = asked_run(run, training.settings, training.records)
        jobs[system, seed] = Job(asked, words, _evaluation(params))
    return jobs


def _seeds_of_systems(params: CompareParams) -> dict[str, list[int]]:
    """System -> its seeds, of all that are trained: of two names of one function, one."""
    systems, seeds = _words("systems", params.systems), _seeds("seeds", params.seeds)
    if not systems or not seeds:
        raise UserError("nothing to compare: --systems and --seeds need a name and a number at least")
    more_systems, more_seeds = _words("more_systems", params.more_systems), _seeds("more_seeds", params.more_seeds)
    unknown = [system for system in more_systems if system not in systems]
    if unknown:
        raise UserError(f"--more_systems: {unknown[0]} is not one of --systems={params.systems}")
    if bool(more_systems) != bool(more_seeds):
        raise UserError("--more_systems and --more_seeds go together")
    aliases = ALIASES if params.launch == _LAUNCH else {}
    seeds_of = {s: [*seeds, *(n for n in more_seeds if s in more_systems and n not in seeds)] for s in systems}
    for alias, system in aliases.items():
        if alias in seeds_of and system in seeds_of:
            seeds_of[system] = max(seeds_of[system], seeds_of.pop(alias), key=len)
    return seeds_of


def _flags(params: CompareParams, system: str) -> tuple[str, ...]:
    """The flag files of a run: the settings, and the system's own, which may say otherwise."""
    own = f"{params.launch}/{system}.flags"
    paths = [*_words("settings", params.settings), own]
    for path in paths:
        if not os.path.exists(resources.find(path)):
            flag = f"--systems={system}, in --launch={params.launch}" if path == own else "--settings"
            raise UserError(f"{flag}: {path}: no such flag file")
    return tuple(f"--flagfile={path}" for path in paths)


def _evaluation(params: CompareParams) -> tuple[str, ...]:
    votes = (f"--human_triplets={params.human_triplets}", f"--audio_dir={params.audio_dir}")
    return (*(votes if params.human_triplets else ()), *(("--truth",) if params.truth else ()))


def _words(flag: str, text: str) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    _refuse_doubles(flag, text, words)
    return words


def _refuse_doubles(flag: str, text: str, values: Sequence[object]) -> None:
    if doubled := [value for number, value in enumerate(values) if value in values[:number]]:
        raise UserError(f"--{flag}={text}: {doubled[0]} stands twice")


def _seeds(flag: str, text: str) -> list[int]:
    """Numbers and ranges of numbers, `10-12,15`, one by one."""
    seeds: list[int] = []
    for word in filter(None, map(str.strip, text.split(","))):
        ends = word.split("-")
        if len(ends) > 2 or not all(end.isdecimal() and int(end) <= MAX_SEED for end in ends):
            raise UserError(f"--{flag}: {word!r} is no whole number from 0 to {MAX_SEED}, and no range such as 10-19")
        first, last = int(ends[0]), int(ends[-1])
        if not 0 <= last - first < _MOST:
            raise UserError(f"--{flag}: {word!r} is no range of up to {_MOST} seeds, the lower one first")
        seeds += range(first, last + 1)
    _refuse_doubles(flag, text, seeds)
    return seeds


_MOST = 1000


if __name__ == "__main__":
    command.run(main, CompareParams, resumes=True)
