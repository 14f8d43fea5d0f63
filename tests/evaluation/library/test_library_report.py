"""A run asked about songs of another vocabulary: a FLAC, an MP3, one that is no audio, and what cannot be asked."""

import json
import shutil

import pytest
import soundfile

from tfmir.errors import UserError
from tfmir.evaluation.library.library_report import evaluate_library

HEADER = "path,artist,album,Genre,Mood,label"
FIGURES = {"queries", "recall", "recall_column", "triplets", "other_artists"}


@pytest.fixture(scope="module")
def music(audio_folder, tmp_path_factory):
    """Twelve songs in another spelling, one of them an MP3, one no audio, one not there."""
    folder = tmp_path_factory.mktemp("elsewhere") / "music"
    folder.mkdir()
    rows = [HEADER]
    for index in range(12):
        name = f"{index:02d}.flac"
        if index == 5:
            name = "05.mp3"
            soundfile.write(folder / name, *soundfile.read(audio_folder / "05.flac"))
        else:
            shutil.copy2(audio_folder / f"{index:02d}.flac", folder / name)
        genre = ("ROCK", " Jazz")[index // 4 % 2]
        rows.append(f"{name},Artist {index % 3},Album {index % 6},{genre};polka,{('Calm', '')[index % 2]},one")
    (folder / "00.flac").write_text("no music")
    (folder / "tags.csv").write_text("\n".join([*rows, "gone.flac,Artist 0,Album 0,rock,,one"]) + "\n")
    return folder


@pytest.fixture(scope="module")
def report(run, music):
    return evaluate_library(str(run.path), str(music), annotations=str(music / "tags.csv"))


def test_shared_tags_are_asked_about_in_every_space(report, run):
    assert json.loads((run.path / "library/music/report.json").read_text()) == json.loads(json.dumps(report))
    assert (report["songs"], report["missing"], report["artists"], report["by"]) == (11, 1, 3, "tags")
    assert report["labels"] == {"genre": {"jazz": 4, "rock": 7}, "mood": {"calm": 5}}
    assert report["tags"] == {"only_run": ("mood/wild",), "only_library": ("Genre/polka",)}
    assert [path for path, _ in report["rejected"]] == ["00.flac"]
    assert list(report["system"]) == ["whole", "genre", "mood"]
    assert list(report["baselines"]) == ["statistics", "chance"]
    for figures in [*report["system"].values(), *report["baselines"].values()]:
        assert set(figures) == FIGURES
        assert set(figures["triplets"]) == {"genre", "mood"}
        assert all(0 <= figures["recall"][k]["mean"] <= 1 for k in ("1", "2", "4", "8"))
    text = (run.path / "library/music/report.md").read_text()
    assert text.startswith("# tiny on ")
    assert "00.flac: cannot be decoded" in text


def test_songs_of_the_training_split_are_counted(report, run):
    """Of songs 01 to 11 it has 01, 04, 08 and 09, and 05 as another file: an MP3 does not sound just like its FLAC."""
    assert report["trained"] == {"songs": 4, "by": "sound", "same_id": 0, "tracks": 12}
    text = (run.path / "library/music/report.md").read_text()
    assert "4 of 11 songs are of the training split: their figures are of memory" in text


def test_the_pitch_tells_the_genre_to_the_statistics(report):
    """Songs of one genre have one pitch, of which the log-mel says all: the baseline finds them."""
    assert report["baselines"]["statistics"]["triplets"]["genre"]["mean"] > 0.8
    assert report["baselines"]["chance"]["triplets"]["genre"]["mean"] == 0.5


@pytest.mark.parametrize("by", ["artist", "artist,Album"])
def test_columns_are_asked_about_beside_the_report_by_tags(report, run, music, by, capsys):
    found = evaluate_library(str(run.path), str(music), annotations=str(music / "tags.csv"), by=by)
    assert found["by"] == by.replace("Album", "album")
    assert found["labels"]["artist"] == {"Artist 0": 3, "Artist 1": 4, "Artist 2": 4}
    assert found["tags"] is None
    assert found["system"]["whole"]["other_artists"]["triplets"]["artist"] is None
    assert "other_artists triplets artist" in found["undefined"]
    assert (run.path / f"library/music-by-{found['by'].replace(',', '-')}/report.json").exists()
    assert "not defined: other_artists recall" in capsys.readouterr().out
    assert json.loads((run.path / "library/music/report.json").read_text())["by"] == "tags"


@pytest.mark.parametrize(
    ("rows", "by", "told"),
    [
        ([], "tempo", "Columns that can be asked: artist, album, Genre, Mood"),
        ([], "label", "have the value 'one'"),
        ([HEADER, "01.flac,A,B,polka,,x", "02.flac,A,B,polka,,x"], "tags", "no tag that the run knows too"),
        ([HEADER, "01.flac,A,B,rock,,x"], "tags", "none is carried by two songs"),
        ([HEADER, "01.flac,A,B,rock,,x"], "artist", "each of its 1 values is that of one song"),
        (["path,artist", "nowhere.flac,A"], "artist", "none of the 1 songs"),
    ],
)
def test_mistakes_are_told_before_anything_is_heard(run, music, tmp_path, rows, by, told, monkeypatch, snapshot):
    monkeypatch.setattr("tfmir.evaluation.library.library_report.load_system", None)
    table = music / "tags.csv"
    if rows:
        table = tmp_path / "other.csv"
        table.write_text("\n".join(rows) + "\n")
    before = snapshot(run.path)
    with pytest.raises(UserError, match=told):
        evaluate_library(str(run.path), str(music), annotations=str(table), by=by)
    assert snapshot(run.path) == before


def test_songs_of_which_none_can_be_decoded_are_an_error(run, tmp_path):
    for name in ("a.mp3", "b.mp3", "c.mp3"):
        (tmp_path / name).write_text("no music")
    (tmp_path / "annotations.csv").write_text("path,artist\na.mp3,A\nb.mp3,A\nc.mp3,B\n")
    with pytest.raises(UserError, match="3 songs cannot be decoded, and of the other 0 no two share a label"):
        evaluate_library(str(run.path), str(tmp_path), by="artist")


def test_records_and_another_output(run, records, tmp_path):
    found = evaluate_library(str(run.path), records, output=str(tmp_path / "out"), with_baselines=False)
    assert (found["kind"], found["baselines"], found["ratios"]) == ("records", {}, {})
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"report.json", "report.md"}
