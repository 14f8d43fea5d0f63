import pytest

from tfmir.corpora.grouping import choose_tags, load_grouping, to_vocabulary
from tfmir.errors import UserError


def write(tmp_path, *rows, header="tag\tnotion\tname"):
    path = tmp_path / "v.tsv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return str(path)


def test_tags_keep_the_order_of_the_file_and_may_be_renamed(tmp_path):
    path = write(tmp_path, "sad\tmood\t", "clasical\tgenre\tclassical", "rock \t genre", "a/b\tgenre\t\u200b")
    assert list(load_grouping(path, default="x").items()) == [
        ("sad", "mood/sad"), ("clasical", "genre/classical"), ("rock", "genre/rock"), ("a/b", "genre/a/b")
    ]  # fmt: skip


def test_two_tags_of_one_name_become_one_but_only_within_a_notion(tmp_path):
    rows = ["classical\tgenre\t", "clasical\tgenre\tclassical", "dark\tgenre\t", "gloomy\tmood\tdark"]
    names = load_grouping(write(tmp_path, *rows), default="x")
    assert to_vocabulary(names).to_dict() == {"genre": ["classical", "dark"], "mood": ["dark"]}


def test_notions_stand_in_the_order_of_their_first_tags():
    assert list(to_vocabulary(["b/1", "a/1", "b/2", "b/1"]).to_dict().items()) == [("b", ["1", "2"]), ("a", ["1"])]


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (["rock\t"], "tag\tnotion", "row 2: tag 'rock', notion '': both are needed"),
        (["\tgenre"], "tag\tnotion", "row 2: tag '', notion 'genre': both are needed"),
        (["rock\tmood/theme"], "tag\tnotion", "notion 'mood/theme': .* without a slash"),
        (["\u200b\tgenre"], "tag\tnotion", "row 2: .* both are needed"),
        (["rock\t\u200b"], "tag\tnotion", "row 2: .* both are needed"),
        (["rock\tlog_mel"], "tag\tnotion", "row 2: notion 'log_mel': '_log_mel' is the end of a signature's name"),
        (["rock\tmood theme"], "tag\tnotion", "row 2: notion 'mood theme': .* such as 'mood_theme'"),
        (["rock\tgenre", "rock\tmood"], "tag\tnotion", "row 3: tag 'rock' stands twice"),
        (["rock\tgenre"], "tag\tgroup", "expected a column 'notion'"),
        ([], "tag\tnotion", "no rows under the header"),
    ],
)
def test_what_is_malformed_is_named(tmp_path, rows, header, message):
    with pytest.raises(UserError, match=message):
        load_grouping(write(tmp_path, *rows, header=header), default="x")


def test_with_a_key_tags_are_the_same_by_it_and_come_back_as_the_labels_spell_them(tmp_path):
    path = write(tmp_path, "ROCK\tgenre", "jazz\tgenre\tJazz")
    known = {"Rock", "Jazz", "pop"}
    assert choose_tags(path, known, key=str.casefold) == {"Rock": "genre/ROCK", "Jazz": "genre/Jazz"}
    with pytest.raises(UserError, match="2 tags of the vocabulary are not in the labels, the first is 'ROCK'"):
        choose_tags(path, known)
    with pytest.raises(UserError, match="row 3: tag 'rock' stands twice"):
        choose_tags(write(tmp_path, "ROCK\tgenre", "rock\tgenre"), known, key=str.casefold)


def test_a_tag_that_the_labels_do_not_know_is_refused(tmp_path):
    path = write(tmp_path, "rock\tgenre", "roock\tgenre", "jaz\tgenre")
    with pytest.raises(UserError, match="2 tags of the vocabulary are not in the labels, the first is 'roock'") as told:
        choose_tags(path, {"rock", "jazz"})
    assert "they have 2 others, such as jazz, rock" in str(told.value)
    assert choose_tags(path, {"rock", "roock", "jaz", "more"}) == {
        tag: f"genre/{tag}" for tag in ("rock", "roock", "jaz")
    }


@pytest.mark.parametrize(
    ("corpus", "sizes"),
    [
        ("msd", {"genre": 28, "mood": 12, "instrument": 5, "era": 5}),
        ("magnatagatune", {"genre": 13, "mood": 6, "instrument": 14, "vocals": 17}),
    ],
)
def test_the_vocabularies_that_come_with_tfmir_have_50_tags(corpus, sizes):
    """The counts of the paper (section 4.1) for the first."""
    names = load_grouping("", default=corpus)
    assert len(names) == 50
    assert {notion: len(tags) for notion, tags in to_vocabulary(names).to_dict().items()} == sizes
