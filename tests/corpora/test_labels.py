import pytest

from tfmir.corpora.corpus import Track
from tfmir.corpora.labels import Labelled, inside, read_rows, read_text, to_corpus
from tfmir.errors import UserError
from tfmir.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_dict({"genre": ["rock", "jazz"], "mood": ["calm"]})


def rows(tmp_path, data, needed=("a",), **kwargs):
    path = tmp_path / "t.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_rows(str(path), needed=needed, what="a table", **kwargs)


def test_cells_and_header_lose_the_spaces_around_them_and_missing_cells_are_empty(tmp_path):
    (first, second) = rows(tmp_path, " a , b,c\n 1 ,x y ,\n2\n")
    assert dict(first.cells) == {"a": "1", "b": "x y", "c": ""}
    assert (second["a"], second["b"], second["c"]) == ("2", "", "")


def test_rows_are_named_by_their_line_in_the_file(tmp_path):
    """Empty lines count, and a row with a line break in quotes ends where the quotes do."""
    found = rows(tmp_path, 'a,b\n1,x\n\n2,"two\nlines"\n3,y\n')
    assert [(row["a"], row.where.rsplit(", ", 1)[1]) for row in found] == [
        ("1", "row 2"),
        ("2", "row 5"),
        ("3", "row 6"),
    ]


@pytest.mark.parametrize("data", [b"\xef\xbb\xbfa,b\r\n1,2\r\n", b"a,b\n1,2", b"a,b\r1,2\r", b'"a","b"\n"1","2"\n'])
def test_every_way_to_end_a_line_and_to_mark_the_encoding(tmp_path, data):
    assert [dict(row.cells) for row in rows(tmp_path, data)] == [{"a": "1", "b": "2"}]


def test_an_open_end_keeps_its_delimiters(tmp_path):
    found = rows(tmp_path, "a\tb\n1\tx\ty\tz\n2\tx\n3\n", delimiter="\t", open_end="b")
    assert [row["b"] for row in found] == ["x\ty\tz", "x", ""]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("a,b,a\n1,2,3\n", "a column stands twice in the header .*: 'a': give each a name of its own"),
        ("b\n1\n", r"the header is \['b'\], expected a column 'a'"),
        ("", r"the header is \[\], expected a column 'a'"),
        ("a\n", "no rows under the header"),
        ("a\n\n\n", "no rows under the header"),
        ("a\n1,2\n", "row 2: more fields than the header has; quote those with a ','"),
        ('a\n"1\n', "row 2: .*is a quote not closed"),
        (b"a\n\xe9\n", "t.csv, line 2: not UTF-8 at byte 2: save it as UTF-8"),
        (b"a\r\nb\r\n\r\nr\xf6ck\r\n", "line 4: not UTF-8 at byte 9"),
        (b"a\rb\rr\x80\r", "line 3: not UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "line 1: not UTF-8 at byte 0"),
        ("a;b\n1;2\n", r"expected a column 'a': its cells are separated by ';', not by ','"),
        ("a\tb\n1\t2\n", r"its cells are separated by '\\t', not by ','"),
    ],
)
def test_what_is_malformed_is_named(tmp_path, data, message):
    with pytest.raises(UserError, match=message):
        rows(tmp_path, data)


def test_a_missing_file_says_what_was_expected(tmp_path):
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(UserError, match=f"--annotations={path}: no such file: expected a thing"):
            read_text(str(path), what="a thing")


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("a/b.mp3", "a/b.mp3"),
        (" a.mp3 ", "a.mp3"),
        ("./a//b/./c.mp3", "a/b/c.mp3"),
        ("a/../b.mp3", "b.mp3"),
        ("a\\b.mp3", "a/b.mp3"),
        ("..a/b..mp3", "..a/b..mp3"),
        ("..", None),
        (".", None),
        ("a/..", None),
        ("../a.mp3", None),
        ("a/../../b.mp3", None),
        ("a\\..\\..\\b.mp3", None),
        ("/etc/passwd", None),
        ("//a.mp3", None),
        ("\\a.mp3", None),
        ("C:\\Music\\a.mp3", None),
        ("c:/a.mp3", None),
        ("\\\\server\\a.mp3", None),
        ("a: b/c.mp3", "a: b/c.mp3"),
        ("a\0.mp3", None),
    ],
)
def test_a_path_stays_inside_the_audio_folder(path, normal):
    if normal is None:
        with pytest.raises(UserError, match=r"t.csv, row 7: path .* leads out of the audio folder"):
            inside(path, "t.csv, row 7")
    else:
        assert inside(path, "t.csv, row 7") == normal


def test_an_empty_path_is_refused():
    with pytest.raises(UserError, match="row 7: the path is empty"):
        inside("  ", "row 7")


def labelled(track_id="a", **changes):
    values = {"path": "a.mp3", "split": "train", "tags": (), "where": f"row of {track_id}", **changes}
    return Labelled(track_id, **values)


def test_tags_become_sorted_numbers_each_once_and_the_path_goes_below_the_folder():
    track = labelled(tags=("mood/calm", "genre/rock", "mood/calm"), artist_id="X", secs=2.5)
    expected = Track("a", "/music/a.mp3", "train", (0, 2), "X", 2.5)
    assert to_corpus("n", "l", [track], VOCABULARY, "/music/").tracks == (expected,)
    assert to_corpus("n", "l", [track], VOCABULARY, "").tracks[0].path == "a.mp3"


@pytest.mark.parametrize(
    ("tracks", "message"),
    [
        ([labelled(), labelled("b"), labelled(where="row 9")], r"^row 9: a stands twice \(before: row of a\)"),
        ([labelled(split="valid")], "row of a: split 'valid' is none of train, validation, test"),
        ([labelled(tags=("genre/rock", "genre/calm"))], r"row of a: tag 'genre/calm' is not in .* \(genre, mood\)"),
    ],
)
def test_what_cannot_be_a_corpus_is_named(tracks, message):
    with pytest.raises(UserError, match=message):
        to_corpus("n", "l", tracks, VOCABULARY, "")
