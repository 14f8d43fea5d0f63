import dataclasses
import subprocess
import sys

import pytest

from tfmir.command import run
from tfmir.errors import UserError
from tfmir.flags import parse
from tfmir.params import field


@dataclasses.dataclass(frozen=True)
class Inner:
    rate: float = field(0.5, "a rate", above=0.0)
    kind: str = field("a", "a kind", choices=("a", "b"))
    hidden: int = 7


@dataclasses.dataclass(frozen=True)
class Outer:
    run: str = field("", "the run")
    flag: bool = field(True, "a switch")
    inner: Inner = Inner()


def test_fields_of_nested_dataclasses_are_flags():
    parsed = parse(["x", "--rate=2", "--kind=b", "--noflag"], Outer)
    assert parsed == Outer(flag=False, inner=Inner(rate=2.0, kind="b"))


def test_later_flag_files_win_and_the_first_names_the_run(tmp_path):
    (tmp_path / "base.flags").write_text("# a comment\n--rate=2\n--kind=b\n")
    (tmp_path / "demo.flags").write_text("--rate=3\n")
    parsed = parse(["x", f"--flagfile={tmp_path}/base.flags", f"--flagfile={tmp_path}/demo.flags"], Outer)
    assert parsed == Outer(run="runs/base", inner=Inner(rate=3.0, kind="b"))
    assert parse(["x", "--flagfile", f"{tmp_path}/base.flags", "--run=mine"], Outer).run == "mine"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("--bogus_flag", "bogus_flag"),
        ("--rat=3", "rate"),
        ("--rate=-1", "--rate=-1.0 .* above 0"),
        ("--rate=nan", "above 0"),
        ("--rate=fast", "--rate"),
        ("--kind=c", "--kind=c is none of a, b"),
        ("--hidden=3", "hidden"),
        ("stray", "stray word 'stray'"),
        ("--flagfile=/nowhere.flags", "nowhere"),
    ],
)
def test_mistakes_are_one_clear_message(word, message):
    with pytest.raises(UserError, match=message):
        parse(["x", word], Outer)


COMMANDS = ("prepare", "train", "evaluate", "export", "search")


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_refuse_a_bogus_flag_in_one_line(command):
    result = subprocess.run([sys.executable, "-m", f"tfmir.{command}", "--bogus_flag"], capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("error: Unknown command line flag 'bogus_flag'")
    assert not result.stdout


@pytest.mark.parametrize(
    ("error", "code"), [(PermissionError(13, "Permission denied", "x"), 2), (OSError(28, "No space left", "x"), 2),
                        (FileNotFoundError(2, "No such file", "x"), 1)]
)  # fmt: skip
def test_a_disk_that_refuses_is_no_bug(error, code, monkeypatch, capsys):
    def main(_):
        raise error

    monkeypatch.setattr("sys.argv", ["x"])
    monkeypatch.setattr("tfmir.command.signal.signal", lambda *_: None)
    monkeypatch.setattr("tfmir.command.leave", sys.exit)
    with pytest.raises(SystemExit) as left:
        run(main, Outer)
    assert left.value.code == code
    assert ("Traceback" in capsys.readouterr().err) == (code == 1)


def test_help_lists_the_flags_without_importing_tensorflow():
    code = "import sys, runpy; sys.argv = ['t', '--help']\ntry: runpy.run_module('tfmir.train', run_name='__main__')\n"
    code += "except SystemExit as e: print('exit', e.code, 'tensorflow' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "--learning_rate" in result.stdout
    assert "exit 0 False" in result.stdout
