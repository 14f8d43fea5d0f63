"""export as a user types it."""

import re
import subprocess
import sys

import pytest

from tests.fixtures.commands import called
from tfmir import files
from tfmir.errors import UserError
from tfmir.serving import bundle as bundle_module


def test_it_lists_its_signatures_with_tensorflows_own_tool(readme):
    assert "checked 32 signatures" in readme.said("tfmir.export")
    tool = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli"]
    bundle = readme.folder / "export/models/tfmir/1"
    shown = subprocess.run([*tool, "show", "--dir", bundle, "--all"], capture_output=True, text=True)
    for name in ("serving_default", "embed_mood", "embed_era_log_mel", "tag"):
        assert f"signature_def['{name}']" in shown.stdout


def test_it_shows_how_far_it_is(readme):
    """It takes most of a minute."""
    shown = readme.shown("tfmir.export")
    assert re.search(r"trace: 100%.* 31/31 .*check: 100%.* 32/32 ", shown, re.DOTALL)


def test_name_version_and_folder_are_those_that_were_asked_for(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bundle_module, "_check", lambda *_: None)
    path = called("export", f"--run={run.path}", f"--output={tmp_path}", "--name=mine", "--version=7")
    assert path == tmp_path / "mine/7"
    assert (path / "saved_model.pb").exists()
    assert f"bundle written to {path}; signatures: saved_model_cli show --dir {path} --all" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--run="], "no run given"),
        (["--run=nowhere"], "nowhere"),
        (["--version=-1"], "--version=-1 is too small"),
        (["--version=1"], "exists already: leave --version out"),
        (["--name=a/b"], "--name=a/b: a model's name is one word"),
        (["--name="], "--name=: a model's name is one word"),
        (["--name=.."], "--name=..: a model's name is one word"),
    ],
)
def test_mistakes_are_one_line_and_publish_nothing(run, tmp_path, flags, message):
    (tmp_path / "models/tfmir/1").mkdir(parents=True)
    given = [f"--run={run.path}", f"--output={tmp_path}/models", *flags]
    with pytest.raises(UserError) as told:
        called("export", *given)
    assert message in str(told.value)
    assert [path.name for path in (tmp_path / "models").rglob("*")] == ["tfmir", "1"]


def test_a_second_export_of_the_same_name_is_refused(run, tmp_path):
    with (
        files.locked(tmp_path / "m/.lock", busy="x"),
        pytest.raises(UserError, match="another export is writing there"),
    ):
        called("export", f"--run={run.path}", f"--output={tmp_path}", "--name=m")
