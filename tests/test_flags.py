import dataclasses
import subprocess
import sys

import pytest

from tfmir.compare import CompareParams
from tfmir.errors import UserError
from tfmir.fields import field
from tfmir.flags import parse, to_argv
from tfmir.params import EncoderParams, RunParams, SystemParams, TrainParams
from tfmir.train import TrainCommand


@dataclasses.dataclass(frozen=True)
class Inner:
    rate: float = field(0.5, "a rate", above=0.0)
    kind: str = field("a", "a kind", choices=("a", "b"))
    hidden: int = 7


@dataclasses.dataclass(frozen=True)
class Outer:
    run: str = field("", "the run")
    flag: bool = field(True, "a switch")
    count: int = field(1, "a number")
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


def test_a_flag_file_stands_where_it_is_given(tmp_path):
    """What is said later wins, be it a flag or a flag file; comments and empty lines say nothing."""
    (tmp_path / "a.flags").write_text("\n// --kind=b\n  --rate=2  \n\n# --kind=b\n")
    file = f"--flagfile={tmp_path}/a.flags"
    assert parse(["x", "--rate=3", file], Outer).inner == Inner(rate=2.0)
    assert parse(["x", file, "--rate=3"], Outer).inner == Inner(rate=3.0)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("--bogus_flag", "bogus_flag"),
        ("--rat=3", "rate"),
        ("--rate=-1", "--rate=-1.0 .* above 0"),
        ("--rate=nan", "above 0"),
        ("--rate=inf", "--rate=inf is too large"),
        ("--rate=fast", "^--rate=fast: no number$"),
        ("--rate=", "^--rate=: no number$"),
        ("--rate", "^Missing value for flag --rate "),
        ("--count=3.0", "^--count=3.0: no whole number$"),
        ("--count=9999999999", "--count=9999999999 is too large: it must be at most 2147483647"),
        ("--noflag=x", "--noflag=x: a switch takes true or false: write --flag or --noflag"),
        ("--noflag=false", "--noflag=false: a switch takes true or false: write --flag or --noflag"),
        ("--noflag=", "--noflag=: a switch takes true or false"),
        ("--flag=", "--flag=: a switch takes true or false"),
        ("--flag=maybe", "--flag=maybe: a switch takes true or false: write --flag or --noflag"),
        ("--kind=c", "--kind=c is none of a, b"),
        ("--hidden=3", "hidden"),
        ("stray", "stray word 'stray'"),
        ("--flagfile=/nowhere.flags", "nowhere"),
        ("--flagfile=/", "--flagfile=/: Is a directory: name a file"),
        ("--flagfile", "name a flag file, such as"),
    ],
)
def test_mistakes_are_one_clear_message(word, message):
    with pytest.raises(UserError, match=message) as told:
        parse(["x", word], Outer)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("word", ["False", "false", "0", "no", "off", "F"])
def test_a_switch_may_be_spelled_out(word):
    """In a word of its own too, from which it is told by what it says; the next flag is no value."""
    for words in (
        [f"--flag={word}"],
        ["--flag", word],
        ["-flag", word],
        ["--flag", "--noflag"],
        ["--flag=1", "--noflag"],
    ):
        assert parse(["x", *words], Outer) == Outer(flag=False)
    assert parse(["x", "--noflag", "--flag", "True"], Outer) == Outer()
    assert parse(["x", "--noflag", "--flag=yes"], Outer) == Outer()
    for words in (["--noflag", word], ["--flag", "maybe"]):
        with pytest.raises(UserError, match=words[1]):
            parse(["x", *words], Outer)


def test_a_flag_that_is_given_twice_counts_as_given_last():
    assert parse(["x", "--rate=2", "--kind=b", "--rate=3", "--flag", "--noflag"], Outer).inner.rate == 3.0


@pytest.mark.parametrize(
    ("words", "precision"),
    [
        (["--mixed_precision"], "float16"),
        (["--precision=bfloat16", "--mixed_precision"], "float16"),
        (["--mixed_precision", "--precision=bfloat16"], "bfloat16"),
        (["--precision=bfloat16", "--mixed_precision=false"], "bfloat16"),
        (["--precision=float16", "--nomixed_precision"], "float32"),
    ],
)
def test_a_switch_may_stand_for_a_value_of_another_flag(words, precision):
    assert parse(["x", *words], TrainCommand).settings.training.precision == precision


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--bogus_flag=1", "Unknown command line flag 'bogus_flag'"),
        ("--rate=fast", "--rate=fast: no number"),
        ("--rate=2  # a comment", "--rate=2  # a comment: no number"),
        ("--noflag=1", "--noflag=1: a switch takes true or false"),
        ("rate=2", "stray word 'rate=2'"),
    ],
)
def test_a_mistake_in_a_flag_file_is_told_with_its_line(tmp_path, line, message):
    (tmp_path / "a.flags").write_text(f"# first\n--kind=b\n{line}\n")
    with pytest.raises(UserError) as told:
        parse(["x", "--count=3", f"--flagfile={tmp_path}/a.flags", "--rate=3"], Outer)
    assert str(told.value).startswith(f"{tmp_path}/a.flags, line 3: {message}")
    assert "\n" not in str(told.value)


def test_after_two_dashes_every_word_is_stray():
    assert parse(["x", "--"], Outer) == Outer()
    with pytest.raises(UserError, match="stray word '--flagfile=/nowhere.flags'"):
        parse(["x", "--", "--flagfile=/nowhere.flags"], Outer)


def test_a_nested_flag_file_is_found_beside_the_one_that_names_it(tmp_path, monkeypatch):
    """Each is looked for beside the file that names it, not beside the first or in the working directory."""
    for name, text in {
        "elsewhere/outer.flags": "--rate=2\n--flagfile=sub/middle.flags\n",
        "elsewhere/sub/middle.flags": "--flagfile=inner.flags\n--noflag\n",
        "elsewhere/sub/inner.flags": "--kind=b\n--rate=4\n",
        "inner.flags": "--rate=9\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    parsed = parse(["x", "--flagfile=elsewhere/outer.flags"], Outer)
    assert parsed == Outer(run="runs/outer", flag=False, inner=Inner(rate=4.0, kind="b"))


def test_a_nested_flag_file_that_is_nowhere_names_the_one_it_stands_in(tmp_path):
    (tmp_path / "a.flags").write_text("--flagfile=absent.flags\n")
    with pytest.raises(UserError, match=r"--flagfile=absent.flags in .*/a.flags: No such file"):
        parse(["x", f"--flagfile={tmp_path}/a.flags"], Outer)


def test_a_flag_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "a.flags").write_bytes(b"--kind=\xff\n")
    with pytest.raises(UserError, match="a.flags, line 1: not UTF-8: save the file as UTF-8"):
        parse(["x", f"--flagfile={tmp_path}/a.flags"], Outer)


@pytest.mark.parametrize("circle", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_a_flag_file_that_names_itself_is_refused_in_one_line(tmp_path, monkeypatch, circle):
    for name, nested in zip(circle, circle[1:] + circle[:1], strict=True):
        (tmp_path / f"{name}.flags").write_text(f"--rate=2\n--flagfile={nested}.flags\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^--flagfile=a.flags: names itself, through a.flags") as told:
        parse(["x", "--flagfile=./a.flags"], Outer)
    assert "\n" not in str(told.value)


def test_a_flag_file_given_twice_is_no_circle(tmp_path):
    (tmp_path / "a.flags").write_text("--rate=2\n")
    (tmp_path / "b.flags").write_text("--flagfile=a.flags\n--flagfile=a.flags\n")
    file = f"--flagfile={tmp_path}/b.flags"
    assert parse(["x", file, file], Outer).inner.rate == 2.0


def test_flag_files_that_come_with_tfmir_are_found_from_any_folder_but_ones_own_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["x", "--flagfile=launch/triplet_track.flags"]
    assert parse(words, TrainCommand).settings.system.system == "triplet"
    (tmp_path / "launch").mkdir()
    (tmp_path / "launch/triplet_track.flags").write_text("--system=joint\n")
    assert parse(words, TrainCommand).settings.system.system == "joint"


def test_every_flag_file_that_comes_with_tfmir_for_training_parses(repository):
    files = sorted((repository / "launch").rglob("*.flags"))
    commands = {"tune", "sparse_demo", "complete_demo"}  # flags of other commands
    systems = [file for file in files if file.stem not in commands and not file.stem.startswith("compare")]
    assert len(systems) > 9
    for file in systems:
        parsed = parse(["x", f"--flagfile={file}"], TrainCommand)
        assert parsed.run == f"runs/{file.stem}"


def test_every_comparison_names_flag_files_that_are_there(repository):
    found = sorted((repository / "launch").rglob("compare*.flags"))
    assert len(found) >= 5
    for file in found:
        asked = parse(["x", f"--flagfile={file}"], CompareParams)
        named = [*asked.settings.split(","), *(f"{asked.launch}/{system}.flags" for system in asked.systems.split(","))]
        assert all((repository / name).exists() for name in named)


@pytest.mark.parametrize(
    "params",
    [
        RunParams(),
        RunParams(
            encoder=EncoderParams(width_multiplier=0.0625, batch_norm=False),
            system=SystemParams("joint", disentangled=False, margin=0.3, negatives="semihard"),
            training=TrainParams(learning_rate=1e-5, replicas=2, precision="float16"),
        ),
    ],
)
def test_parameters_survive_the_way_through_a_command_line(params):
    assert parse(["x", *to_argv(params)], RunParams) == params
    assert to_argv(RunParams()) == []


def test_every_flag_has_a_help_text_and_a_name_of_its_own():
    """A field of two nested dataclasses would be one flag for both."""

    def flags(params):
        for f in dataclasses.fields(params):
            value = getattr(params, f.name)
            yield from flags(value) if dataclasses.is_dataclass(value) else [(f.name, f.metadata.get("help"))]

    given = [(name, text) for name, text in flags(TrainCommand()) if text is not None]
    assert len({name for name, _ in given}) == len(given) > 20
    assert all(text for _, text in given)


def test_help_lists_the_flags_without_importing_tensorflow():
    code = "import sys, runpy; sys.argv = ['t', '--help']\ntry: runpy.run_module('tfmir.train', run_name='__main__')\n"
    code += "except SystemExit as e: print('exit', e.code, 'tensorflow' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "--learning_rate" in result.stdout
    assert "exit 0 False" in result.stdout


def test_a_tilde_in_a_flag_file_is_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.flags").write_text("--rate=2\n")
    assert parse(["x", "--flagfile=~/a.flags"], Outer) == Outer(run="runs/a", inner=Inner(rate=2.0))
