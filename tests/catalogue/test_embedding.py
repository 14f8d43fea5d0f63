"""A song's row, and what has none."""

import numpy as np
import pytest

from tfmir.catalogue.embedding import rows
from tfmir.catalogue.songs import Song
from tfmir.inference.audio import Embedded

SONG = Song("a/b.mp3", 5, 7)
FOUND = Embedded(
    embedding=np.array([0.6, 0.8], np.float32),
    scores=np.array([0.1], np.float32),
    excerpts=np.array([[1, 0], [0, 1], [0.1, 0.2]], np.float32),
    secs=9.5,
)


def only(found, **more):
    switches = {"parts": 2, "scores": True, "excerpts": True} | more
    ((song, outcome, row),) = rows([SONG], [found], **switches)
    assert song is SONG
    return outcome, row


def test_a_row_by_hand():
    _, row = only(FOUND)
    assert (row.track_id, row.path, row.mtime_ns, row.size) == ("a/b.mp3", "a/b.mp3", 5, 7)
    assert (row.duration_s, row.excerpts, row.parts, row.artist, row.tags) == (9.5, 3, 2, "", ())
    for name in ("embedding", "scores"):
        found = getattr(row, name)
        np.testing.assert_array_equal(found, getattr(FOUND, name).astype(np.float16))
        assert found.dtype == np.float16
    assert row.excerpt_embeddings.shape == (3, 2)


def test_what_nobody_asked_for_is_not_in_it():
    _, row = only(FOUND, scores=False, excerpts=False)
    assert (len(row.scores), row.excerpt_embeddings) == (0, None)


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (Embedded("missing: no such file"), "missing: no such file"),
        (
            Embedded(embedding=np.ones(2), excerpts=np.array([[70000.0, 1.0]])),
            "its embedding does not fit into float16",
        ),
    ],
)
def test_what_has_no_row_has_a_reason(found, problem):
    outcome, row = only(found)
    assert row is None
    assert outcome.problem.startswith(problem)
