"""A comparison from finished runs, whose reports are made up, and one that is written again from its stored figures."""

import dataclasses
import json

import numpy as np
import pytest

from tfmir import files
from tfmir.errors import UserError
from tfmir.evaluation.report import SCHEMA_VERSION
from tfmir.experiments import plots
from tfmir.experiments.comparison import compare, rewrite
from tfmir.experiments.published import load_published
from tfmir.experiments.results import load_results
from tfmir.params import RunParams, SystemParams
from tfmir.run_directory import Run, open_run
from tfmir.vocabulary import Vocabulary

KINDS = {
    "triplet": SystemParams("triplet"),
    "plain": SystemParams("classification", normalized=False, disentangled=False),
}


@pytest.fixture
def runs(reports, tmp_path):
    """Two systems with two seeds each: run directories as `evaluate` leaves them, without weights."""
    made = {}
    for system, of_seeds in reports.items():
        made[system] = [tmp_path / f"{system}-{seed}" for seed in range(2)]
        for path, report in zip(made[system], of_seeds, strict=True):
            vocabulary = Vocabulary.from_dict(report["notions"])
            open_run(Run(path, RunParams(system=KINDS[system]), vocabulary, "records", "demo", "CC0-1.0"))
            files.write_json(path / "report.json", {"schema_version": SCHEMA_VERSION, **report})
            rng = np.random.default_rng(0)
            np.savez(path / "test.npz", embeddings=rng.random([40, 4], np.float32), labels=rng.random([40, 3]) < 0.5)
    return made


def test_figures_of_the_runs_become_tables_pictures_and_one_file(runs, results, tmp_path):
    output = tmp_path / "out"
    text = compare(runs, output, tsne_tags="genre/a,b")
    assert load_results(str(output / "report.json")) == results
    assert text in (output / "report.md").read_text()
    pictures = {path.name for path in (output / "figures").iterdir()}
    assert pictures == set(plots.CAPTIONS)
    assert all(f"](figures/{name})" in (output / "report.md").read_text() for name in pictures)


def test_a_report_of_an_earlier_version_is_refused_by_its_name(runs, tmp_path):
    path = runs["plain"][1] / "report.json"
    files.write_json(path, json.loads(path.read_text()) | {"schema_version": SCHEMA_VERSION - 1})
    with pytest.raises(UserError, match=r"plain-1/report.json is of an earlier version: remove it"):
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


def test_the_stored_comparison_is_written_again_with_the_papers_figures(repository, rows, tmp_path):
    published = load_published(str(repository / "docs/comparison/published.csv"))
    text = rewrite(str(repository / "docs/comparison/report.json"), tmp_path, published=published)
    table = rows(text, "Table 1: training time, retrieval, tagging")
    assert table["triplet_track"]["training time, published"] == "3.050"
    assert table["classification_plain"]["R@1, published"] == "0.061"
    assert table["CRNN (Choi et al. 2017)"]["ROC-AUC, published"] == "0.850"
    assert rows(text, "Table 4: triplets of tracks and of listeners")["triplet_track"]["human, published"] == "0.852"
    for line in ("| whole space | triplet_disentangled |", "| sub-space | triplet_disentangled |"):
        assert line in text
    assert (repository / "docs/comparison/report.md").read_text().startswith((tmp_path / "report.md").read_text()[:-2])


def test_the_stored_comparison_is_whole(repository):
    """Every figure that the tables show is kept for every system and seed."""
    results = load_results(str(repository / "docs/comparison/report.json"))
    for of_systems in results.columns.values():
        assert set(of_systems) == set(results.switches)
        assert all(len(of_seeds) == results.seeds for of_seeds in of_systems.values())
    assert dataclasses.asdict(results)["schema_version"] == 2
