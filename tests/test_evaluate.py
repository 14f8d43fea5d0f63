"""evaluate as a user types it."""

import json
import re

import pytest

from tests.fixtures.commands import called
from tfmir.errors import UserError


def test_it_writes_report_tables_and_figures(readme):
    run = readme.folder / "runs/proxy"
    report = json.loads((run / "report.json").read_text())
    assert (report["run"], report["schema_version"]) == ("proxy", 3)
    assert list(report["baselines"]) == ["statistics", "untrained", "random"]
    assert f"{report['system']['recall']['1']['mean']:.3f}" in readme.said("tfmir.evaluate")
    assert "## Leakage" in (run / "report.md").read_text()
    figures = {path.name for path in (run / "figures").iterdir()}
    assert figures == {"tsne.png", "recall.png", "leakage.png", "training.png"}


def test_every_picture_of_the_report_is_there(readme):
    run = readme.folder / "runs/proxy"
    for name in re.findall(r"\]\((figures/.*?)\)", (run / "report.md").read_text()):
        assert (run / name).exists(), name


def test_the_flags_reach_the_report(monkeypatch):
    asked = {}
    for name in ("trained_run", "records_of", "votes_on_songs"):
        monkeypatch.setattr(f"tfmir.evaluate.{name}", lambda *_: None)
    monkeypatch.setattr("tfmir.evaluation.run_report.evaluate_run", lambda run, **kwargs: asked.update(kwargs, run=run))
    called(
        "evaluate",
        "--run=runs/proxy",
        "--records=elsewhere/",
        "--nobaselines",
        "--truth",
        "--human_triplets=votes.csv",
        "--audio_dir=songs",
    )
    assert asked == {
        "run": "runs/proxy",
        "records": "elsewhere",
        "with_baselines": False,
        "with_truth": True,
        "with_figures": True,
        "human_triplets": "votes.csv",
        "audio_dir": "songs",
    }


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "no run given"),
        (["--run=nowhere"], "nowhere"),
        (["--truth"], "has labels only: leave --truth out, or take records that keep the truth"),
        (["--human_triplets=votes.csv"], "--human_triplets and --audio_dir go together"),
        (["--audio_dir=songs"], "--human_triplets and --audio_dir go together"),
        (["--human_triplets=nowhere.csv", "--audio_dir=."], "nowhere.csv"),
        (["--human_triplets=README.md", "--audio_dir=."], "README.md"),
        (["--human_triplets=README.md", "--audio_dir=nowhere"], "nowhere: no such folder"),
    ],
)
def test_mistakes_are_one_line_and_leave_the_report_alone(run, repository, flags, message, monkeypatch, snapshot):
    monkeypatch.chdir(repository)
    before = snapshot(run.path)
    given = flags if flags == [] or "--run=nowhere" in flags else [f"--run={run.path}", *flags]
    with pytest.raises(UserError) as told:
        called("evaluate", *given)
    assert message in str(told.value)
    assert snapshot(run.path) == before


def test_flags_of_a_library_reach_its_report(monkeypatch):
    asked = {}
    monkeypatch.setattr("tfmir.evaluate.trained_run", lambda *_: None)
    monkeypatch.setattr("tfmir.folders.require_folder", lambda *_: None)
    monkeypatch.setattr(
        "tfmir.evaluation.library.library_report.evaluate_library",
        lambda run, library, **kwargs: asked.update(kwargs, run=run, library=library),
    )
    called(
        "evaluate", "--run=runs/proxy", "--library=music/", "--annotations=json", "--by=artist,album", "--output=out/"
    )
    assert asked == {
        "run": "runs/proxy",
        "library": "music",
        "annotations": "json",
        "by": "artist,album",
        "output": "out",
        "with_baselines": True,
    }


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--by=artist"], "--by needs --library"),
        (["--annotations=tags.csv"], "--annotations needs --library"),
        (["--output=out"], "--output needs --library"),
        (["--library=music", "--records=tfrecords/other"], "--records does not go with --library"),
        (["--library=music", "--nofigures"], "--nofigures does not go with --library"),
        (["--library=music", "--truth"], "--truth does not go with --library"),
        (["--library=music", "--human_triplets=votes.csv"], "--human_triplets does not go with --library"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(flags, message):
    with pytest.raises(UserError, match=message):
        called("evaluate", "--run=runs/proxy", *flags)


def test_a_run_whose_records_have_moved_is_told_so(run, tmp_path):
    """The run directory is copied to another machine, without the records."""
    stored = json.loads((run.path / "params.json").read_text()) | {"records": str(tmp_path / "gone")}
    (tmp_path / "params.json").write_text(json.dumps(stored))
    (tmp_path / "best.weights.h5").write_bytes(run.best_weights.read_bytes())
    with pytest.raises(UserError, match="gone"):
        called("evaluate", f"--run={tmp_path}")
