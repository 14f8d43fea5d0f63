import numpy as np
import pytest

from tfmir.errors import UserError
from tfmir.vocabulary import Vocabulary, check_notion

VOCABULARY = Vocabulary.from_dict({"genre": ["rock", "dark"], "mood": ["dark"], "era": ["60s", "70s"]})


def test_tags_are_numbered_notion_by_notion_and_named_in_full():
    assert VOCABULARY.tags == ("genre/rock", "genre/dark", "mood/dark", "era/60s", "era/70s")
    assert VOCABULARY.indices(["mood/dark", "genre/dark"]) == [1, 2]
    assert VOCABULARY.tags_of("era").tolist() == [3, 4]
    with pytest.raises(KeyError):
        VOCABULARY.indices(["mood/rock"])


def test_masks_are_disjoint_equal_and_cover_the_embedding():
    masks = VOCABULARY.masks(12)
    np.testing.assert_array_equal(masks.sum(axis=0), np.ones(12))
    np.testing.assert_array_equal(masks.sum(axis=1), [4, 4, 4])
    for notion, mask in zip(VOCABULARY.notions, masks, strict=True):
        assert mask[VOCABULARY.subspace(notion, 12)].all()


@pytest.mark.parametrize(("dim", "nearest"), [(256, "255 or 258"), (2, "use 3"), (4, "3 or 6")])
def test_an_uneven_embedding_names_the_nearest_that_divide(dim, nearest):
    with pytest.raises(UserError, match=nearest):
        VOCABULARY.subspace_dim(dim)


def test_json_round_trip_keeps_the_order():
    assert Vocabulary.from_dict(VOCABULARY.to_dict()) == VOCABULARY


def test_multi_hot_by_hand():
    np.testing.assert_array_equal(VOCABULARY.multi_hot([[0, 3], []]), [[1, 0, 0, 1, 0], [0, 0, 0, 0, 0]])


def test_carried_notions_by_hand():
    """Tags 0 and 1 are genre, 2 is mood, 3 and 4 are era."""
    labels = np.array([[1, 1, 0, 0, 1], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]], bool)
    np.testing.assert_array_equal(VOCABULARY.carried(labels), [[1, 0, 1], [0, 1, 0], [0, 0, 0]])


def test_a_notion_that_stands_twice_is_refused():
    with pytest.raises(UserError, match="notion 'a' stands twice"):
        Vocabulary((("a", ("x",)), ("a", ("y",))))


@pytest.mark.parametrize(
    ("groups", "message"),
    [({}, "no notion"), ({"a": []}, "has no tag"), ({"a": ["x", "x"]}, "'x' stands twice")],
)
def test_impossible_vocabularies_are_refused(groups, message):
    with pytest.raises(UserError, match=message):
        Vocabulary.from_dict(groups)


@pytest.mark.parametrize(
    "notion",
    [
        "genre",
        "Genre",
        "mood_theme",
        "mood-theme",
        "a.b",
        "2020s",
        "_x",
        "größe",
        "ジャンル",
        "शैली",
        "log_mels",
        "tags",
    ],
)
def test_a_notion_is_one_word_in_any_script(notion):
    check_notion(notion, "here")
    assert Vocabulary.from_dict({notion: ["x"]}).notions == (notion,)


@pytest.mark.parametrize(
    ("notion", "message"),
    [
        ("", "has no name"),
        ("  ", "has no name"),
        ("\u200b", "no space or sign"),
        ("a/b", "no slash, no space or sign .* rename it, such as 'a_b'"),
        ("mood theme", "rename it, such as 'mood_theme'"),
        ("mood=1", "rename it, such as 'mood_1'"),
        ("a,b", "rename it, such as 'a_b'"),
        ("Unnamed: 0", "rename it, such as 'Unnamed_0'"),
        ("a\nb", "rename it"),
        ("a\\b", "rename it"),
        ("-x", "rename it, such as 'x'"),
        (".", "rename it, such as 'notion'"),
        ("😀", "rename it"),
        ("log_mel", "'_log_mel' is the end of a signature's name"),
        ("genre_log_mel", "'_log_mel' is the end of a signature's name"),
        ("track_id", "name of a field"),
        ("Artist", "name of a field.* lower case"),
        ("split", "name of a field"),
        ("path", "name of a field"),
        ("Whole", "name of a field"),
    ],
)
def test_a_name_that_no_signature_or_flag_can_carry_is_refused(notion, message):
    with pytest.raises(UserError, match=f"^here: .*{message}"):
        check_notion(notion, "here")
    with pytest.raises(UserError, match="notion"):
        Vocabulary.from_dict({"genre": ["x"], notion: ["x"]})
