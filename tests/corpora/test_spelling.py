import pytest

from tfmir.corpora.spelling import key, one_line, tidy, unified

NFC, NFD = "Bj\u00f6rk", "Bjo\u0308rk"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("  hip   hop ", "hip hop"),
        ("hip\u00a0hop", "hip hop"),
        ("hip\n\thop", "hip hop"),
        ("\ufeffrock\u200b", "rock"),
        (NFD, NFC),
        ("R&B", "R&B"),
        (" \u200b ", ""),
    ],
)
def test_a_text_has_one_clean_form(text, clean):
    assert tidy(text) == clean


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Rock", "rock", True),
        ("hip  hop", " Hip Hop", True),
        (NFC, NFD.upper(), True),
        ("STRASSE", "straße", True),
        ("hip-hop", "hip hop", False),
        ("cafe", "café", False),
    ],
)
def test_what_is_the_same_to_a_reader_has_the_same_key(one, other, same):
    assert (key(one) == key(other)) == same


@pytest.mark.parametrize(
    ("texts", "shown"),
    [
        (["rock", "Rock", "Rock"], "Rock"),
        (["ROCK", "rock ", "rock", "Rock", "Rock"], "Rock"),  # two of two spellings: the first in the alphabet
        (["rock", "Rock"], "Rock"),
        ([NFD, NFD, NFC], NFC),
    ],
)
def test_the_most_frequent_spelling_is_shown_whatever_the_order(texts, shown):
    assert set(unified(texts).values()) == set(unified(reversed(texts)).values()) == {shown}
    assert set(unified(texts)) == set(texts)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Sigur Rós/Ágætis byrjun #1 [100%].mp3", "Sigur Rós/Ágætis byrjun #1 [100%].mp3"),
        ("a\nb\tc\rd.mp3", r"a\nb\tc\rd.mp3"),
        ("\x1b[31mred\x85\u2028", r"\x1b[31mred\x85\u2028"),
        ("gnp.\u202e3pm", r"gnp.\u202e3pm"),  # shown from right to left it would end in mp3
        ("\udce9", r"\udce9"),
        ("two  spaces\u3000wide, not\xa0broken", "two  spaces\u3000wide, not\xa0broken"),
        ("\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN} \N{GUITAR}", "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN} \N{GUITAR}"),
    ],
)
def test_a_name_is_one_line_on_which_nothing_is_hidden(text, shown):
    assert one_line(text) == shown
    assert len(one_line(text).splitlines()) == 1
