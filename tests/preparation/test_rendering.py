import pytest

from tfmir.corpora.demo.demo import demo_tracks
from tfmir.preparation import rendering


@pytest.fixture
def asked(monkeypatch):
    found = []
    monkeypatch.setattr(
        "tfmir.preparation.engine.run_tasks", lambda function, tasks, **more: found.append((tasks, more)) or []
    )
    return found


def test_tracks_are_dealt_out_by_twenties_and_the_time_is_told_before(asked, capsys):
    tracks = demo_tracks(sizes={"train": 45})
    rendering.render_all(tracks, "audio/demo", seed=3, workers=2)
    ((tasks, more),) = asked
    assert [len(part) for part, _, _ in tasks] == more["sizes"] == [20, 20, 5]
    assert [track for part, _, _ in tasks for track in part] == tracks
    assert {(folder, seed) for _, folder, seed in tasks} == {("audio/demo", 3)}
    said = "rendering 45 tracks of the demo corpus to audio/demo: under 0.1 GB, under a minute of one core\n"
    assert capsys.readouterr().err == said


def test_where_nothing_is_missing_nothing_is_said(asked, capsys):
    rendering.render_all([], "audio/demo", seed=3)
    assert capsys.readouterr().err == ""
