import dataclasses

import pytest

from tfmir.errors import UserError
from tfmir.experiments import systems
from tfmir.experiments.columns import TRIPLETS
from tfmir.experiments.contrasts import AGREE, Contrast, load_contrasts, of_trained

HEAD = "id,primary,claim,section,more,less,column,against,kind,margin"


@pytest.fixture(scope="module")
def shipped():
    return load_contrasts("docs/comparison/contrasts.csv")


def test_a_line_is_a_contrast(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(f'{HEAD}\na,yes,"A, or B",5,joint,proxy,R@1,,more,\nb,no,C,,proxy,proxy,R@2,R@1,agree,0.02\n')
    first, second = load_contrasts(str(path))
    assert first == Contrast("a", "A, or B", "5", "joint", "proxy", "R@1", primary=True)
    assert (second.columns, second.kind, second.margin, second.primary) == (("R@2", "R@1"), AGREE, 0.02, False)
    assert [first.name, second.name] == ["joint − proxy, R@1", "proxy, R@2 − R@1"]
    assert load_contrasts("") == []


def test_the_primary_ones_are_eleven_and_come_with_tfmir(shipped, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_contrasts("docs/comparison/contrasts.csv") == shipped
    primary = [contrast.id for contrast in shipped if contrast.primary]
    assert len(primary) == 11
    assert {contrast.id for contrast in shipped[:11]} == set(primary)


def test_no_difference_is_told_twice(shipped):
    """Neither by itself nor by another name of the same function (proxy_basic) or column (triplets in sub-spaces)."""
    assert not {name for contrast in shipped for name in (contrast.more, contrast.less)} & set(systems.ALIASES)
    seen = [
        frozenset(
            (system, "mean of sub-spaces" if column == TRIPLETS and system in systems.DISENTANGLED else column)
            for system, column in zip((c.more, c.less), c.columns, strict=True)
        )
        for c in shipped
    ]
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a,maybe,A,5,joint,proxy,R@1,,more,", "line 2: primary is 'maybe', expected yes or no"),
        ("a,yes,A,5,joint,proxy,R@1,,less,", "line 2: kind is 'less', expected more or agree"),
        ("a,yes,A,5,joint,proxy,,,more,", "line 2: column is empty"),
        ("a,yes,A,5,joint,proxy,R@1,,agree,", "line 2: margin is '': kind agree needs a number above 0"),
        ("a,yes,A,5,joint,proxy,R@1,,agree,nan", "margin is 'nan'"),
        ("a,yes,A,5,joint,proxy,R@1,,more", "line 2: has fewer cells than the header"),
        ("a,yes,A,5,joint,proxy,R@1,,more,,", "line 2: has more cells than the header"),
        ("a,yes,A,5,joint,prxy,R@1,,more,", "line 2: less is 'prxy', but there is no flag file launch/prxy.flags"),
        ("a,yes,A,5,joint,proxy,R@3,,more,", "line 2: column is 'R@3', which is no column of a comparison"),
        ("a,no,A,5,joint,joint,R@1,mean,more,", "line 2: against is 'mean', which is no column"),
        ("a,no,A,5,joint,joint,R@1,,more,", "line 2: joint cannot be compared with itself in one column"),
        ("a,no,A,5,joint,joint,R@1,R@1,more,", "line 2: joint cannot be compared with itself in one column"),
        (
            "a,no,A,5,proxy_basic,classification,R@1,,agree,0.1",
            "line 2: proxy_basic and classification, one function, cannot be compared with itself",
        ),
        ("a,yes,A,5,joint,proxy,R@1,,more,\na,no,B,5,joint,proxy,R@2,,more,", "line 3: id 'a' stands twice"),
    ],
)
def test_what_is_no_contrast_is_named_by_its_line(tmp_path, line, message):
    path = tmp_path / "mine.csv"
    path.write_text(f"{HEAD}\n{line}\n")
    with pytest.raises(UserError) as told:
        load_contrasts(str(path))
    assert message in str(told.value)
    assert str(told.value).startswith(f"--contrasts={path}, ")


def test_a_file_that_is_not_there_or_has_another_header_is_refused(tmp_path):
    with pytest.raises(UserError, match="--contrasts=nowhere.csv: no such file"):
        load_contrasts("nowhere.csv")
    (tmp_path / "other.csv").write_text(HEAD.replace("margin", "margins") + "\n")
    with pytest.raises(UserError, match="other.csv, line 1: the header lacks margin and has an unknown 'margins'"):
        load_contrasts(str(tmp_path / "other.csv"))
    (tmp_path / "other.csv").write_text(f"{HEAD},id\n")
    with pytest.raises(UserError, match="line 1: the header names a column twice: it is id,claim,section,"):
        load_contrasts(str(tmp_path / "other.csv"))
    (tmp_path / "other.csv").write_text("")
    with pytest.raises(UserError, match="line 1: the header lacks id, claim, section, more,"):
        load_contrasts(str(tmp_path / "other.csv"))
    assert {field.name for field in dataclasses.fields(Contrast)} == set(HEAD.split(","))


def test_a_spreadsheets_mark_of_its_encoding_is_no_part_of_the_header(tmp_path, shipped):
    (tmp_path / "mine.csv").write_text(f"{HEAD}\na,yes,A,5,joint,proxy,R@1,,more,\n", encoding="utf-8-sig")
    assert [contrast.id for contrast in load_contrasts(str(tmp_path / "mine.csv"))] == ["a"]


def test_systems_may_be_of_a_folder_of_ones_own(tmp_path):
    (tmp_path / "mine.csv").write_text(f"{HEAD}\na,yes,A,5,mine,proxy,R@1,,more,\n")
    (tmp_path / "mine.flags").write_text("")
    assert load_contrasts(str(tmp_path / "mine.csv"), launch=str(tmp_path))[0].more == "mine"
    with pytest.raises(UserError, match="more is 'mine'"):
        load_contrasts(str(tmp_path / "mine.csv"))


def test_either_name_of_a_function_is_that_of_the_one_that_was_trained():
    contrast = Contrast("a", "A", "5", "proxy_basic", "triplet", "R@1")
    (found,) = of_trained([contrast], ["classification", "triplet"])
    assert (found.more, found.less) == ("classification", "triplet")
    assert of_trained([found], ["proxy_basic", "triplet"]) == [contrast]
    assert of_trained([contrast], ["proxy_basic", "classification", "triplet"]) == [contrast]
    assert of_trained([contrast], ["triplet"]) == [contrast]
