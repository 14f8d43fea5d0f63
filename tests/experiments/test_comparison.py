import json

import pytest

from tfmir.errors import UserError
from tfmir.experiments import plots
from tfmir.experiments.columns import summary
from tfmir.experiments.comparison import load_published, markdown
from tfmir.params import RunParams, SystemParams
from tfmir.run_directory import Run
from tfmir.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_dict({"genre": ["a", "b"], "mood": ["x"]})


def report(recall, seconds, *, disentangled=True, plain=False):
    def interval(value):
        return {"mean": value, "low": value - 0.1, "high": value + 0.1}

    recalls = {str(k): interval(recall + 0.05 * i) for i, k in enumerate((1, 2, 4, 8))}
    own = {
        "recall": recalls,
        "recall_notion": {notion: recalls for notion in VOCABULARY.notions},
        "roc_auc": interval(0.8),
        "pr_auc": 0.4,
        "roc_auc_notion": {"genre": 0.9, "mood": 0.7},
        "triplets": {"genre": interval(0.6), "mood": interval(0.8)},
        "triplets_subspace": {"genre": interval(0.7), "mood": interval(0.9)} if disentangled else None,
        "triplets_track": interval(0.95),
        "leakage": [[0.7, 0.5], [0.5, 0.9]] if disentangled else None,
        "leakage_gap": 0.3 if disentangled else None,
        "cosine": {"recall": {"1": interval(recall + 0.15)}} if plain else None,
    }
    training = {"epochs": 3, "seconds_per_epoch": seconds / 3, "seconds": seconds, "cpu_seconds": 2 * seconds}
    training["cpu_seconds_per_epoch"] = 2 * seconds / 3
    return {"notions": VOCABULARY.to_dict(), "tracks": 40, "own": own, "training": training}


@pytest.fixture
def reports():
    return {
        "triplet": [report(0.2, 300), report(0.4, 500)],
        "plain": [report(0.1, 100, disentangled=False, plain=True), report(0.1, 300, disentangled=False, plain=True)],
    }


@pytest.fixture
def runs(tmp_path):
    def of(system):
        return [Run(tmp_path, RunParams(system=system), VOCABULARY, "records", "demo", "CC0-1.0")] * 2

    plain = SystemParams("classification", disentangled=False, normalized=False)
    return {"triplet": of(SystemParams("triplet")), "plain": of(plain)}


def rows(text, title):
    lines = text.split(f"## {title}\n\n")[1].split("\n\n")[0].splitlines()
    head, _, *body = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: dict(zip(head, row, strict=True)) for row in body}


def test_means_deviations_ratios_and_the_best_in_bold_by_hand(runs, reports):
    """R@1 0.2 and 0.4: 0.3 ± 0.141. Seconds 400 and 200 on the average: 2 × with deviation 0.5 √2 = 0.707."""
    found = rows(markdown(runs, reports), "Retrieval and training time")
    assert found["triplet"]["R@1"] == "**0.300** ± 0.141"
    assert found["plain"]["R@1"] == "0.100 ± 0.000"
    assert found["plain"]["R@1 by cosine"] == "0.250 ± 0.000"
    assert tuple(found[system]["wall-clock time"] for system in ("triplet", "plain")) == (
        "2.000 ± 0.707",
        "**1.000** ± 0.707",
    )
    assert [found["plain"][name] for name in ("normalised", "disentangled")] == ["no", "no"]


def test_what_a_system_does_not_have_is_a_dash(runs, reports):
    found = rows(markdown(runs, reports), "Triplet prediction, in the notion's sub-space")
    assert found["plain"]["genre sub-space"] == found["plain"]["leakage gap"] == "–"
    assert found["triplet"]["mean of sub-spaces"] == "**0.800** ± 0.000"


def test_the_summary_keeps_every_seed(reports):
    found = summary(reports)
    assert found["R@1"] == {"triplet": [0.2, 0.4], "plain": [0.1, 0.1]}
    assert found["cpu_seconds"]["plain"] == [200, 600]
    assert found["CPU time"]["triplet"] == [600 / 400, 1000 / 400]
    assert found["leakage gap"]["plain"] == [None, None]
    json.dumps(found, allow_nan=False)


def test_the_findings_stand_below_the_tables(runs, reports):
    """Renamed as the paper's two classification systems: R@1 0.2 and 0.4 against 0.1 and 0.1, difference 0.2 ± 0.1·√2,
    t = 12.706 for one degree of freedom: 0.2 ± 12.706 · 0.1."""
    names = {"triplet": "classification", "plain": "classification_plain"}
    text = markdown(*({names[s]: group for s, group in both.items()} for both in (runs, reports)))
    found = rows(text, "What the paper found")["Normalisation lifts classification's retrieval"]
    assert found["difference"] == "classification − classification_plain, R@1"
    assert (found["mean"], found["verdict"]) == ("+0.200", "undecided")
    assert found["95 % interval over the seeds"] == "[-1.071, +1.471]"


def test_published_figures_stand_beside_ours(runs, reports, tmp_path):
    path = tmp_path / "paper.csv"
    path.write_text("system,column,value\ntriplet,R@1,0.42\nnobody,R@1,0.1\n")
    text = markdown(runs, reports, published=load_published(str(path)))
    found = rows(text, "Retrieval and training time")
    assert [found[system]["R@1, published"] for system in ("triplet", "plain")] == ["0.42", "–"]
    assert "not their size" in text
    assert "published" not in markdown(runs, reports)
    assert load_published("") == {}
    with pytest.raises(UserError, match="no column 'R@3' in the report"):
        markdown(runs, reports, published={"R@3": {"triplet": 0.1}})


@pytest.mark.parametrize(
    "text", ["system,value\na,1\n", "system,column,value\na,R@1,high\n", "system,column,value\na\n"]
)
def test_published_figures_that_cannot_be_read_are_named(tmp_path, text):
    (tmp_path / "paper.csv").write_text(text)
    with pytest.raises(UserError, match=r"paper.csv, line 2: found a.*needs a system, a column and a number"):
        load_published(str(tmp_path / "paper.csv"))
    with pytest.raises(UserError, match="nowhere.csv: no such file"):
        load_published("nowhere.csv")


def test_figures_are_written(reports, tmp_path):
    plots.recall_curves(reports, tmp_path / "recall.png")
    plots.recall_against_time(reports, tmp_path / "time.png")
    plots.leakage_matrices({"triplet": reports["triplet"]}, tmp_path / "leakage.png")
    assert all((tmp_path / f"{name}.png").stat().st_size > 5000 for name in ("recall", "time", "leakage"))
