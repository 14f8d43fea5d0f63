"""How a comparison was made: records, settings, seeds, epochs, hours, versions, and the commands that repeat it."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import platform
import shlex
from collections.abc import Mapping, Sequence

import tfmir
from tfmir.corpora.demo.demo import SPLIT_SIZES
from tfmir.data.manifest import Manifest
from tfmir.data.run_records import records_of
from tfmir.errors import UserError
from tfmir.evaluation.cells import duration, number_of
from tfmir.experiments.columns import Summary
from tfmir.flags import to_argv
from tfmir.markdown import table
from tfmir.run_directory import Run

_LIBRARIES = ("tensorflow", "keras", "numpy")
_SEED, _DEMO = "--seed=", "demo"
_OF_EVALUATE, _OF_TABLES = ("--truth", "--human_triplets", "--audio_dir"), ("--published",)
_REWRITE = "python -m tfmir.compare --stored=report.json --output=again"


@dataclasses.dataclass(frozen=True)
class Made:
    """What has to be the same for the same figures.

    Attributes:
      command: flags of the comparison.
      prepare: flags that make records of the demo, but for a `--demo_seed`, which is not kept; of other corpora none.
      records: where the records were, on the machine of the comparison.
      fingerprint: of what is in them.
      tracks: split -> how many; empty where the records were no longer there.
      annotated: split -> notion -> share of its tracks that carry a tag of it; likewise.
      shared: the flags that all runs share; those that are not named are at their defaults.
      own: system -> the flags that it alone has, without the seed.
      versions: of Python and of the libraries, when the runs were compared.
    """

    command: list[str]
    prepare: list[str]
    records: str
    fingerprint: str
    tracks: dict[str, int]
    annotated: dict[str, dict[str, float]]
    shared: list[str]
    own: dict[str, list[str]]
    versions: dict[str, str]


def how_made(runs: Mapping[str, Sequence[Run]], command: Sequence[str] = ()) -> Made:
    """Reads what the runs keep of themselves.

    Args:
      runs: system -> its runs, one a seed, all of one record set.
      command: flags of the comparison.
    """
    first = next(iter(runs.values()))[0]
    flags = {system: _without_seed(group[0]) for system, group in runs.items()}
    shared = [flag for flag in _without_seed(first) if all(flag in of for of in flags.values())]
    manifest = _manifest(first)
    tracks, annotated = _splits(manifest) if manifest else ({}, {})
    libraries = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    return Made(
        command=list(command),
        prepare=_prepare(manifest) if manifest else [],
        records=first.records,
        fingerprint=first.fingerprint,
        tracks=tracks,
        annotated=annotated,
        shared=shared,
        own={system: [flag for flag in of if flag not in shared] for system, of in flags.items()},
        versions={"Python": platform.python_version(), "tfmir": tfmir.__version__, **libraries},
    )


def made_section(made: Made | None, columns: Summary, seeds: Mapping[str, Sequence[int]], corpus: str) -> str:
    """A section of Markdown, with what is known: earlier versions kept neither records nor settings.

    Args:
      made: how it was made.
      columns: column -> system -> the figure of each seed.
      seeds: system -> its seeds; empty where they are not known.
      corpus: its name.
    """
    lines = [*_records(made, corpus), *_settings(made), *_effort(columns)]
    text = "".join(f"* {line}\n" for line in lines)
    return f"## How it was made\n\n{text}\n{_systems(made, columns, seeds)}{_commands(made, seeds)}"


def _without_seed(run: Run) -> list[str]:
    return [flag for flag in to_argv(run.params) if not flag.startswith(_SEED)]


def _manifest(run: Run) -> Manifest | None:
    """Of the records; None where they were moved or removed: the runs are compared all the same."""
    try:
        return records_of(run)[1]
    except UserError:
        return None


def _splits(manifest: Manifest) -> tuple[dict[str, int], dict[str, dict[str, float]]]:
    """Tracks of every split, and the share that carries a tag of each notion."""
    splits = {name: split for name, split in manifest.splits.items() if split.tracks}
    notions = manifest.vocabulary.notions
    return {name: split.tracks for name, split in splits.items()}, {
        name: {notion: count / split.tracks for notion, count in zip(notions, split.notion_counts, strict=True)}
        for name, split in splits.items()
    }


def _prepare(manifest: Manifest) -> list[str]:
    if manifest.corpus != _DEMO:
        return []
    scale = manifest.splits["train"].tracks / SPLIT_SIZES["train"]
    shares = ",".join(f"{notion}={share:g}" for notion, share in (manifest.annotated or {}).items())
    flags = [f"--corpus={_DEMO}", f"--demo_scale={scale:g}" if scale != 1 else "", shares and f"--annotated={shares}"]
    return [flag for flag in flags if flag]


def _records(made: Made | None, corpus: str) -> list[str]:
    if made is None:
        return [f"Records: of the corpus {corpus}; more was not kept."]
    fingerprint = f", fingerprint `{made.fingerprint[:12]}`" if made.fingerprint else ""
    tracks = ", ".join(f"{count} {split}" for split, count in made.tracks.items())
    lines = [f"Records: `{made.records}`, of the corpus {corpus}{fingerprint}; tracks: {tracks or 'not known'}."]
    if any(share < 1 for of_split in made.annotated.values() for share in of_split.values()):
        told = "; ".join(
            f"{split}: {', '.join(f'{notion} {share:.0%}' for notion, share in shares.items())}"
            for split, shares in made.annotated.items()
        )
        lines.append(f"Tracks that carry a tag of a notion, the others none: {told}.")
    return lines


def _settings(made: Made | None) -> list[str]:
    if made is None:
        return []
    versions = ", ".join(f"{name} {version}" for name, version in made.versions.items())
    shared = f"`{shlex.join(made.shared)}`" if made.shared else "none"
    return [
        f"Settings that all runs share, beside defaults: {shared}.",
        f"Versions when the runs were compared: {versions}.",
    ]


def _effort(columns: Summary) -> list[str]:
    """Epochs and hours of all runs together, as far as they are kept."""
    epochs, wall, cpu = (_known(columns, name) for name in ("epochs", "seconds", "cpu_seconds"))
    if not epochs:
        return []
    least, most = int(min(epochs)), int(max(epochs))
    each = number_of(least, "epoch") if least == most else f"{least} to {most} epochs"
    return [
        f"{number_of(len(epochs), 'run')} of {each}: {duration(sum(cpu))} of CPU time, and by the clock "
        f"{duration(sum(wall))} one after the other, in training and validation (epochs × their median)."
    ]


def _known(columns: Summary, name: str) -> list[float]:
    return [value for of_seeds in columns.get(name, {}).values() for value in of_seeds if value is not None]


def _systems(made: Made | None, columns: Summary, seeds: Mapping[str, Sequence[int]]) -> str:
    """Every system that was trained, with its seeds, its epochs and its own flags."""
    if made is None:
        return ""
    rows = []
    for system, flags in made.own.items():
        epochs = columns.get("epochs", {}).get(system, [])
        told = ", ".join("–" if count is None else str(int(count)) for count in epochs)
        rows.append(
            [system, ", ".join(map(str, seeds.get(system, []))), told, f"`{shlex.join(flags)}`" if flags else ""]
        )
    return table(["system", "seeds", "epochs of each", "flags of its own"], rows)


def _commands(made: Made | None, seeds: Mapping[str, Sequence[int]]) -> str:
    if made is None:
        return f"The tables are written again by\n\n    {_REWRITE}\n"
    system, flags = next(iter(made.own.items()))
    seed = seeds[system][0] if seeds.get(system) else 0
    run = f"--run=runs/{system}-{seed}"
    train = [f"--records={made.records}", run, *made.shared, *flags, f"{_SEED}{seed}"]
    prepare = [*made.prepare, f"--output={made.records}"]
    lines = [
        *([f"python -m tfmir.prepare {shlex.join(prepare)}"] if made.prepare else []),
        f"python -m tfmir.compare {shlex.join(made.command)}".rstrip(),
        f"python -m tfmir.train {shlex.join(train)}",
        f"python -m tfmir.evaluate {shlex.join([run, *_taken(made, _OF_EVALUATE)])}",
        f"{_REWRITE} {shlex.join(_taken(made, _OF_TABLES))}".rstrip(),
    ]
    return (
        f"\n{'The records, all' if made.prepare else 'All'} of it, the training and the evaluation of one run, and "
        "these tables alone are made again by\n\n"
        + "".join(f"    {line}\n" for line in lines)
        + "\nOther libraries and other machines round differently: figures are then those of another seed.\n"
    )


def _taken(made: Made, names: Sequence[str]) -> list[str]:
    return [flag for flag in made.command if flag.split("=")[0] in names]
