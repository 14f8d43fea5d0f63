import datetime

import pytest

from tfmir.corpora.metadata import decade, genres, moods

PLACEHOLDERS = [
    "", " ", "\u200b", "-", "--", "?", "...", "None", "(None)", "<none>", "null", "Unknown", "[unknown]",
    "UNKNOWN GENRE", "Unknown  Genre", "unknown mood", "Other", "other ", "(Other)", "Untitled", "N/A", "n / a", "NA",
    "misc", "No Genre", "Not Specified",
]  # fmt: skip


@pytest.mark.parametrize("text", PLACEHOLDERS)
@pytest.mark.parametrize("read", [genres, moods])
def test_a_placeholder_is_no_tag_alone_and_among_others(read, text):
    assert read([text]) == []
    for among in (f"Rock; {text}", f"{text}, Rock", f"{text}/Rock", f"Rock\0{text}"):
        assert read([among]) == ["rock"], among
    assert read([text, "Rock"]) == ["rock"]


@pytest.mark.parametrize("text", ["Another", "Nonet", "Unknown Pleasures", "N/Acoustic", "Rap/Asian", "Mother"])
def test_what_only_looks_like_a_placeholder_is_a_tag(text):
    assert moods([text])


@pytest.mark.parametrize(
    ("texts", "tags"),
    [
        (["Rock; Pop"], ["pop", "rock"]),
        (["Rock/Pop", "Jazz,Blues\0Soul"], ["blues", "jazz", "pop", "rock", "soul"]),
        (["  Hip   Hop ", "hip hop"], ["hip hop"]),
        (["(17)"], ["rock"]),
        (["17"], ["rock"]),
        (["(17)Rock"], ["rock"]),
        (["(4)(17)"], ["disco", "rock"]),
        (["(12)"], []),
        (["12"], []),
        (["(12)(17)"], ["rock"]),
        (["(12);(17)"], ["rock"]),
        (["(255)"], []),
        (["(12)Krautrock"], ["krautrock"]),
        (["Rock (Classic)"], ["rock (classic)"]),
        (["R&B"], ["r&b"]),
    ],
)
def test_genres_in_every_way_that_files_write_them(texts, tags):
    assert genres(texts) == tags


@pytest.mark.parametrize(
    ("texts", "era"),
    [
        (["1994"], ["1990s"]),
        (["1994-05-01T10:00:00Z"], ["1990s"]),
        (["01/05/1994"], ["1990s"]),
        (["19940501"], ["1990s"]),
        (["c1994?"], ["1990s"]),
        (["2004", "1994"], ["2000s"]),
        (["0000", "1994"], ["1990s"]),
        (["1808"], ["1800s"]),
        ([], []),
        ([""], []),
        (["0000-00-00"], []),
        (["0001"], []),
        (["94"], []),
        (["9999"], []),
        (["2099"], []),
        ([str(datetime.date.today().year + 1)], []),
        (["unknown"], []),
        (["123456789"], []),
        (["\u0661\u0669\u0669\u0664"], []),
    ],
)
def test_a_date_without_a_sensible_year_gives_no_era(texts, era):
    assert decade(texts) == era
