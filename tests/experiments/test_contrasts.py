import dataclasses

import pytest

from tfmir.errors import UserError
from tfmir.experiments import systems
from tfmir.experiments.columns import TRIPLETS, tables, triplet_columns
from tfmir.experiments.contrasts import AGREE, Contrast, load_contrasts

HEAD = "id,primary,claim,section,more,less,column,against,kind,margin"


@pytest.fixture(scope="module")
def shipped():
    return load_contrasts("docs/comparison/contrasts.csv")


def test_a_line_is_a_contrast(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(f'{HEAD}\na,yes,"A, or B",5,x,y,R@1,,more,\nb,no,C,,x,x,R@2,R@1,agree,0.02\n')
    first, second = load_contrasts(str(path))
    assert first == Contrast("a", "A, or B", "5", "x", "y", "R@1", primary=True)
    assert (second.columns, second.kind, second.margin, second.primary) == (("R@2", "R@1"), AGREE, 0.02, False)
    assert [first.name, second.name] == ["x − y, R@1", "x, R@2 − R@1"]
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


def test_every_column_and_system_of_a_contrast_is_one_of_the_comparison(shipped):
    layout = [*tables(["genre"]).values(), *triplet_columns(["genre"]).values()]
    columns = {name for group in layout for name in group} | {TRIPLETS}
    for contrast in shipped:
        assert {contrast.more, contrast.less} <= set(systems.ALL)
        assert set(contrast.columns) <= columns


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a,maybe,A,5,x,y,R@1,,more,", "line 2: primary is 'maybe', expected yes or no"),
        ("a,yes,A,5,x,y,R@1,,less,", "line 2: kind is 'less', expected more or agree"),
        ("a,yes,A,5,x,y,,,more,", "line 2: column is empty"),
        ("a,yes,A,5,x,y,R@1,,agree,", "line 2: margin is '': kind agree needs a number above 0"),
        ("a,yes,A,5,x,y,R@1,,agree,nan", "margin is 'nan'"),
        ("a,yes,A,5,x,y,R@1,,more", "line 2: needs the columns id, claim"),
        ("a,yes,A,5,x,y,R@1,,more,,", "line 2: needs the columns"),
        ("a,yes,A,5,x,y,R@1,,more,\na,no,B,5,x,y,R@2,,more,", "line 3: id 'a' stands twice"),
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
    (tmp_path / "other.csv").write_text("system,column,value\na,R@1,0.5\n")
    with pytest.raises(UserError, match="other.csv, line 2: needs the columns id"):
        load_contrasts(str(tmp_path / "other.csv"))
    assert {field.name for field in dataclasses.fields(Contrast)} == set(HEAD.split(","))
