import pytest

from tfmir.corpora.jamendo import load
from tfmir.errors import UserError

HEADER = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS"
ROWS = {
    "train": ["track_1\tartist_1\talbum_1\t01/1.mp3\t10.5\tgenre---rock\tgenre---80s\tmood/theme---happy"],
    "validation": ["track_2\tartist_2\talbum_1\t02/2.mp3\t20\tinstrument---piano"],
    "test": ["track_3\tartist_3\talbum_1\t03/3.mp3\t30\tgenre---rock"],
}


def write(path, *rows, end="\r\n"):
    path.write_bytes((end.join([HEADER, *rows]) + end).encode())


@pytest.fixture
def folder(tmp_path):
    for split, rows in ROWS.items():
        write(tmp_path / f"autotagging-{split}.tsv", *rows)
        write(tmp_path / f"autotagging_top50tags-{split}.tsv", *rows)
    return tmp_path


def test_tags_of_any_number_and_decades_as_era(folder):
    loaded = load("music", str(folder))
    assert loaded.vocabulary.to_dict() == {
        "genre": ["rock"], "mood": ["happy"], "instrument": ["piano"], "era": ["80s"]
    }  # fmt: skip
    first = loaded.tracks[0]
    assert (first.track_id, first.artist_id, first.split, first.secs) == ("track_1", "artist_1", "train", 10.5)
    assert (first.path, first.tags) == ("music/01/1.mp3", (0, 1, 3))
    assert [track.split for track in loaded.tracks] == ["train", "validation", "test"]


def test_three_files_of_categories_are_joined_by_track(tmp_path):
    rows = "track_{0}\tartist_1\talbum_1\t0{0}/{0}.mp3\t10\t{1}"
    for split, number in (("train", 1), ("validation", 2), ("test", 3)):
        write(tmp_path / f"autotagging_genre-{split}.tsv", rows.format(number, "genre---rock"))
        write(tmp_path / f"autotagging_moodtheme-{split}.tsv", rows.format(number, "mood/theme---sad"), end="\n")
        write(tmp_path / f"autotagging_instrument-{split}.tsv", rows.format(number + 5, "instrument---harp"))
    loaded = load("", str(tmp_path))
    assert {(track.track_id, track.tags) for track in loaded.tracks} == {
        *((f"track_{i}", (0, 1)) for i in (1, 2, 3)), *((f"track_{i}", (2,)) for i in (6, 7, 8))
    }  # fmt: skip


def test_low_bitrate_copies_are_taken_where_they_are_there(folder, tmp_path):
    for number, suffix in ((2, ".low.mp3"), (3, ".mp3")):
        (tmp_path / f"0{number}").mkdir()
        (tmp_path / f"0{number}/{number}{suffix}").touch()
    assert load(str(tmp_path), str(folder)).tracks[0].path.endswith("/01/1.low.mp3")
    (tmp_path / "02/2.mp3").touch()
    assert load(str(tmp_path), str(folder)).tracks[0].path.endswith("/01/1.mp3")


def test_a_vocabulary_file_chooses_and_merges_tags(folder, tmp_path):
    grouping = tmp_path / "my.tsv"
    grouping.write_text("tag\tnotion\tname\ngenre---rock\tgenre\trock\nmood/theme---happy\tfeeling\tjoy\n")
    loaded = load("", str(folder), grouping=str(grouping))
    assert loaded.vocabulary.to_dict() == {"genre": ["rock"], "feeling": ["joy"]}
    assert [track.tags for track in loaded.tracks] == [(0, 1), (), (0,)]


ROW = "track_9\tartist_1\talbum_1\t{}\t{}\t{}"
MALFORMED = {
    "row 2: tag 'theme---x' has no notion": [ROW.format("1.mp3", 1, "theme---x")],
    "row 2: tag 'rock' has no notion": [ROW.format("1.mp3", 1, "rock")],
    "row 3: track_9 stands twice, before in .*row 2": [ROW.format("1.mp3", 1, "genre---a")] * 2,
    "row 2: DURATION 'long' is no number": [ROW.format("1.mp3", "long", "genre---a")],
    "row 2: DURATION 'nan' is no number": [ROW.format("1.mp3", "nan", "genre---a")],
    "row 2: path '../../x.mp3' leads out": [ROW.format("../../x.mp3", 1, "genre---a")],
    "row 2: the path is empty": [ROW.format("", 1, "genre---a")],
}


@pytest.mark.parametrize("message", MALFORMED)
def test_what_is_malformed_is_named(folder, message):
    write(folder / "autotagging-train.tsv", *MALFORMED[message])
    with pytest.raises(UserError, match=message):
        load("", str(folder))


def test_other_mistakes_are_named(folder, tmp_path):
    write(folder / "autotagging-train.tsv", ROWS["test"][0])
    with pytest.raises(UserError, match="autotagging-test.tsv, row 2: track_3 stands twice"):
        load("", str(folder))
    (folder / "autotagging-train.tsv").write_text("TRACK_ID\tPATH\n")
    with pytest.raises(UserError, match="expected a column 'ARTIST_ID'"):
        load("", str(folder))
    (folder / "autotagging-train.tsv").write_bytes(HEADER.encode() + b"\nt\ta\ta\t1.mp3\t1\tgenre---\xff\n")
    with pytest.raises(UserError, match="not UTF-8 at byte 69"):
        load("", str(folder))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no autotagging-train.tsv or its like"):
        load("", str(tmp_path / "empty"))
    (tmp_path / "all.tsv").touch()
    with pytest.raises(UserError, match="its name holds none of train, validation, test"):
        load("", str(tmp_path / "all.tsv"))


def test_the_real_validation_file(shared_labels):
    """11 101 rows; tags counted with the csv module's own eyes would be cut at the sixth column."""
    path = shared_labels / "mtg_jamendo/split0_validation_joined.tsv"
    loaded = load("", str(path))
    assert {track.split for track in loaded.tracks} == {"validation"}
    assert len(loaded.tracks) == 11101
    lines = path.read_bytes().decode().split("\r\n")[1:-1]
    assert sum(len(track.tags) for track in loaded.tracks) == sum(len(line.split("\t")) - 5 for line in lines)
    sizes = {notion: len(tags) for notion, tags in loaded.vocabulary.to_dict().items()}
    assert sizes == {"genre": 83, "mood": 56, "instrument": 40, "era": 4}
    third = loaded.tracks[2]
    assert (third.track_id, third.artist_id, third.path, third.secs) == (
        "track_0000775", "artist_000104", "75/775.mp3", 198.1
    )  # fmt: skip
    assert [loaded.vocabulary.tags[i] for i in third.tags] == [
        "genre/easylistening",
        "genre/electronic",
        "genre/lounge",
    ]
