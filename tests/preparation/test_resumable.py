import pytest

from tfmir.errors import UserError
from tfmir.preparation.resumable import begun, clear_leftovers, list_tracks, note, noted, refuse_too_many


def test_the_mark_of_a_file_goes_when_it_is_written_and_stays_if_it_is_not(tmp_path):
    with begun(tmp_path, "a") as died:
        assert not died
        assert (tmp_path / "a.begun").exists()
    assert not (tmp_path / "a.begun").exists()
    with pytest.raises(KeyboardInterrupt), begun(tmp_path, "a"):
        raise KeyboardInterrupt
    with begun(tmp_path, "a") as died:
        assert died


def test_a_mark_may_be_gone_already(tmp_path):
    """A task whose worker lost its connection runs twice."""
    with begun(tmp_path, "a"):
        (tmp_path / "a.begun").unlink()


def test_what_is_noted_of_a_finished_file_is_read_back(tmp_path):
    assert noted(tmp_path, "a") is None
    note(tmp_path, "a", {"tracks": 3})
    assert noted(tmp_path, "a") == {"tracks": 3}


def test_leftovers_go_and_everything_else_stays(tmp_path):
    (tmp_path / ".build").mkdir()
    left = (".12-host.a.x", ".build/.12-host.n.json")
    kept = ("a.x", ".hidden.x", ".build/n.json", ".build/a.begun", ".12-host.a.y")
    for name in (*left, *kept):
        (tmp_path / name).touch()
    clear_leftovers(tmp_path, ".x")
    assert not [name for name in left if (tmp_path / name).exists()]
    assert all((tmp_path / name).exists() for name in kept)


def test_tracks_are_listed_in_order_on_a_line_each_and_printed(tmp_path, capsys):
    rejected = [("b", "/b", "two\nlines"), ("a\t", "/a", "r")]
    list_tracks(tmp_path, rejected=rejected, remarks=[("c", "/c", "cut")], tracks=9)
    assert (tmp_path / "rejected.tsv").read_text() == "track\tpath\treason\na\\t\t/a\tr\nb\t/b\ttwo\\nlines\n"
    assert (tmp_path / "remarks.tsv").read_text() == "track\tpath\tremark\nc\t/c\tcut\n"
    printed = capsys.readouterr().out
    assert f"2 of 9 tracks are rejected; all of them with reasons: {tmp_path}/rejected.tsv" in printed
    assert "1 of 9 tracks are used although something is wrong with their files" in printed
    list_tracks(tmp_path, rejected=[], remarks=[], tracks=9)
    assert not capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["rejected.tsv"]


def test_only_more_than_the_limit_is_refused():
    refuse_too_many(1, 4, 0.25, kept="shards")
    with pytest.raises(UserError, match=r"2 of 4 .* --max_rejected_fraction=0.25 allows: .*; finished parts are kept"):
        refuse_too_many(2, 4, 0.25, kept="parts")
