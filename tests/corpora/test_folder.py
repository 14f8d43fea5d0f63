import pytest

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
    b"path,genre\na.mp3,r\xf6ck\n": "not UTF-8 at byte 18",
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
