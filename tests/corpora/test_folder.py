import json
import unicodedata

import pytest
import soundfile

from tfmir.corpora.folder import load
from tfmir.errors import UserError


def corpus(tmp_path, text, **kwargs):
    path = tmp_path / "a.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(str(tmp_path), str(path), **kwargs)


def test_columns_are_notions_and_cells_are_tags(tmp_path):
    loaded = corpus(tmp_path, "path,split,artist,genre,mood\na/1.mp3,train,X,rock; jazz ;rock,\n2.ogg,test,Y,,calm\n")
    assert loaded.vocabulary.to_dict() == {"genre": ["jazz", "rock"], "mood": ["calm"]}
    first, second = loaded.tracks
    assert (first.track_id, first.split, first.artist_id, first.tags) == ("a/1.mp3", "train", "X", (0, 1))
    assert first.path == str(tmp_path / "a/1.mp3")
    assert second.tags == (2,)


def test_byte_order_mark_and_crlf_are_accepted(tmp_path):
    loaded = corpus(tmp_path, b"\xef\xbb\xbfpath,genre\r\na.mp3,rock\r\n")
    assert loaded.vocabulary.tags == ("genre/rock",)
    assert loaded.tracks[0].track_id == "a.mp3"


VARIANTS = ["Hip Hop", "hip hop", "Hip  Hop", "Bj\u00f6rk", "Bjo\u0308rk"]


@pytest.mark.parametrize("source", ["csv", "json"])
def test_tags_that_look_the_same_are_one_tag_in_its_most_frequent_spelling(tmp_path, source):
    names = [f"{i}.wav" for i in range(len(VARIANTS))]
    for name, tag in zip(names, VARIANTS, strict=True):
        soundfile.write(tmp_path / name, [0.0], 22050)
        (tmp_path / name).with_suffix(".json").write_text(json.dumps({"genre": [tag], "artist": tag}))
    rows = [f"{name},{tag},{tag}" for name, tag in zip(names, VARIANTS, strict=True)]
    loaded = corpus(tmp_path, "path,artist,genre\n" + "\n".join(rows), tags=source)
    assert loaded.vocabulary.to_dict() == {"genre": ["Bj\u00f6rk", "Hip Hop"]}
    assert [track.tags for track in loaded.tracks] == [(1,), (1,), (1,), (0,), (0,)]
    assert {track.artist_id for track in loaded.tracks} == {"Bj\u00f6rk", "Hip Hop"}


def test_a_vocabulary_file_matches_by_the_same_rule(tmp_path):
    rows = ["GENRE/hip hop\tStyle\tRap", "genre/BJO\u0308RK\tstyle\t rap ", "genre/rock\tstyle\trap"]
    (tmp_path / "v.tsv").write_text("\n".join(["tag\tnotion\tname", *rows]))
    text = "path,genre\n0.wav,Hip  Hop\n1.wav,Bj\u00f6rk\n2.wav,Rock\n3.wav,other\n"
    loaded = corpus(tmp_path, text, grouping=str(tmp_path / "v.tsv"))
    assert loaded.vocabulary.to_dict() == {"style": ["rap"]}
    assert [track.tags for track in loaded.tracks] == [(0,), (0,), (0,), ()]


def test_clean_tags_keep_their_spelling_and_their_order(tmp_path):
    loaded = corpus(tmp_path, "path,mood,Genre\na.mp3,sad;Angry,R&B\nb.mp3,calm,90s/Pop\n")
    assert loaded.vocabulary.to_dict() == {"mood": ["Angry", "calm", "sad"], "Genre": ["90s/Pop", "R&B"]}


@pytest.mark.parametrize("path", ["Bj\u00f6rk/a.wav", "Bj\u00f6rk\\a.wav"])
def test_a_path_is_found_whatever_its_unicode_form_and_its_slashes(tmp_path, path):
    lies_at = unicodedata.normalize("NFD", "Bj\u00f6rk/a.wav")
    (tmp_path / lies_at).parent.mkdir()
    (tmp_path / lies_at).touch()
    (track,) = corpus(tmp_path, f"path,genre\n{path},rock\n").tracks
    assert (track.track_id, track.path) == (lies_at, str(tmp_path / lies_at))
    with pytest.raises(UserError, match="row 3: .* stands twice"):
        corpus(tmp_path, f"path,genre\n{path},rock\n{lies_at},rock\n")


def test_one_artist_is_dealt_by_track_with_a_warning(tmp_path, capsys):
    rows = [f"{i}.mp3,X,rock" for i in range(20)]
    loaded = corpus(tmp_path, "path,artist,genre\n" + "\n".join(rows))
    assert {track.split for track in loaded.tracks} == {"train", "validation", "test"}
    assert "warning: 1 artists cannot fill" in capsys.readouterr().err


def test_without_a_split_column_an_artist_is_in_one_split_only(tmp_path):
    rows = [f"{i}.mp3,artist{i % 40},rock" for i in range(400)]
    tracks = corpus(tmp_path, "path,artist,genre\n" + "\n".join(rows)).tracks
    splits = {}
    for track in tracks:
        splits.setdefault(track.artist_id, set()).add(track.split)
    assert all(len(found) == 1 for found in splits.values())
    assert {split for found in splits.values() for split in found} == {"train", "validation", "test"}


def test_without_split_and_artist_the_path_decides_about_80_10_10(tmp_path):
    text = "path,genre\n" + "\n".join(f"{i}.mp3,rock" for i in range(2000))
    splits = [track.split for track in corpus(tmp_path, text).tracks]
    assert splits == [track.split for track in corpus(tmp_path, text).tracks]
    assert abs(splits.count("train") - 1600) < 60
    assert abs(splits.count("test") - 200) < 45


def test_a_column_without_a_tag_is_no_notion_but_remembered(tmp_path):
    loaded = corpus(tmp_path, "path,genre,mood\na.mp3,rock,\n")
    assert loaded.vocabulary.notions == ("genre",)
    assert loaded.empty_notions == ("mood",)


BAD = {
    "name,genre\na,b\n": "expected a column 'path'",
    "": "expected a column 'path'",
    "path,genre\n": "no rows",
    "path,split\na.mp3,train\n": "no column of tags",
    "path,genre\na.mp3,\n": "notion 'genre' has no tag",
    "path,genre\na.mp3,rock,jazz\n": "row 2: more fields",
    "path,genre\n,rock\n": "row 2: the path is empty",
    "path,genre\n../a.mp3,rock\n": "leads out of the audio folder",
    "path,genre\nb/../../a.mp3,rock\n": "leads out of the audio folder",
    "path,genre\n/etc/a.mp3,rock\n": "leads out of the audio folder",
    "path,genre\na.mp3,rock\n./a.mp3,rock\n": "row 3: a.mp3 stands twice",
    "path,split,genre\na.mp3,valid,rock\n": "row 2: split 'valid' is none of train, validation, test",
    "path,genre,genre\na.mp3,rock,jazz\n": "a column stands twice",
    'path,genre\na.mp3,"rock\nb.mp3,jazz\n': "is a quote not closed",
    "path,mood/theme\na.mp3,happy\n": "column 'mood/theme': no slash",
    "path,Artist,genre\na.mp3,X,rock\n": "column 'Artist': .* in lower case",
    b"path,genre\na.mp3,r\xf6ck\n": "a.csv, line 2: not UTF-8 at byte 18: save it as UTF-8",
    "path;genre\na.mp3;rock\n": "expected a column 'path': its cells are separated by ';'",
    ",path,genre\n0,a.mp3,rock\n": "column 1 of the header has no name: a data frame's index",
    "path,genre,\na.mp3,rock,0\n": "column 3 of the header has no name",
    "path,genre,,\na.mp3,rock,,\n": "column 3 of the header has no name",
    "path,genre,\u200b \na.mp3,rock,0\n": "column 3 of the header has no name",
    "Unnamed: 0,path,genre\n0,a.mp3,rock\n": "column 1 of the header has no name",
    "Unnamed: 0.1,path,genre\n0,a.mp3,rock\n": "column 1 of the header has no name",
    "path,path,genre\na.mp3,b.mp3,jazz\n": "a column stands twice .* 'path': give each a name of its own",
    "path,genre,Genre\na.mp3,rock,jazz\n": "columns 'genre' and 'Genre' are one notion: name them apart",
    "path,époque,e\u0301poque\na.mp3,x,y\n": "are one notion",
    "path,track_id,genre\na.mp3,1,rock\n": "column 'track_id': .* name of a field",
    "path,log_mel\na.mp3,rock\n": "column 'log_mel': '_log_mel' is the end",
    "path,genre=x\na.mp3,rock\n": "column 'genre=x': no slash, no space or sign .* such as 'genre_x'",
    "path,genre\nC:\\Music\\a.mp3,rock\n": "leads out of the audio folder: write it as it lies below it",
}


@pytest.mark.parametrize("text", BAD)
def test_bad_annotations_are_explained(tmp_path, text):
    with pytest.raises(UserError, match=BAD[text].replace("(", r"\(")):
        corpus(tmp_path, text)


def test_missing_files_are_explained(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        load(str(tmp_path / "nowhere"), "a.csv")
    with pytest.raises(UserError, match="no such file"):
        load(str(tmp_path), str(tmp_path / "absent.csv"))
    (tmp_path / "file.csv").touch()
    with pytest.raises(UserError, match="no such file"):
        load(str(tmp_path), str(tmp_path / "file.csv/more.csv"))


def test_a_vocabulary_file_chooses_among_a_folders_tags(tmp_path):
    text = "path,split,genre\na.ogg,train,rock;pop\nb.ogg,test,jazz\n"
    (tmp_path / "v.tsv").write_text("tag\tnotion\tname\ngenre/rock\tgenre\tguitar music\ngenre/jazz\tmood\tjazzy\n")
    loaded = corpus(tmp_path, text, grouping=str(tmp_path / "v.tsv"))
    assert loaded.vocabulary.tags == ("genre/guitar music", "mood/jazzy")
    assert [track.tags for track in loaded.tracks] == [(0,), (1,)]
    (tmp_path / "v.tsv").write_text("tag\tnotion\nrock\tgenre\n")
    with pytest.raises(UserError, match="not in the labels, the first is 'rock'"):
        corpus(tmp_path, text, grouping=str(tmp_path / "v.tsv"))
