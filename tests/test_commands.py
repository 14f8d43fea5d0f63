"""The whole path through the commands, as a user types them: evaluate, export, search, and their mistakes."""

import json
import shutil
import subprocess
import sys

import pytest

TINY = [
    "--width_multiplier=0.0625", "--blocks=1", "--embedding_dim=16", "--batch_size=4", "--excerpts_per_read=2",
    "--shuffle_buffer=8", "--epochs=1",
]  # fmt: skip


def tfmir(command, *flags):
    return subprocess.run([sys.executable, "-m", f"tfmir.{command}", *map(str, flags)], capture_output=True, text=True)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A tiny demo corpus and a run on it."""
    folder = tmp_path_factory.mktemp("commands")
    flags = [f"--audio_dir={folder}/audio", f"--output={folder}/records", "--demo_scale=0.05", "--workers=2"]
    assert tfmir("prepare", *flags).returncode == 0
    result = tfmir("train", f"--records={folder}/records", f"--run={folder}/run", *TINY)
    assert result.returncode == 0, result.stderr
    return folder


def test_evaluate_writes_report_tables_and_figures(demo):
    result = tfmir("evaluate", f"--run={demo}/run")
    assert result.returncode == 0, result.stderr
    report = json.loads((demo / "run/report.json").read_text())
    assert list(report["contenders"]) == ["run", "statistics", "untrained", "random"]
    assert f"{report['contenders']['run']['recall']['1']['mean']:.3f}" in result.stdout
    assert "## Leakage" in (demo / "run/report.md").read_text()
    figures = {path.name for path in (demo / "run/figures").iterdir()}
    assert figures == {"tsne.png", "recall.png", "leakage.png", "training.png"}


def test_export_lists_its_signatures_with_tensorflows_own_tool(demo):
    result = tfmir("export", f"--run={demo}/run", f"--output={demo}/models", "--name=demo")
    assert result.returncode == 0, result.stderr
    assert "checked 14 signatures" in result.stdout
    tool = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli"]
    shown = subprocess.run([*tool, "show", "--dir", demo / "models/demo/1", "--all"], capture_output=True, text=True)
    for name in ("serving_default", "embed_mood", "embed_era_log_mel", "tag"):
        assert f"signature_def['{name}']" in shown.stdout


def test_search_by_mood_in_a_split_as_json_and_as_a_table(demo):
    flags = [f"--run={demo}/run", "--library=test", "--like=test/00003.flac", "--weights=mood=1,genre=0.2", "--top=3"]
    found = json.loads(tfmir("search", *flags, "--json").stdout)
    assert found["weights"] == {"mood": 1.0, "genre": 0.2}
    scores = [hit["score"] for hit in found["results"]]
    assert scores == sorted(scores, reverse=True)
    assert "test/00003.flac" not in [hit["track_id"] for hit in found["results"]]
    table = tfmir("search", *flags).stdout
    assert all(hit["track_id"] in table for hit in found["results"])


def test_search_in_a_folder_with_a_file(demo):
    flags = [f"--run={demo}/run", f"--library={demo}/audio/test", f"--like={demo}/audio/train/00001.flac", "--top=2"]
    result = tfmir("search", *flags, "--json")
    assert len(json.loads(result.stdout)["results"]) == 2, result.stderr


MISTAKES = [
    ("search", ["--like=nowhere.mp3"], "neither a file nor a track"),
    ("search", ["--like=test/00003.flac", "--weights=tempo=1"], "no notion 'tempo'"),
    ("search", ["--like=test/00003.flac", "--library=nowhere"], "neither a folder nor a split"),
    ("search", [], "--like is empty"),
    ("train", ["--learning_rate=-1"], "--learning_rate=-1.0 is too small"),
    ("train", ["word"], "stray word 'word'"),
    ("train", ["--learning_rate=0.1", *TINY], "holds another run"),
    ("train", ["--nodisentangled", *TINY], "holds another run"),
    ("train", ["--embedding_dim=30"], "use 28 or 32"),
]


@pytest.mark.parametrize(("command", "flags", "message"), MISTAKES)
def test_mistakes_are_one_line_and_change_nothing(demo, command, flags, message):
    before = _files(demo / "run")
    records = [f"--records={demo}/records"] if command == "train" else []
    result = tfmir(command, f"--run={demo}/run", *records, *flags)
    assert result.returncode == 2
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in result.stderr
    assert _files(demo / "run") == before


def _files(run):
    """Everything in a run but the libraries that a search keeps there."""
    return {p: p.stat().st_mtime_ns for p in run.rglob("*") if p.is_file() and "library" not in p.parts}


def test_records_of_another_feature_setting_are_refused(demo, tmp_path):
    shutil.copytree(demo / "records", tmp_path / "other")
    manifest = json.loads((tmp_path / "other/manifest.json").read_text())
    manifest["features"]["hop_length"] = 256
    (tmp_path / "other/manifest.json").write_text(json.dumps(manifest))
    result = tfmir("train", f"--records={tmp_path}/other", f"--run={tmp_path}/run", *TINY)
    assert result.returncode == 2
    assert "hop_length=256, this model needs hop_length=512" in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_missing_audio_folder_is_one_line(tmp_path):
    result = tfmir("prepare", "--corpus=folder", f"--audio_dir={tmp_path}/nowhere", f"--output={tmp_path}/out")
    assert result.returncode == 2
    assert result.stderr == f"error: --audio_dir={tmp_path}/nowhere: no such folder\n"
    assert not (tmp_path / "out").exists()
