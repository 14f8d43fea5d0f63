"""What a run is called where nobody has said it: by its flag files."""

import dataclasses

import pytest

from tfmir.fields import field
from tfmir.flags import parse
from tfmir.train import TrainCommand


@dataclasses.dataclass(frozen=True)
class WithRecords:
    records: str = field("tfrecords/demo", "the record set")
    run: str = field("", "the run")
    rate: float = field(0.5, "a rate", above=0.0)


@dataclasses.dataclass(frozen=True)
class WithoutRecords:
    run: str = field("", "the run")
    rate: float = field(0.5, "a rate", above=0.0)


LAUNCH = "--flagfile=launch/{}.flags"


@pytest.mark.parametrize(
    ("words", "run"),
    [
        (["proxy", "msd"], "runs/proxy-msd"),
        (["proxy", "demo"], "runs/proxy"),
        (["proxy", "demo", "msd"], "runs/proxy-msd"),
        (["proxy", "jamendo", "msd"], "runs/proxy-msd"),
        (["msd"], "runs/msd"),
        (["msd", "demo"], "runs/msd"),
        ([], ""),
    ],
)
def test_a_run_is_named_after_the_system_and_the_corpus_if_it_is_another(words, run, tmp_path, monkeypatch):
    """The first flag file, and the last of the others that names other records than the default."""
    monkeypatch.chdir(tmp_path)
    assert parse(["x", *map(LAUNCH.format, words)], TrainCommand).run == run


@pytest.mark.parametrize(
    ("text", "run"),
    [
        ("--records=tfrecords/mine\n", "runs/base-more"),
        ("--records=tfrecords/demo\n", "runs/base"),
        ("--rate=2\n", "runs/base"),
        ("--flagfile=inner.flags\n", "runs/base-more"),
        ("--records tfrecords/mine\n", "runs/base-more"),
        ("--records=tfrecords/demo/\n", "runs/base"),
    ],
)
def test_records_named_by_a_nested_flag_file_count_for_the_one_that_was_given(tmp_path, text, run):
    (tmp_path / "base.flags").write_text("--records=tfrecords/base\n")
    (tmp_path / "inner.flags").write_text("--records=tfrecords/mine\n")
    (tmp_path / "more.flags").write_text(text)
    words = [f"--flagfile={tmp_path}/{name}.flags" for name in ("base", "more")]
    assert parse(["x", *words], WithRecords).run == run
    assert parse(["x", *words, "--run=mine"], WithRecords).run == "mine"


def test_without_a_flag_of_records_no_corpus_is_named(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.flags").write_text("--rate=2\n")
    assert parse(["x", *(f"--flagfile={tmp_path}/{name}.flags" for name in "ab")], WithoutRecords).run == "runs/a"
