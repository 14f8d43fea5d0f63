"""One tiny run, trained in this process and evaluated with its baselines and with listeners' votes."""

import json
import re
import shlex
import shutil

import numpy as np
import pytest

from tests.fixtures.cluster import no_cluster
from tfmir import flags
from tfmir.corpora import folder
from tfmir.corpora.annotated import annotated
from tfmir.data.manifest import load_manifest
from tfmir.errors import UserError
from tfmir.evaluation import run_report
from tfmir.evaluation.answers import load_answers
from tfmir.evaluation.library.library_report import evaluate_library
from tfmir.evaluation.retrieval import recall_at_k
from tfmir.evaluation.run_report import evaluate_run
from tfmir.experiments.comparison import compare
from tfmir.flags import parse
from tfmir.inference.tracks import embed_tracks
from tfmir.preparation.build import build_records
from tfmir.run_directory import load_history, load_run, locked
from tfmir.train import TrainCommand
from tfmir.training.loop import start

HEADER = "clip1_id\tclip2_id\tclip3_id\t" + "\t".join(f"clip{i}_numvotes\tclip{i}_mp3_path" for i in (1, 2, 3))


@pytest.fixture(scope="module")
def trained(settings, repository):
    """Trains a system of `launch/` for a step, as the flags say."""

    def train(system, path, *more):
        first = ["tfmir", f"--flagfile={repository}/launch/{system}.flags", f"--flagfile={settings}"]
        params = flags.parse([*first, f"--run={path}", "--epochs=1", "--steps_per_epoch=1", *more], TrainCommand)
        start(params.run, params.settings, params.records)
        return load_run(str(path))

    return train


@pytest.fixture(scope="module")
def run(trained, tmp_path_factory):
    """Plain classification, named like a baseline: not of unit norm, without sub-spaces."""
    return trained("classification_plain", tmp_path_factory.mktemp("runs") / "random")


@pytest.fixture(scope="module")
def votes(tmp_path_factory):
    """One comparison of three of the tiny songs: 2 players found the third the odd one, 1 the second."""
    path = tmp_path_factory.mktemp("votes") / "comparisons_final.csv"
    path.write_text(f"{HEADER}\n1\t2\t3\t0\ta/00.mp3\t1\ta/01.mp3\t2\ta/02.mp3\n")
    return path


@pytest.fixture(scope="module")
def report(run, votes, audio_folder):
    return evaluate_run(str(run.path), human_triplets=str(votes), audio_dir=str(audio_folder))


def test_a_run_named_random_is_not_the_baseline_of_that_name(report, run):
    assert (report["run"], list(report["baselines"])) == ("random", ["statistics", "untrained", "random"])
    with np.load(run.path / "test.npz") as stored:
        recall = recall_at_k(stored["embeddings"], stored["labels"])[:, 0].mean()
    assert report["system"]["recall"]["1"]["mean"] == pytest.approx(recall)
    assert report["system"]["triplets"] != report["baselines"]["random"]["triplets"]
    text = (run.path / "report.md").read_text()
    assert "\n| random | " in text
    assert "\n| random (baseline) | " in text


def test_the_report_is_written_as_it_is_returned(report, run):
    assert json.loads((run.path / "report.json").read_text()) == json.loads(json.dumps(report))
    text = (run.path / "report.md").read_text()
    assert text.startswith("# random on more\n\nThe best weights of a run on the ")
    words = shlex.split(text.split("    python -m tfmir.train ")[1].splitlines()[0])
    assert parse(["tfmir", *words], TrainCommand).settings == run.params


def test_test_npz_holds_the_test_split_in_the_order_of_the_records(report, run):
    manifest = load_manifest(run.records)
    with np.load(run.path / "test.npz") as stored:
        assert len(stored["track_ids"]) == len(set(stored["track_ids"])) == manifest.splits["test"].tracks
        assert stored["labels"].sum(axis=0).tolist() == list(manifest.splits["test"].tag_counts)
        # Plain classification is not scaled to unit norm, neither by training nor by evaluation.
        assert not np.allclose(np.linalg.norm(stored["embeddings"], axis=1), 1.0, atol=0.01)


def test_answers_npz_has_the_outcome_of_every_question(report, run):
    """Of a system without sub-spaces whose embedding is not of unit norm."""
    found = load_answers(run.path)
    assert found.recall[:, 0].mean() == pytest.approx(report["system"]["recall"]["1"]["mean"])
    assert found.recall_by_cosine[:, 0].mean() == pytest.approx(report["system"]["cosine"]["recall"]["1"]["mean"])
    shares = {name: right.mean() for name, right in found.correct.items()}
    triplets = {f"whole/{notion}": figure["mean"] for notion, figure in report["system"]["triplets"].items()}
    assert shares == pytest.approx(triplets | {"track": report["system"]["triplets_track"]["mean"]})
    assert found.triplets["track"].max() < len(found.labels) == len(found.scores) == report["tracks"]


def test_figures_are_those_that_the_system_has(report, run):
    """Without sub-spaces there is no leakage to draw."""
    assert {path.name for path in (run.path / "figures").iterdir()} == {"tsne.png", "recall.png", "training.png"}


def test_training_is_that_of_the_history(report, run):
    (row,) = load_history(run)
    assert report["training"]["epochs"] == 1
    assert report["training"]["seconds"] == row["seconds"]
    assert report["training"]["cpu_seconds"] == row["cpu_seconds"]


def test_listeners_are_heard_by_both_similarities(report):
    """Votes 0, 1, 2 give three triplets: 1 and 2 as anchors with 3, 2 votes on them, and 3 with 1: 0+1+2 seen twice."""
    human = report["human"]
    assert (human["triplets"], human["votes"], human["subspaces"]) == (3, 6, {})
    assert 0 <= human["inner_product"]["low"] <= human["inner_product"]["mean"] <= human["inner_product"]["high"] <= 1


def test_without_baselines_and_votes_the_system_stands_alone(report, run):
    alone = evaluate_run(str(run.path), with_baselines=False)
    assert alone["system"] == report["system"]
    assert [alone[name] for name in ("baselines", "ratios", "human")] == [{}, {}, None]


@pytest.fixture(scope="module")
def known(run, audio_folder, settings, tmp_path_factory):
    """A copy of the run, on records whose genre is told of a half of the tracks and whose mood of all, with a report
    against the truth of other weights."""
    place = tmp_path_factory.mktemp("known")
    annotations = settings.parent / "audio/annotations.csv"
    complete = folder.load(str(annotations.parent), str(annotations), name="more", licence="CC0-1.0")
    sparse = annotated(complete, {"genre": 0.5, "mood": 1.0}, seed=0)
    with no_cluster():
        build_records(sparse, str(place / "records"), num_shards=1, max_rejected_fraction=0.0)
    stored = json.loads((run.path / "params.json").read_text())
    shutil.copytree(run.path, place / "run")
    said = json.dumps(stored | {"records": str(place / "records"), "fingerprint": ""})
    (place / "run/params.json").write_text(said)
    (place / "run/truth/earlier").mkdir(parents=True)
    (place / "run/truth/report.json").write_text('{"weights_sha256": "of an earlier training"}')
    return load_run(str(place / "run"))


@pytest.fixture(scope="module")
def both(known):
    """Reports of one evaluation: against the labels, as it returns it, and against the truth, as it writes it."""
    embedded = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_report, "embed_tracks", lambda *args: embedded.append(args) or embed_tracks(*args))
        labels = evaluate_run(str(known.path), with_baselines=False, with_truth=True)
    assert len(embedded) == 1
    return labels, json.loads((known.path / "truth/report.json").read_text())


def test_figures_against_the_truth_stand_beside_those_against_the_labels(both, known):
    labels, truth = both
    assert (labels["against"], truth["against"]) == ("labels", "truth")
    assert json.loads((known.path / "report.json").read_text()) == json.loads(json.dumps(labels))
    with np.load(known.path / "test.npz") as stored:
        right = {"labels": stored["labels"], "truth": stored["truth"]}
        answers = {"labels": load_answers(known.path), "truth": load_answers(known.path / "truth")}
        recalls = {name: recall_at_k(stored["embeddings"], rows)[:, 0].mean() for name, rows in right.items()}
    for name, report in (("labels", labels), ("truth", truth)):
        assert report["system"]["recall"]["1"]["mean"] == pytest.approx(recalls[name])
        assert answers[name].recall[:, 0].mean() == pytest.approx(recalls[name])
        np.testing.assert_array_equal(answers[name].labels, right[name])
        carried = right[name].any(axis=0)
        assert report["tracks"] == len(right[name])
        assert set(report) == set(labels)
        for tag, there in zip(known.vocabulary.tags, carried, strict=True):
            assert there or f"roc_auc_tag {tag}" in report["undefined"]
    manifest = load_manifest(known.records)
    assert right["truth"].sum(axis=0).tolist() == list(manifest.splits["test"].truth_counts)
    assert right["labels"].sum(axis=0).tolist() == list(manifest.splits["test"].tag_counts)
    assert right["truth"].sum() > right["labels"].sum()
    # Moods are told of all, excerpts have no tags: the same triplets, the same answers.
    assert truth["system"]["triplets"]["mood"] == labels["system"]["triplets"]["mood"]
    assert truth["system"]["triplets"]["genre"] != labels["system"]["triplets"]["genre"]
    assert truth["system"]["triplets_track"] == labels["system"]["triplets_track"]
    assert [truth[name] for name in ("training", "weights_sha256")] == [
        labels[name] for name in ("training", "weights_sha256")
    ]


def test_the_report_against_the_truth_has_its_own_text_and_pictures(both, known):
    text = (known.path / "truth/report.md").read_text()
    assert text.startswith("# run on more, against the truth\n")
    linked = re.findall(r"\]\(figures/(.*?)\)", text)
    assert {path.name for path in (known.path / "truth/figures").iterdir()} == set(linked)
    assert set(linked) == {"tsne.png", "recall.png", "training.png"}


def test_a_report_against_the_truth_stays_until_there_are_other_weights(both, known):
    run_report._remove_outdated(known.path / "truth", both[0]["weights_sha256"])
    assert (known.path / "truth/report.json").exists()
    assert not (known.path / "truth/earlier").exists()


def test_records_without_truth_are_refused_and_nothing_is_written(run, snapshot):
    before = snapshot(run.path)
    with pytest.raises(UserError, match=r"^--truth: .* has labels only: leave --truth out, or take records"):
        evaluate_run(str(run.path), with_truth=True)
    assert snapshot(run.path) == before


def test_what_cannot_be_evaluated_is_refused_before_anything_is_written(run, tmp_path):
    with pytest.raises(UserError, match="there is no params.json in it"):
        evaluate_run(str(tmp_path))
    (tmp_path / "params.json").write_text((run.path / "params.json").read_text())
    with pytest.raises(UserError, match="no best.weights.h5 yet"):
        evaluate_run(str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"params.json"}


def test_of_a_library_it_says_what_the_inner_product_finds_too(report, run):
    """Its own test split for a library: the embeddings are not of unit norm, and there are no sub-spaces."""
    found = evaluate_library(str(run.path), run.records)
    assert list(found["system"]) == ["whole", "inner_product"]
    assert list(found["baselines"]) == ["statistics", "chance"]
    # Every tag of this split is carried by several tracks: what can be found is what is carried.
    for space, by in (("whole", "cosine"), ("inner_product", "inner_product")):
        for k, recall in found["system"][space]["recall"].items():
            assert recall["mean"] == pytest.approx(report["system"][by]["recall"][k]["mean"])


@pytest.fixture(scope="module")
def odd(trained, audio_folder, tmp_path_factory):
    """A run on genre alone, of which one tag is carried by all tracks, with two tracks in the test split."""
    place = tmp_path_factory.mktemp("odd")
    names = [f"{index:02d}.flac" for index in range(12)]
    splits = [*["train"] * 8, *["validation"] * 2, *["test"] * 2]
    rows = [f"{n},{s},sound;{('rock', 'jazz')[i % 2]}" for i, (n, s) in enumerate(zip(names, splits, strict=True))]
    (place / "tags.csv").write_text("\n".join(["path,split,genre", *rows]) + "\n")
    corpus = folder.load(str(audio_folder), str(place / "tags.csv"), name="odd", licence="CC0-1.0")
    with no_cluster():
        build_records(corpus, str(place / "records"), num_shards=1, max_rejected_fraction=0.0)
    return trained("proxy", place / "odd", f"--records={place}/records")


def test_an_odd_corpus_has_a_report_of_what_is_defined(odd, capsys):
    (odd.path / "figures").mkdir()
    (odd.path / "figures/tsne.png").write_text("of an earlier evaluation")
    report = evaluate_run(str(odd.path))
    assert json.loads((odd.path / "report.json").read_text()) == json.loads(json.dumps(report))
    said = report["undefined"]
    assert said["recall 2"] == "needs more than 2 tracks, the test split has 2"
    assert said["tsne.png"] == "needs 4 tracks, the test split has 2"
    assert {"recall 4", "recall 8", "leakage_gap", "leakage.png", "roc_auc_tag genre/sound"} <= set(said)
    # `sound` is shared by both tracks, `rock` and `jazz` are not: half of what each asks for.
    assert report["system"]["recall"]["1"]["mean"] == 0.5
    assert all(contender["roc_auc"] for contender in report["baselines"].values())
    text, told = (odd.path / "report.md").read_text(), capsys.readouterr().out
    for reason in said.values():
        assert reason in text
        assert reason in told
    linked = re.findall(r"\]\(figures/(.*?)\)", text)
    assert linked == ["recall.png", "training.png"]
    assert {path.name for path in (odd.path / "figures").iterdir()} == set(linked)


def test_without_pictures_there_are_none_of_an_earlier_evaluation(odd, capsys):
    (odd.path / "figures").mkdir(exist_ok=True)
    (odd.path / "figures/recall.png").write_text("of an earlier evaluation")
    evaluate_run(str(odd.path), with_baselines=False, with_figures=False)
    assert not list((odd.path / "figures").iterdir())
    assert "figures" not in (odd.path / "report.md").read_text() + capsys.readouterr().out


def test_it_is_compared_all_the_same(odd, tmp_path):
    if not (odd.path / "report.json").exists():
        evaluate_run(str(odd.path))
    text = compare({"proxy": [odd.path]}, tmp_path)
    assert "| proxy | yes | yes |" in text
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"recall.png", "time.png"}


def test_an_empty_test_split_cannot_be_evaluated(odd, tmp_path, snapshot):
    records = shutil.copytree(odd.records, tmp_path / "records")
    manifest = json.loads((records / "manifest.json").read_text())
    manifest["splits"]["test"] |= {"tracks": 0, "shards": []}
    (records / "manifest.json").write_text(json.dumps(manifest))
    copy = shutil.copytree(odd.path, tmp_path / "run")
    stored = json.loads((copy / "params.json").read_text())
    (copy / "params.json").write_text(json.dumps(stored | {"records": str(records), "fingerprint": ""}))
    before = snapshot(copy)
    with pytest.raises(UserError, match="the test split has no tracks"):
        evaluate_run(str(copy))
    assert snapshot(copy) == before


def test_a_run_that_is_being_trained_is_not_evaluated(run):
    with locked(run), pytest.raises(UserError, match="another process is training or evaluating it: wait for it"):
        evaluate_run(str(run.path))


def test_records_that_were_moved_give_the_same_figures_and_others_none(report, run, tmp_path):
    moved = shutil.copytree(run.records, tmp_path / "moved")
    again = evaluate_run(str(run.path), records=f"{moved}/", with_baselines=False)
    assert again["system"] == report["system"]
    assert load_run(str(run.path)).records == run.records
