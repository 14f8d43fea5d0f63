import copy

import numpy as np
import pytest

from tfmir.evaluation.baselines import random_embeddings
from tfmir.evaluation.library.figures import build_figures
from tfmir.evaluation.library.labels import Labels
from tfmir.evaluation.library.tables import headline, report_text


@pytest.fixture(scope="module")
def report():
    labels = {
        "genre": np.eye(2, dtype=bool)[np.arange(12) % 2],
        "mood": np.eye(3, dtype=bool)[np.arange(12) % 3],
    }
    names = {"genre": ("ro|ck", "jazz"), "mood": ("calm", "wild", "sad")}
    spaces = {name: random_embeddings(12, 4, seed=seed) for seed, name in enumerate(("whole", "inner_product", "mood"))}
    baselines = {"statistics": random_embeddings(12, 4, seed=7), "chance": None}
    return {
        "run": "mine",
        "library": "music",
        "annotations": "tags.csv",
        "by": "tags",
        "songs": 12,
        "artists": 4,
        "labels": {"genre": {"ro|ck": 6, "jazz": 6}, "mood": {"calm": 4, "wild": 4, "sad": 4}},
        "tags": {"only_run": ["genre/polka"], "only_library": []},
        "missing": 2,
        "rejected": [["bad\n.mp3", "no music"]],
        "trained": {"songs": 7, "by": "sound", "same_id": 0, "tracks": 90},
        **build_figures(Labels(names, labels), np.arange(12) // 3, spaces, baselines),
    }


def test_every_space_and_baseline_has_its_rows(report):
    text = report_text(report)
    assert text.startswith("# mine on music\n")
    assert "12 songs by 4 artists, of tags.csv; left out: 2 missing, 1 that cannot be decoded." in text
    assert "Asked by tags: genre (2), mood (3)." in text
    for name in ("mine, whole", "mine, whole, by inner product", "mine, mood", "statistics (baseline)"):
        assert text.count(f"\n| {name} | ") == 6, name  # R@k, R@1 by column, triplets; twice
    assert text.count("| all labels, 12 queries | R@1 |") == 2
    mean = report["system"]["mood"]["other_artists"]["triplets"]["genre"]["mean"]
    assert f"{mean:.3f}" in text.split("## Songs of other artists alone")[1]
    for part in ("genre: ro|ck 6, jazz 6", "run alone: genre/polka", "library alone: none", "bad\\n.mp3: no music"):
        assert part in text


def test_the_headline_has_the_tables_and_the_ratio(report):
    said = headline(report)
    assert "recall_1_over_statistics: " in said
    assert "recall_1_over_statistics_other_artists: " in said
    assert "| mine, whole |" in said
    assert "not defined" not in said


def test_both_say_how_many_songs_are_not_new_and_how_far_the_run_is_above_statistics(report):
    told = "7 of 12 songs are of the training split: their figures are of memory, not of music that is new."
    ratio = report["ratios"]["recall_1_over_statistics"]
    shown = f"recall_1_over_statistics`: {ratio['mean']:.3f} [{ratio['low']:.3f}, {ratio['high']:.3f}]"
    assert told in report_text(report)
    assert told in headline(report)
    assert "**Few songs:** with 12, fewer than 200" in report_text(report)
    assert "**Few" not in report_text(report | {"songs": 200})
    assert shown in report_text(report)


@pytest.mark.parametrize(
    ("trained", "told"),
    [
        (None, "How many songs the run was trained on is not known"),
        (
            {"songs": 0, "by": "sound", "same_id": 2},
            "None of the 12 songs is of the training split. 2 more have the id",
        ),
        ({"songs": 7, "by": "id", "same_id": 0}, "7 of 12 songs are of the training split, by their ids alone: their"),
        (
            {"songs": 1, "by": "sound", "same_id": 0},
            "1 of 12 songs is of the training split: its figures are of memory",
        ),
    ],
)
def test_what_is_known_of_the_training_split_is_told_exactly(report, trained, told):
    assert told in report_text(report | {"trained": trained})


def test_what_is_not_there_is_not_shown(report):
    bare = copy.deepcopy(report) | {"tags": None, "rejected": [], "artists": None, "ratios": {}, "baselines": {}}
    for figures in bare["system"].values():
        figures["other_artists"] = None
    assert "over that of the statistics" not in report_text(bare)
    bare["undefined"] = {"other_artists": "no artist is known"}
    text = report_text(bare)
    assert "other artists" not in text.replace("other_artists", "")
    assert "## Tags" not in text
    assert "## Cannot be decoded" not in text
    assert "## Not defined\n\n* other_artists: no artist is known\n" in text
