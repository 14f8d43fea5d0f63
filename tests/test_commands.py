"""The whole path through the commands, as a user types them: evaluate, export, search, and their mistakes."""

import json
import shutil
import subprocess
import sys

import pytest

from tfmir import search, train
from tfmir.errors import UserError
from tfmir.flags import parse

COMMANDS = {"search": (search, search.SearchParams), "train": (train, train.TrainCommand)}
TINY = ["--flagfile=launch/proxy.flags", "--flagfile=launch/demo.flags"]


def tfmir(readme, command, *flags):
    """A command, in the folder where README's blocks were run."""
    arguments = [sys.executable, "-m", f"tfmir.{command}", *map(str, flags)]
    return subprocess.run(arguments, capture_output=True, text=True, cwd=readme.folder)


def output(readme, words):
    return next(result.stdout for block, result in readme.results.items() if words in block)


def test_evaluate_writes_report_tables_and_figures(readme):
    run = readme.folder / "runs/proxy"
    report = json.loads((run / "report.json").read_text())
    assert report["run"] == "proxy"
    assert list(report["baselines"]) == ["statistics", "untrained", "random"]
    assert f"{report['system']['recall']['1']['mean']:.3f}" in output(readme, "tfmir.evaluate")
    assert "## Leakage" in (run / "report.md").read_text()
    figures = {path.name for path in (run / "figures").iterdir()}
    assert figures == {"tsne.png", "recall.png", "leakage.png", "training.png"}


def test_export_lists_its_signatures_with_tensorflows_own_tool(readme):
    assert "checked 14 signatures" in output(readme, "tfmir.export")
    tool = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli"]
    bundle = readme.folder / "export/models/tfmir/1"
    shown = subprocess.run([*tool, "show", "--dir", bundle, "--all"], capture_output=True, text=True)
    for name in ("serving_default", "embed_mood", "embed_era_log_mel", "tag"):
        assert f"signature_def['{name}']" in shown.stdout


def test_search_by_mood_in_a_split_as_a_table_and_as_json(readme):
    flags = ["--run=runs/proxy", "--library=test", "--like=test/00002.flac", "--weights=mood=1"]
    found = json.loads(tfmir(readme, "search", *flags, "--json").stdout)
    scores = [hit["score"] for hit in found["results"]]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == pytest.approx(found["results"][0]["similarities"]["mood"], abs=1e-5)
    table = output(readme, "--like=test/00002.flac")
    assert all(hit["track_id"] in table for hit in found["results"])
    assert "test/00002.flac" not in [hit["track_id"] for hit in found["results"]]


MISTAKES = [
    ("search", ["--like=nowhere.mp3"], "neither a file nor a track"),
    ("search", ["--like=test/00002.flac", "--weights=tempo=1"], "no notion 'tempo'"),
    ("search", ["--like=test/00002.flac", "--library=nowhere"], "neither a folder nor a split"),
    ("search", [], "--like is empty"),
    ("train", ["--learning_rate=-1"], "--learning_rate=-1.0 is too small"),
    ("train", ["word"], "stray word 'word'"),
    ("train", [*TINY, "--learning_rate=0.1"], "learning_rate is 0.005, asked for 0.1"),
    ("train", [*TINY, "--nodisentangled"], "holds another run"),
    ("train", ["--embedding_dim=30"], "use 28 or 32"),
]


@pytest.mark.parametrize(("command", "flags", "message"), MISTAKES)
def test_mistakes_are_told_and_change_nothing(readme, command, flags, message, monkeypatch):
    monkeypatch.chdir(readme.folder)
    before = _files(readme.folder / "runs/proxy")
    module, params_class = COMMANDS[command]
    with pytest.raises(UserError) as told:
        module.main(parse(["tfmir", "--run=runs/proxy", *flags], params_class))
    assert message in str(told.value)
    assert _files(readme.folder / "runs/proxy") == before


def _files(run):
    """Everything in a run but the libraries that a search keeps there."""
    return {p: p.stat().st_mtime_ns for p in run.rglob("*") if p.is_file() and "library" not in p.parts}


def test_records_of_another_feature_setting_are_refused(readme, tmp_path):
    shutil.copytree(readme.folder / "tfrecords/demo", tmp_path / "other")
    manifest = json.loads((tmp_path / "other/manifest.json").read_text())
    manifest["features"]["hop_length"] = 256
    (tmp_path / "other/manifest.json").write_text(json.dumps(manifest))
    result = tfmir(readme, "train", *TINY, f"--records={tmp_path}/other", f"--run={tmp_path}/run")
    assert result.returncode == 2
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "hop_length=256, this model needs hop_length=512" in errors[0]
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_missing_audio_folder_is_one_line(readme, tmp_path):
    result = tfmir(readme, "prepare", "--corpus=folder", f"--audio_dir={tmp_path}/nowhere", f"--output={tmp_path}/out")
    assert result.returncode == 2
    assert result.stderr == f"error: --audio_dir={tmp_path}/nowhere: no such folder\n"
    assert not (tmp_path / "out").exists()
