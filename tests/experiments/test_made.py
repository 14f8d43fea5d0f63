"""How a comparison was made, of runs of the tiny record set, by hand."""

import dataclasses
import shlex

import pytest

from tfmir.data.manifest import load_manifest
from tfmir.experiments import made
from tfmir.experiments.made import how_made, made_section
from tfmir.flags import parse
from tfmir.params import PipelineParams, RunParams, SystemParams, TrainParams
from tfmir.run_directory import Run
from tfmir.train import TrainCommand

COLUMNS = {
    "epochs": {"proxy": [10, 10], "plain": [10, 12]},
    "seconds": {"proxy": [3600, 1800], "plain": [1800, 1800]},
    "cpu_seconds": {"proxy": [7200, 3600], "plain": [3600, 3600]},
}
SEEDS = {"proxy": [4, 5], "plain": [4, 5]}


@pytest.fixture
def runs(records, tmp_path):
    manifest = load_manifest(records)
    kinds = {"proxy": SystemParams("proxy"), "plain": SystemParams("classification", False, False)}
    shared = PipelineParams(batch_size=32)
    of_systems = {}
    for system, kind in kinds.items():
        params = [RunParams(system=kind, pipeline=shared, training=TrainParams(epochs=12, seed=s)) for s in (4, 5)]
        facts = manifest.vocabulary, records, "tiny", "CC0-1.0", manifest.fingerprint
        of_systems[system] = [Run(tmp_path / f"{system}-{p.training.seed}", p, *facts) for p in params]
    return of_systems


def test_a_reader_of_the_report_alone_can_repeat_it(runs, records):
    """16 of 24 tracks have a mood: of the training split 8 of 12."""
    found = how_made(runs, ["--seeds=4,5", "--output=my runs", "--truth", "--published=p.csv"])
    assert found.shared == ["--batch_size=32", "--epochs=12"]
    assert found.tracks == {"train": 12, "validation": 6, "test": 6}
    assert found.annotated["train"] == pytest.approx({"genre": 1, "mood": 8 / 12})
    text = made_section(found, COLUMNS, SEEDS, "tiny")
    fingerprint = runs["proxy"][0].fingerprint[:12]
    assert f"`{records}`, of the corpus tiny, fingerprint `{fingerprint}`; tracks: 12 train, 6 valid" in text
    assert "train: genre 100%, mood 67%" in text
    assert "4 runs of 10 to 12 epochs: 5.0 hours of CPU time, and by the clock 2.5 hours one after" in text
    assert "| plain | 4, 5 | 10, 12 | `--system=classification --nodisentangled --nonormalized` |" in text
    assert "    python -m tfmir.compare --seeds=4,5 '--output=my runs' --truth --published=p.csv\n" in text
    assert "    python -m tfmir.evaluate --run=runs/proxy-4 --truth\n" in text
    assert "    python -m tfmir.compare --stored=report.json --output=again --published=p.csv\n" in text
    assert all(f"{name} " in text for name in ("Python", "tfmir", "tensorflow", "keras", "numpy"))


@pytest.mark.parametrize("system", ["proxy", "plain"])
def test_the_command_that_it_names_trains_the_same_run(runs, system):
    text = made_section(how_made({system: runs[system]}), COLUMNS, SEEDS, "tiny")
    words = shlex.split(text.split("    python -m tfmir.train ")[1].splitlines()[0])
    params = parse(["tfmir", *words], TrainCommand)
    assert (params.settings, params.records) == (runs[system][0].params, runs[system][0].records)


def test_records_of_the_demo_have_their_command(runs, records, monkeypatch):
    """2400 tracks to train are two demos."""
    manifest = dataclasses.replace(load_manifest(records), corpus="demo", annotated={"genre": 0.5, "mood": 1.0})
    splits = manifest.splits | {"train": dataclasses.replace(manifest.splits["train"], tracks=2400)}
    monkeypatch.setattr(made, "records_of", lambda run: (run, dataclasses.replace(manifest, splits=splits)))
    text = made_section(how_made(runs), COLUMNS, SEEDS, "demo")
    flags = "--corpus=demo --demo_scale=2 --annotated=genre=0.5,mood=1"
    assert f"    python -m tfmir.prepare {flags} --output={records}\n" in text


def test_what_is_not_there_is_not_told(runs, tmp_path):
    """Records that were removed; and a comparison of an earlier version."""
    gone = {"proxy": [dataclasses.replace(runs["proxy"][0], records=str(tmp_path / "gone"))]}
    text = made_section(how_made(gone), {}, {}, "tiny")
    assert "tracks: not known" in text
    assert "carry a tag" not in text
    earlier = made_section(None, COLUMNS, {}, "tiny")
    assert "more was not kept" in earlier
    assert "5.0 hours of CPU time" in earlier
    assert "tfmir.train" not in earlier
