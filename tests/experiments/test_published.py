import pytest

from tfmir.errors import UserError
from tfmir.experiments import systems
from tfmir.experiments.published import load_published


def test_figures_by_column_and_system(tmp_path):
    path = tmp_path / "paper.csv"
    path.write_text('system,column,value\ntriplet,R@1,0.42\n"CRNN (Choi et al., 2017)",R@1,0.1\ntriplet,human,0.82\n')
    assert load_published(str(path)) == {
        "R@1": {"triplet": 0.42, "CRNN (Choi et al., 2017)": 0.1},
        "human": {"triplet": 0.82},
    }
    assert load_published("") == {}


def test_the_papers_come_with_tfmir_and_are_found_from_any_folder(tmp_path, monkeypatch):
    """Every system of the paper has a row; those with sub-spaces have one for them (Table 3)."""
    monkeypatch.chdir(tmp_path)
    found = load_published("docs/comparison/published.csv")
    assert set(found["R@1"]) == set(systems.PAPER)
    assert set(found["mean of sub-spaces"]) == set(systems.DISENTANGLED) - {systems.JOINT}


def test_the_papers_figures_are_those_of_the_paper(repository, shared_labels):
    paper = shared_labels.parent / "paper"
    if not paper.is_dir():
        pytest.skip(f"no copy of the paper's figures: {paper} is not there")
    ours = (repository / "docs/comparison/published.csv").read_text()
    assert ours.startswith((paper / "published.csv").read_text())
    taggers = [line.rsplit(",", 1) for line in (paper / "table2.csv").read_text().splitlines()[1:]]
    assert all(f"{name},ROC-AUC,{value}" in ours for name, value in taggers if "the paper" not in name)


@pytest.mark.parametrize(
    "text", ["system,value\na,1\n", "system,column,value\na,R@1,high\n", "system,column,value\na\n"]
)
def test_published_figures_that_cannot_be_read_are_named(tmp_path, text):
    (tmp_path / "paper.csv").write_text(text)
    with pytest.raises(UserError, match=r"paper.csv, line 2: found a.*needs a system, a column and a number"):
        load_published(str(tmp_path / "paper.csv"))
    with pytest.raises(UserError, match="nowhere.csv: no such file"):
        load_published("nowhere.csv")
