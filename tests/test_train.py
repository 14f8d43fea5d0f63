"""train as a user types it: its mistakes change nothing."""

import json
import shutil

import pytest

from tests.fixtures.commands import called
from tests.fixtures.workers import tf_config
from tfmir import compare, train_and_evaluate, tune
from tfmir.errors import UserError
from tfmir.params import RunParams

TINY = ["--flagfile=launch/proxy.flags", "--flagfile=launch/demo.flags"]


MISTAKES = [
    (["--learning_rate=-1"], "--learning_rate=-1.0 is too small"),
    (["word"], "stray word 'word'"),
    ([*TINY, "--learning_rate=0.1"], "learning_rate is 0.005, asked for 0.1"),
    ([*TINY, "--nodisentangled"], "holds another run"),
    (["--embedding_dim=30"], "use 28 or 32"),
    (["--run="], "no run given: name it with --run=runs/<name>"),
    (["--records=nowhere"], "nowhere"),
]


@pytest.mark.parametrize(("flags", "message"), MISTAKES)
def test_mistakes_are_told_and_change_nothing(readme, flags, message, monkeypatch, snapshot):
    monkeypatch.chdir(readme.folder)
    before = snapshot(readme.folder / "runs/proxy")
    with pytest.raises(UserError) as told:
        called("train", "--run=runs/proxy", *flags)
    assert message in str(told.value)
    assert "\n" not in str(told.value)
    assert snapshot(readme.folder / "runs/proxy") == before


def test_records_of_another_feature_setting_are_refused_by_the_command(readme, commands, tmp_path):
    shutil.copytree(readme.folder / "tfrecords/demo", tmp_path / "other")
    manifest = json.loads((tmp_path / "other/manifest.json").read_text())
    manifest["features"]["hop_length"] = 256
    (tmp_path / "other/manifest.json").write_text(json.dumps(manifest))
    flags = [*TINY, f"--records={tmp_path}/other", f"--run={tmp_path}/run"]
    result = commands.call("train", *flags, cwd=readme.folder)
    assert result.returncode == 2
    errors = [line for line in result.stdout.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "hop_length=256, this model needs hop_length=512" in errors[0]
    assert "Traceback" not in result.stdout
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("there", "records", "built"), [(False, True, 0), (True, False, 1), (True, True, 0)])
def test_the_demo_is_built_where_it_is_wanted_and_missing(tmp_path, monkeypatch, there, records, built):
    """Other records are never made by training; those of the demo are, once."""
    monkeypatch.chdir(tmp_path)
    calls = []
    monkeypatch.setattr("tfmir.prepare.build", lambda params: calls.append((params.corpus, params.output)))
    monkeypatch.setattr("tfmir.training.asked.asked_run", lambda *_: None)
    monkeypatch.setattr("tfmir.training.loop.start", lambda *args, **kwargs: None)
    if records:
        (tmp_path / "tfrecords/demo").mkdir(parents=True)
        (tmp_path / "tfrecords/demo/manifest.json").write_text("{}")
    called("train", "--run=runs/a", *([] if there else ["--records=elsewhere"]))
    assert calls == [("demo", "tfrecords/demo")] * built


def test_flags_become_the_parameters_of_the_run(monkeypatch):
    started = []
    monkeypatch.setattr("tfmir.training.asked.asked_run", lambda *_: None)
    monkeypatch.setattr("tfmir.training.loop.start", lambda *args, **kwargs: started.append((*args, kwargs)))
    monkeypatch.setattr("sys.argv", ["train", "--margin=0.3"])
    called("train", "--run=runs/a", "--records=r", "--system=triplet", "--margin=0.3")
    ((run, params, records, more),) = started
    assert (run, records, more) == ("runs/a", "r", {"command_line": ["--margin=0.3"]})
    assert isinstance(params, RunParams)
    assert (params.system.system, params.system.margin) == ("triplet", 0.3)


@pytest.fixture
def of_two(monkeypatch, tmp_path):
    """TF_CONFIG of the second of two workers, and what each process of it would do."""
    done = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TF_CONFIG", tf_config(["a:1", "b:1"], 1))
    monkeypatch.setattr("tfmir.prepare.build", lambda params: done.append("demo"))
    monkeypatch.setattr("tfmir.training.asked.asked_run", lambda *_: done.append("asked"))
    monkeypatch.setattr("tfmir.training.loop.start", lambda *args, **kwargs: done.append("trained"))
    monkeypatch.setattr("tfmir.training.trainer.leave_signals_to_supervisor", lambda: done.append("signals left"))
    monkeypatch.setattr(
        "tfmir.training.supervisor.supervise",
        lambda cluster, words, timeout_secs: done.append((cluster.index, words[2:], timeout_secs)),
    )
    monkeypatch.setattr("sys.argv", ["train", "--run=runs/a", "--peer_timeout=7"])
    return done


def test_on_several_machines_the_command_supervises_itself(of_two, monkeypatch):
    """Nobody makes the demo there: machines that share a folder would all do so."""
    called("train", "--run=runs/a", "--peer_timeout=7")
    assert of_two == ["asked", (1, ["tfmir.train", "--run=runs/a", "--peer_timeout=7"], 7.0)]
    of_two.clear()
    monkeypatch.setenv("TFMIR_SUPERVISOR", "9")
    called("train", "--run=runs/a", "--peer_timeout=7")
    assert of_two == ["asked", "signals left", "trained"]


@pytest.mark.parametrize(("flag", "precision"), [("--mixed_precision", "float16"), ("--precision=auto", "auto")])
def test_float16_and_a_measured_precision_are_refused_on_several_machines(flag, precision, of_two):
    with pytest.raises(UserError, match=f"^--precision={precision} is for one machine only"):
        called("train", "--run=runs/a", flag)
    assert of_two == []


@pytest.mark.parametrize(
    ("main", "params"),
    [
        (train_and_evaluate.main, train_and_evaluate.TrainAndEvaluateParams(run="runs/a")),
        (compare.main, compare.CompareParams()),
    ],
)
def test_what_trains_alone_is_refused_on_several_machines(main, params, of_two):
    with pytest.raises(UserError, match="^TF_CONFIG names several machines, which .* cannot use together: "):
        main(params)
    assert of_two == []


def test_so_is_tune(of_two, monkeypatch):
    monkeypatch.setattr("tfmir.tune.load_manifest", lambda _: None)
    monkeypatch.setattr("tfmir.tune.make_missing_demo", lambda _: None)
    with pytest.raises(UserError, match="which tune cannot use together: its trials are shared out by keras-tuner"):
        tune.main(tune.TuneParams(vary="learning_rate"))
