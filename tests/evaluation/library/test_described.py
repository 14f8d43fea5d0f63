import json

import numpy as np
import pytest
import soundfile

from tfmir.corpora.grouping import load_grouping
from tfmir.errors import UserError
from tfmir.evaluation.library.described import describe, described

JAMENDO = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS\r\n"


def test_every_column_but_path_and_split_is_one(tmp_path):
    (tmp_path / "tags.csv").write_text(
        ",path,split,Artist,Record Label,genre,empty\n"
        "0,./a.mp3,test,Earth; Wind,Blue Note,rock; Jazz ;,\n"
        "1,b\\c.mp3,,EARTH; wind,blue  note,,\n"
    )
    songs = describe(str(tmp_path), str(tmp_path / "tags.csv"))
    assert songs.paths == ("a.mp3", "b/c.mp3")
    assert songs.columns == {
        "Artist": (("EARTH; wind",), ("EARTH; wind",)),
        "Record Label": (("Blue Note",), ("Blue Note",)),
        "genre": (("Jazz", "rock"), ()),
    }
    assert songs.rows([1]).columns["genre"] == ((),)


def test_an_index_and_empty_columns_of_a_spreadsheet_say_nothing(tmp_path):
    (tmp_path / "tags.csv").write_text(",path,Split,artist,,\n0,a.mp3,train,x,,\n1,b.mp3,test,y,,\n")
    assert list(describe(str(tmp_path), str(tmp_path / "tags.csv")).columns) == ["artist"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("file,artist\na.mp3,x\n", "expected a column 'path'"),
        ("path,artist\na.mp3,x\n./a.mp3,y\n", "row 3: a.mp3 stands twice"),
        ("path,artist\n../a.mp3,x\n", "leads out of the audio folder"),
        ("path,artist\n", "no rows under the header"),
        ("path,artist,\na.mp3,x,y\n", r"a column has values and no name: the header is \['path', 'artist', ''\]"),
        ("path,artist,Artist\na.mp3,x,y\n", "'artist' and 'Artist' are one column: give each a name of its own"),
        ("path,artist,artist\na.mp3,x,y\n", "a column stands twice in the header"),
    ],
)
def test_a_bad_table_is_refused(tmp_path, text, told):
    (tmp_path / "tags.csv").write_text(text)
    with pytest.raises(UserError, match=told):
        describe(str(tmp_path), str(tmp_path / "tags.csv"))


def test_files_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(UserError, match="nowhere.csv: no such file"):
        describe(str(tmp_path), "nowhere.csv")
    (tmp_path / "labels").mkdir()
    with pytest.raises(UserError, match="without the label files of a known corpus"):
        describe(str(tmp_path), str(tmp_path / "labels"))
    with pytest.raises(UserError, match="needs a local folder"):
        describe("s3://bucket/music", "metadata")


def test_json_beside_the_songs(tmp_path):
    soundfile.write(tmp_path / "a.flac", np.zeros(100), 22050)
    (tmp_path / "a.json").write_text(json.dumps({"artist": "A", "album": ["One"], "mood": "calm"}))
    songs = describe(str(tmp_path), "json")
    assert songs.columns == {"album": (("One",),), "mood": (("calm",),), "artist": (("A",),)}


def test_metadata_are_read_where_no_file_is_named_and_none_is_there(tmp_path):
    with soundfile.SoundFile(tmp_path / "a.ogg", "w", 22050, 1) as file:
        file.genre, file.artist, file.album, file.date = "Rock", "A", "One", "1994"
        file.write(np.zeros(22050))
    songs = describe(str(tmp_path), "")
    assert songs.source == "metadata"
    assert songs.columns == {
        "genre": (("rock",),), "era": (("1990s",),), "artist": (("A",),), "album": (("One",),)
    }  # fmt: skip
    (tmp_path / "annotations.csv").write_text("path,artist\na.ogg,B\n")
    assert describe(str(tmp_path), "").columns == {"artist": (("B",),)}


def test_magnatagatune_as_it_is_published(tmp_path):
    """Two clips, of the first and of the last of the fifty tags; the header is quoted."""
    tags = load_grouping("", default="magnatagatune")
    header = "\t".join(f'"{name}"' for name in ["clip_id", *tags, "mp3_path"])
    first, last = (["1" if tag in chosen else "0" for tag in tags] for chosen in (list(tags)[:1], list(tags)[-1:]))
    rows = [["2", *first, "f/a-0-29.mp3"], ["6", *last, "c/b-0-29.mp3"]]
    path = tmp_path / "annotations_final.csv"
    path.write_text("\n".join([header, *("\t".join(row) for row in rows)]) + "\n")
    (tmp_path / "clip_info_final.csv").write_text("clip_id\tartist\n2\tA\n6\tB\n")
    notion, tag = next(iter(tags.values())).split("/", 1)
    for annotations in (tmp_path, path):
        songs = describe(str(tmp_path), str(annotations))
        assert songs.paths == ("f/a-0-29.mp3", "c/b-0-29.mp3")
        assert songs.columns[notion][0] == (tag,)
        assert songs.artists == ("A", "B")


def test_jamendo_as_it_is_published_with_artists_and_albums(tmp_path):
    path = tmp_path / "autotagging-test.tsv"
    path.write_text(
        f"{JAMENDO}track_1\tartist_1\talbum_1\t01/1.mp3\t200.0\tgenre---rock\tmood/theme---happy\r\n"
        "track_2\tartist_1\talbum_2\t02/2.mp3\t200.0\tgenre---90s\r\n"
    )
    for annotations in (path, tmp_path):
        songs = describe(str(tmp_path / "audio"), str(annotations))
        assert songs.paths == ("01/1.mp3", "02/2.mp3")
        assert songs.artists == ("artist_1", "artist_1")
        assert songs.columns["album"] == (("album_1",), ("album_2",))
        assert songs.columns["mood"] == (("happy",), ())
        assert songs.columns["era"] == ((), ("90s",))


def test_jamendos_real_validation_split(shared_labels, tmp_path):
    songs = describe(str(tmp_path), str(shared_labels / "mtg_jamendo/split0_validation_joined.tsv"))
    assert len(songs.paths) == 11101
    assert {"genre", "mood", "instrument", "era", "artist", "album"} == set(songs.columns)
    assert songs.columns["album"][0] == ("album_000126",)


def test_columns_of_one_name_are_one_and_artists_are_known_by_song():
    songs = described("x", [("a", {"artist": ["B"], "Mood": ["calm"]}), ("b", {"mood": ["Calm", " "]}), ("c", {})])
    assert songs.columns["Mood"] == (("Calm",), ("Calm",), ())
    assert songs.artists == ("B", "", "")
