"""A comparison from finished runs, whose reports and answers are made up, and one written again from its figures."""

import dataclasses
import json

import numpy as np
import pytest

from tests.experiments.conftest import answers
from tfmir import files
from tfmir.errors import UserError
from tfmir.evaluation.answers import load_answers, save_answers
from tfmir.evaluation.report import SCHEMA_VERSION
from tfmir.experiments import plots
from tfmir.experiments.comparison import compare, rewrite
from tfmir.experiments.contrasts import Contrast
from tfmir.experiments.published import load_published
from tfmir.experiments.results import load_results
from tfmir.params import RunParams, SystemParams, TrainParams
from tfmir.run_directory import Run, open_run
from tfmir.vocabulary import Vocabulary

KINDS = {
    "triplet": SystemParams("triplet"),
    "plain": SystemParams("classification", normalized=False, disentangled=False),
}


@pytest.fixture
def runs(reports, tmp_path):
    """Two systems with two seeds each: run directories as `evaluate --truth` leaves them, without weights."""
    made = {}
    for system, of_seeds in reports.items():
        made[system] = [tmp_path / f"{system}-{seed}" for seed in (4, 5)]
        for seed, path, report in zip((4, 5), made[system], of_seeds, strict=True):
            params = RunParams(system=KINDS[system], training=TrainParams(seed=seed))
            open_run(Run(path, params, Vocabulary.from_dict(report["notions"]), "records", "demo", "CC0-1.0"))
            for folder in (path, path / "truth"):
                save_answers(folder, answers(report, seed=seed))
                files.write_json(folder / "report.json", {"schema_version": SCHEMA_VERSION, **report})
            rng = np.random.default_rng(0)
            split = {"embeddings": rng.random([40, 4], np.float32), "labels": rng.random([40, 3]) < 0.5}
            np.savez(path / "test.npz", track_ids=np.arange(40).astype(str), **split)
    return made


@pytest.fixture
def undrawn(monkeypatch):
    """Without pictures, which take longest."""
    monkeypatch.setattr(plots, "draw", lambda *_, **__: {})


WINS = Contrast("a", "Triplets win", "5", "triplet", "plain", "R@1", primary=True)
CONTRASTS = [WINS, dataclasses.replace(WINS, id="b", column="ROC-AUC", primary=False)]
CONTRASTS += [dataclasses.replace(WINS, id="c", column="CPU time", primary=False)]


def test_figures_of_the_runs_become_tables_pictures_and_one_file(runs, results, tmp_path):
    output = tmp_path / "out"
    text = compare(runs, output, tsne_tags="genre/a,b", command=["--seeds=4,5"])
    stored = load_results(str(output / "report.json"))
    assert dataclasses.replace(stored, made=None) == results
    assert stored.made.own["triplet"] == ["--system=triplet"]
    assert "    python -m tfmir.compare --seeds=4,5\n" in text
    assert text in (output / "report.md").read_text()
    pictures = {path.name for path in (output / "figures").iterdir()}
    assert pictures == set(plots.CAPTIONS)
    assert all(f"](figures/{name})" in (output / "report.md").read_text() for name in pictures)


def test_a_report_of_an_earlier_version_is_refused_by_its_name(runs, tmp_path):
    path = runs["plain"][1] / "report.json"
    files.write_json(path, json.loads(path.read_text()) | {"schema_version": SCHEMA_VERSION - 1})
    with pytest.raises(UserError, match=r"plain-5/report.json is of an earlier version: remove it"):
        compare(runs, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("undrawn")
def test_contrasts_are_judged_over_seeds_and_tracks_and_kept(runs, rows, tmp_path):
    """Times are not resampled over the tracks; figures of queries and of scores are."""
    text = compare(runs, tmp_path / "out", contrasts=CONTRASTS)
    stored = load_results(str(tmp_path / "out/report.json"))
    assert stored.seeds == {"triplet": [4, 5], "plain": [4, 5]}
    found = {finding.contrast.id: finding for finding in stored.labels.contrasts}
    assert [found[name].spread.over_tracks is None for name in "abc"] == [False, False, True]
    assert found["a"].difference == pytest.approx(0.2)
    assert "Triplets win (5)" in rows(text, "Primary contrasts")
    assert "Triplets win (5)" in rows(text, "Secondary contrasts")
    assert rewrite(str(tmp_path / "out/report.json"), tmp_path / "again") == text


@pytest.mark.usefixtures("undrawn")
def test_systems_may_have_different_numbers_of_runs(runs, tmp_path):
    fewer = {"triplet": runs["triplet"], "plain": runs["plain"][:1]}
    text = compare(fewer, tmp_path / "out", contrasts=CONTRASTS)
    stored = load_results(str(tmp_path / "out/report.json"))
    assert stored.seeds == {"triplet": [4, 5], "plain": [4]}
    assert stored.labels.contrasts[0].spread.seeds == (2, 1)
    assert "over 2 seeds (plain: 1);" in text


@pytest.mark.usefixtures("undrawn")
def test_the_other_name_of_a_system_has_a_row_and_is_neither_judged_nor_drawn_twice(runs, rows, tmp_path):
    named = {"classification": runs["plain"], "triplet": runs["triplet"]}
    asked = ["triplet", "proxy_basic", "classification"]
    of_alias = dataclasses.replace(WINS, id="d", less="proxy_basic")
    text = compare(named, tmp_path / "out", rows=asked, contrasts=[*CONTRASTS, of_alias])
    stored = load_results(str(tmp_path / "out/report.json"))
    assert (stored.aliases, list(stored.switches)) == ({"proxy_basic": "classification"}, asked)
    assert set(stored.labels.columns["R@1"]) == {"classification", "triplet"}
    assert [(found.contrast.id, found.contrast.less) for found in stored.labels.contrasts] == [("d", "classification")]
    table = rows(text, "Table 1: training time, retrieval, tagging")
    assert list(table) == asked
    assert table["proxy_basic"]["R@1"] == table["classification"]["R@1"] == "0.100 ± 0.000"


@pytest.mark.usefixtures("undrawn")
def test_the_truth_is_read_from_its_own_folder(runs, rows, tmp_path):
    for path in (*runs["triplet"], *runs["plain"]):
        report = json.loads((path / "truth/report.json").read_text())
        report["system"]["roc_auc"]["mean"] = 0.95
        files.write_json(path / "truth/report.json", report)
    text = compare(runs, tmp_path / "out", contrasts=CONTRASTS, truth=True)
    of_truth = rows(text, "Table 1: training time, retrieval, tagging, against the truth")
    assert (
        rows(text, "Table 1: training time, retrieval, tagging")["plain"]["ROC-AUC"],
        of_truth["plain"]["ROC-AUC"],
    ) == (
        "0.800 ± 0.000",
        "0.950 ± 0.000",
    )
    assert len(load_results(str(tmp_path / "out/report.json")).truth.contrasts) == 3
    (runs["plain"][0] / "truth/report.json").unlink()
    with pytest.raises(UserError, match=r"truth/report.json: not there: evaluate the run with --truth"):
        compare(runs, tmp_path / "other", truth=True)


@pytest.mark.usefixtures("undrawn")
def test_answers_that_are_missing_or_to_other_questions_are_refused(runs, tmp_path):
    last = runs["plain"][1]
    mine = load_answers(last)
    save_answers(last, dataclasses.replace(mine, labels=~mine.labels))
    with pytest.raises(UserError, match=r"plain-5: its answers are to other questions than those of the first run"):
        compare(runs, tmp_path / "out")
    save_answers(last, dataclasses.replace(mine, triplets={n: t[::-1] for n, t in mine.triplets.items()}))
    with pytest.raises(UserError, match=r"plain-5: its answers are to other questions"):
        compare(runs, tmp_path / "out")
    (last / "answers.npz").unlink()
    with pytest.raises(UserError, match=r"plain-5/answers.npz: not there"):
        compare(runs, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_where_a_published_column_is_unknown(runs, tmp_path):
    with pytest.raises(UserError, match="no column 'R@3' in the report"):
        compare(runs, tmp_path / "out", published={"R@3": {"triplet": 0.3}})
    assert not (tmp_path / "out").exists()


def test_a_stored_comparison_gives_the_same_tables_and_keeps_its_figures(runs, tmp_path):
    output = tmp_path / "out"
    text = compare(runs, output)
    before = (output / "report.md").read_text()
    assert rewrite(str(output / "report.json"), output) == text
    assert (output / "report.md").read_text() == before
    rewrite(str(output / "report.json"), tmp_path / "elsewhere")
    assert "## Figures" not in (tmp_path / "elsewhere/report.md").read_text()


@pytest.mark.usefixtures("undrawn")
def test_a_stored_comparison_is_written_again_with_the_papers_figures(runs, repository, rows, tmp_path):
    """Systems of the paper that are not in the comparison have rows of their own."""
    every = load_published(str(repository / "docs/comparison/published.csv"))
    published = {name: every[name] for name in ("training time", "ROC-AUC", "human")}
    compare(runs, tmp_path / "out", contrasts=CONTRASTS)
    text = rewrite(str(tmp_path / "out/report.json"), tmp_path, published=published)
    table = rows(text, "Table 1: training time, retrieval, tagging")
    assert table["triplet"]["training time, published"] == "1.870"
    assert table["CRNN (Choi et al. 2017)"]["ROC-AUC, published"] == "0.850"
    assert rows(text, "Table 4: triplets of tracks and of listeners")["triplet"]["human, published"] == "0.820"


@pytest.mark.parametrize("folder", ["sparse", "complete", "inception"])
def test_the_stored_comparisons_are_whole_and_their_tables_are_those_of_their_reports(folder, repository, tmp_path):
    """Every figure that the tables show is kept for every seed of every system."""
    stored = repository / "docs/comparison" / folder
    results = load_results(str(stored / "report.json"))
    trained = set(results.switches) - set(results.aliases)
    for of_systems in results.labels.columns.values():
        assert set(of_systems) == trained
    published = load_published(str(repository / "docs/comparison/published.csv"))
    text = rewrite(str(stored / "report.json"), tmp_path, published=published)
    assert (stored / "report.md").read_text().startswith(f"# Comparison\n\n{text.rstrip()}")


@pytest.mark.parametrize("page", ["README.md", "docs/comparison/README.md"])
def test_the_findings_that_people_read_are_those_of_the_stored_comparisons(page, repository):
    """A row a primary contrast: the verdict, the difference and its interval in each comparison."""
    rows_of_page = [line for line in (repository / page).read_text().splitlines() if line.startswith("| ")]
    for folder in ("sparse", "complete", "inception"):
        results = load_results(str(repository / "docs/comparison" / folder / "report.json"))
        for finding in results.labels.contrasts:
            if finding.contrast.primary:
                said = f"{finding.difference:+.3f} [{finding.low:+.3f}, {finding.high:+.3f}]"
                row = next(line for line in rows_of_page if line.startswith(f"| {finding.contrast.claim} |"))
                assert f"{finding.verdict} {said}" in row.replace("*", ""), (folder, finding.contrast.id)
