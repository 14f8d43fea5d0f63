"""True tags and predicted ones: the best of a notion of which none is true, from a score of 0.3 on."""

import numpy as np
import pyarrow as pa

from tests.fixtures.page import SONGS, Standin, tracks
from tfmir.serving.page.labels import Labels


def labels(**columns):
    table = tracks()
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, values)
    return Labels(Standin("nowhere", table=table))


def test_a_true_tag_is_not_predicted_as_well():
    """Song 0 is rock; 36 has no genre: rock at 0.9. Wild has 0.8 where the row divides by 3, else 0.25: too little."""
    assert labels().true(0) == ["genre/rock"]
    assert [tag for tag, _ in labels().predicted(0)] == ["mood/wild"]
    assert [tag for tag, _ in labels().predicted(36)] == ["genre/rock", "mood/wild"]
    assert labels().predicted(1) == []


def test_scores_that_are_not_there_predict_nothing():
    empty = labels(scores=pa.array([[]] * SONGS, pa.list_(pa.float16())))
    assert empty.predicted(0) == []
    assert empty.best(np.zeros(0)) == []
    found = empty.of(np.array([0, 36]))
    assert found["genre"].tags.tolist() == [0, -1]
    assert not found["mood"].predicted.any()


def test_tags_are_counted_and_those_that_only_tracks_have_come_last():
    counts = labels().counts
    assert counts == {"genre": {"genre/rock": 20, "genre/jazz": 10}, "mood": {"mood/calm": 0, "mood/wild": 0}}
    more = labels(tags=pa.array([["genre/ambient", "place/Bern"]] + [["genre/jazz"]] * (SONGS - 1)))
    assert more.counts["genre"] == {"genre/rock": 0, "genre/jazz": 39, "genre/ambient": 1}
    assert more.counts["place"] == {"place/Bern": 1}
    found = more.of(np.array([0, 1]))
    assert found["genre"].tags.tolist() == [2, 1]
    assert found["place"].tags.tolist() == [0, -1]


def test_points_have_the_true_tag_or_else_the_predicted_one():
    rows = np.array([0, 19, 20, 29, 30, 39])
    found = labels().of(rows)
    assert found["genre"].tags.tolist() == [0, 0, 1, 1, 0, 0]
    assert found["genre"].predicted.tolist() == [False, False, False, False, True, True]
    assert found["mood"].tags.tolist() == [1, -1, -1, -1, 1, 1]  # where the row divides by 3
    for row, tag in zip(rows, found["mood"].tags, strict=True):
        assert (tag == 1) == ("mood/wild" in dict(labels().predicted(int(row))))


def test_no_points_have_no_labels():
    assert labels().of(np.zeros(0, np.int64))["genre"].tags.size == 0
