"""Flag files as editors and shells of all kinds write them; how flags use them is in test_flags.py."""

import codecs

import pytest

from tfmir.errors import UserError
from tfmir.flag_files import FlagFile, Line, with_flag_files

TEXT = "# for Grün\n--licence=Grün\n--rate=2\n"


def read(tmp_path, data):
    """The words of a flag file of these bytes."""
    (tmp_path / "a.flags").write_bytes(data)
    (file,) = with_flag_files([f"--flagfile={tmp_path}/a.flags"])
    return file.words


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        TEXT.encode("utf-16"),
        codecs.BOM_UTF16_BE + TEXT.replace("\n", "\r\n").encode("utf-16-be"),
        TEXT.encode("utf-32"),
        b"\t" + TEXT.replace("\n", "  \n\n").encode() + b"\t\n ",
        TEXT.rstrip().encode(),
    ],
    ids=["utf-8", "bom", "crlf", "cr", "utf-16", "utf-16-be", "utf-32", "blanks", "no-end"],
)
def test_what_editors_write_is_read(tmp_path, data):
    assert read(tmp_path, data) == ("--licence=Grün", "--rate=2")


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (TEXT.encode("latin-1"), 1),
        (b"--rate=2\r\n\r\n--licence=Gr\xfcn\r\n", 3),
        (TEXT.encode("utf-16-le"), 1),
        (b"--rate=2\n--kind=a\0\n", 2),
        (codecs.BOM_UTF16_LE + b"-", 1),
    ],
)
def test_what_is_no_text_is_one_line_with_the_file_its_line_and_the_remedy(tmp_path, data, line):
    with pytest.raises(UserError) as told:
        read(tmp_path, data)
    expected = f"--flagfile={tmp_path}/a.flags, line {line}: not UTF-8: save the file as UTF-8 text"
    assert str(told.value) == expected


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("--rate 2", "--rate=2"),
        ("--rate  =  2", "--rate=2"),
        ("-rate\t2", "-rate=2"),
        ("--licence=CC BY", "--licence=CC BY"),
        ("--licence CC BY = x", "--licence=CC BY = x"),
        ("--noflag", "--noflag"),
    ],
)
def test_a_value_may_stand_after_a_blank(tmp_path, text, word):
    assert read(tmp_path, text.encode()) == (word,)


def test_a_line_knows_its_file_and_number_also_when_nested(tmp_path):
    (tmp_path / "inner.flags").write_text("\n--rate=3\n")
    (tmp_path / "a.flags").write_text("--kind=b\n--flagfile inner.flags\n--rate=2\n")
    outer, inner = (str(tmp_path / name) for name in ("a.flags", "inner.flags"))
    parts = with_flag_files(["x", "--flagfile", outer, "--", "--flagfile=nowhere"])
    lines = (Line(outer, 1, "--kind=b"), Line(inner, 2, "--rate=3"), Line(outer, 3, "--rate=2"))
    assert parts == ["x", FlagFile(outer, lines), "--", "--flagfile=nowhere"]
    assert str(lines[1]) == f"{inner}, line 2"
