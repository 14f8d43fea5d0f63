"""compare as a user types it, at a tiny size."""

import json
import pathlib
import re

import pytest

from tests.fixtures.commands import called
from tfmir import files
from tfmir.errors import UserError
from tfmir.run_directory import Run
from tfmir.vocabulary import Vocabulary


def test_interrupted_in_the_middle_it_ends_its_runs_and_says_how_to_go_on(commands, settings, tmp_path):
    """That a resumed run is the same as an undisturbed one is shown in `training/test_loop.py`; that what is finished
    is not done again, in `experiments/test_queue.py`."""
    output = tmp_path / "out"
    flags = ["--systems=triplet_track", "--seeds=3", f"--settings={settings}", f"--output={output}"]
    process = commands.start("compare", *flags)
    backups = output / "triplet_track-3/backup"
    said = commands.interrupt(process, lambda: any(backups.glob("epoch-*/state.json")))
    assert "give the same command again" in said
    assert not (output / "report.md").exists()
    with files.locked(output / "triplet_track-3/.lock", busy="its run goes on"):
        pass


def test_it_ends_with_a_report_of_all_runs(readme):
    output = readme.folder / "runs/two"
    figures = {path.name for path in (output / "figures").iterdir()}
    assert figures == {"recall.png", "time.png", "leakage.png", "trade_off.png", "tsne.png"}
    assert set(re.findall(r"\(figures/(.*?)\)", (output / "report.md").read_text())) == figures
    stored = json.loads((output / "proxy-0/report.json").read_text())
    assert (stored["run"], stored["baselines"]) == ("proxy-0", {})
    report = json.loads((output / "report.json").read_text())
    assert report["seeds"] == {"proxy": [0], "triplet_disentangled": [0]}
    assert "subspace-triplets" in {finding["contrast"]["id"] for finding in report["labels"]["contrasts"]}
    assert "\n## Primary contrasts\n" in (output / "report.md").read_text()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--systems=nobody"], "--systems=nobody, in --launch=launch: launch/nobody.flags: no such flag file"),
        (["--systems=proxy,proxy"], "--systems=proxy,proxy: proxy stands twice"),
        (["--seeds=0,0"], "--seeds=0,0: 0 stands twice"),
        (["--systems=proxy", "--seeds=one"], "'one' is no whole number"),
        (["--systems=proxy", "--seeds=-1"], "'-1' is no whole number"),
        (["--seeds=4294967296"], "'4294967296' is no whole number from 0 to 4294967295"),
        (["--seeds=²"], "'²' is no whole number"),
        (["--seeds=1,01"], "--seeds=1,01: 1 stands twice"),
        (["--seeds=1-3,2"], "--seeds=1-3,2: 2 stands twice"),
        (["--seeds=3-1"], "'3-1' is no range of up to 1000 seeds, the lower one first"),
        (["--seeds=0-9999"], "'0-9999' is no range of up to 1000 seeds"),
        (["--seeds=1-2-3"], "'1-2-3' is no whole number from 0 to 4294967295, and no range such as 10-19"),
        (["--more_seeds=5-"], "--more_seeds: '5-' is no whole number"),
        (["--more_seeds=5"], "--more_systems and --more_seeds go together"),
        (["--systems=proxy", "--more_systems=joint", "--more_seeds=5"], "joint is not one of --systems=proxy"),
        (["--contrasts=nowhere.csv"], "--contrasts=nowhere.csv: no such file"),
        (["--systems="], "nothing to compare"),
        (["--seeds=,"], "nothing to compare"),
        (["--jobs=0"], "--jobs=0 is too small"),
        (["--settings=nowhere.flags"], "--settings: nowhere.flags: no such flag file"),
        (["--published=nowhere.csv"], "--published=nowhere.csv: no such file"),
        (["--human_triplets=votes.csv"], "--human_triplets and --audio_dir go together"),
        (["--audio_dir=songs"], "--human_triplets and --audio_dir go together"),
        (["--human_triplets=nowhere.csv", "--audio_dir=docs"], "nowhere.csv"),
        (["--human_triplets=nowhere.csv", "--audio_dir=nowhere"], "--audio_dir=nowhere: no such folder"),
        (["--stored=nowhere.json"], "--stored=nowhere.json: no such file"),
        (["--stored=x.json", "--seeds=5"], "--seeds does not go with --stored, which takes --output and --published"),
        (["--stored=x.json", "--contrasts="], "--contrasts does not go with --stored"),
        (["--output=/dev/null/x"], "--output=/dev/null/x: nothing can be written there"),
    ],
)
def test_what_cannot_be_compared_is_one_line_before_anything_is_trained(
    repository, tmp_path, monkeypatch, flags, message
):
    monkeypatch.chdir(repository)
    with pytest.raises(UserError) as told:
        called("compare", f"--output={tmp_path}/out", *flags)
    assert message in str(told.value)
    assert "\n" not in str(told.value)
    assert not (tmp_path / "out").exists()


def test_a_store_cannot_be_shared_by_runs():
    with pytest.raises(UserError, match="--output=s3://b/x: compare needs a local folder"):
        called("compare", "--output=s3://b/x")


def test_flags_that_train_would_refuse_are_refused_before_the_first_run(settings, repository, tmp_path, monkeypatch):
    """The tags of the t-SNE are looked for in the vocabulary of the records."""
    monkeypatch.chdir(repository)
    bad = tmp_path / "bad.flags"
    bad.write_text("--batch_size=7\n")
    flags = ["--systems=proxy,triplet_track", "--seeds=0", f"--output={tmp_path}/out"]
    with pytest.raises(UserError, match="--batch_size=7: system triplet takes excerpts in pairs"):
        called("compare", *flags, f"--settings={settings},{bad}")
    bad.write_text("--precision=auto\n")
    with pytest.raises(UserError, match="runs that each measure for themselves cannot be compared"):
        called("compare", *flags, f"--settings={settings},{bad}")
    for tags in ("rock,jazz", "genre/rock", "genre/rock,polka", "genre/rock,rock"):
        with pytest.raises(UserError, match=f"--tsne_tags={tags}: expected a notion and two of its tags, such as"):
            called("compare", *flags, f"--settings={settings}", f"--tsne_tags={tags}")
    with pytest.raises(UserError, match="none of classification_plain has sub-spaces"):
        called("compare", *flags, "--systems=classification_plain", f"--settings={settings}", "--tsne_tags=genre/a,b")
    assert not (tmp_path / "out").exists()


def a_run(path, params, records):
    vocabulary = Vocabulary.from_dict({"genre": ["a", "b"]})
    return Run(pathlib.Path(path), params, vocabulary, records, "demo", "CC0-1.0"), None


@pytest.fixture
def asked(repository, monkeypatch):
    """What the command asks for, without doing it."""
    found = {}
    monkeypatch.chdir(repository)
    monkeypatch.setattr("tfmir.experiments.queue.run_jobs", lambda jobs, **kwargs: found.update(jobs=jobs, **kwargs))
    monkeypatch.setattr(
        "tfmir.experiments.comparison.compare", lambda runs, *_, **kwargs: found.update(kwargs, runs=runs)
    )
    monkeypatch.setattr("tfmir.corpora.votes.votes_on_songs", lambda path, audio_dir: [])
    monkeypatch.setattr("tfmir.compare.make_missing_demo", lambda records: None)
    monkeypatch.setattr("tfmir.training.asked.asked_run", a_run)
    return found


def test_flags_become_one_job_for_every_system_and_seed(asked, tmp_path):
    flags = ["--systems=proxy,joint", "--seeds=0, 7", "--settings=launch/demo.flags", "--jobs=2"]
    flags += ["--tsne_tags=genre/a,b", "--truth", "--human_triplets=votes.csv", "--audio_dir=songs"]
    called("compare", *flags, f"--output={tmp_path}")
    runs = [job.run.path.name for job in asked["jobs"]]
    assert (runs, asked["side_by_side"]) == (["proxy-0", "joint-0", "proxy-7", "joint-7"], 2)
    job = asked["jobs"][3]
    # The system's own file has the last word: what a variant changes, no setting takes back.
    assert job.flags == ("--flagfile=launch/demo.flags", "--flagfile=launch/joint.flags", "--seed=7")
    assert job.evaluation == ("--human_triplets=votes.csv", "--audio_dir=songs", "--truth")
    assert asked["runs"] == {name: [tmp_path / f"{name}-{seed}" for seed in (0, 7)] for name in ("proxy", "joint")}
    assert (asked["tsne_tags"], asked["truth"], asked["rows"]) == ("genre/a,b", True, ["proxy", "joint"])
    assert asked["contrasts"][0].id == "normalisation"


def test_some_systems_may_have_more_seeds(asked, tmp_path):
    flags = ["--systems=triplet,proxy,joint", "--seeds=10-12", "--more_systems=proxy,joint", "--more_seeds=12-13,20"]
    called("compare", *flags, "--contrasts=", f"--output={tmp_path}")
    names = {system: [path.name for path in paths] for system, paths in asked["runs"].items()}
    assert names["triplet"] == ["triplet-10", "triplet-11", "triplet-12"]
    assert names["proxy"] == [f"proxy-{seed}" for seed in (10, 11, 12, 13, 20)]
    assert {job.run.path.name for job in asked["jobs"]} == {name for group in names.values() for name in group}
    assert len(asked["jobs"]) == 13
    assert [job.run.path.name for job in asked["jobs"]][-2:] == ["proxy-20", "joint-20"]
    assert (asked["contrasts"], asked["jobs"][0].evaluation) == ([], ())


def test_one_function_with_two_names_is_trained_once(asked, tmp_path):
    called("compare", "--seeds=3", f"--output={tmp_path}")
    assert "proxy_basic" not in asked["runs"]
    assert len(asked["jobs"]) == len(asked["runs"]) == 8
    assert asked["rows"][3] == "proxy_basic"
    called("compare", "--systems=proxy_basic,proxy", "--seeds=3", f"--output={tmp_path}")
    assert [job.run.path.name for job in asked["jobs"]] == ["proxy_basic-3", "proxy-3"]


def test_any_flag_file_is_a_system_and_of_another_folder_none_is_known(asked, tmp_path):
    for name in ("classification", "proxy_basic", "triplet_random"):
        (tmp_path / f"{name}.flags").write_text("--system=triplet\n")
    flags = ["--systems=classification,proxy_basic,triplet_random", "--seeds=3", f"--launch={tmp_path}"]
    called("compare", *flags, f"--output={tmp_path}/out")
    assert list(asked["runs"]) == asked["rows"] == ["classification", "proxy_basic", "triplet_random"]


def test_the_stored_comparison_is_written_again_from_any_folder_without_a_run(
    tmp_path, monkeypatch, repository, capsys
):
    """The published figures that come with tfmir stand beside ours."""
    monkeypatch.chdir(tmp_path)
    called(
        "compare",
        f"--stored={repository}/docs/comparison/sparse/report.json",
        "--published=docs/comparison/published.csv",
        "--output=x",
    )
    assert capsys.readouterr().out.endswith("report: x/report.md\n")
    text = (tmp_path / "x/report.md").read_text()
    for title in ("Table 1: ", "Table 3: ", "Table 4: "):
        assert f"\n## {title}" in text
    assert "R@1, published" in text
