"""What any searchable catalogue does, shown with one in memory: the disk and the server have tests of theirs."""

import numpy as np
import pytest

from tests.fixtures.embedded import NOTIONS, card, songs
from tfmir.errors import UserError
from tfmir.searching.ranking import Scored
from tfmir.searching.searchable import WHOLE, Allowed, Searchable


class InMemory(Searchable):
    """Answers with no more than it is asked for, and among equals with the highest rows."""

    def __init__(self, of):
        super().__init__({"card": card(), "library": "/nowhere", "weights_sha256": "ab"})
        self.of, self.asked = of, []

    def __len__(self):
        return len(self.of.ids)

    def facts(self, rows):
        names = ("track_id", "path", "artist", "tags", "size", "mtime_ns")
        columns = (self.of.ids, self.of.paths, self.of.artists, self.of.tags)
        return [dict(zip(names, (*(c[row] for c in columns), 0, 0), strict=True)) for row in rows]

    def vectors(self, space, rows):
        parts = self.of.subspaces(len(NOTIONS)).reshape(len(self), -1)
        return (self.of.vectors if space == WHOLE else parts)[list(rows)].astype(np.float32)

    def _row(self, column, value):
        return self.of.ids.index(value) if value in self.of.ids else None

    _composed_row = None

    def _with_stamps(self, size, mtime_ns):
        return []

    def _allowed(self, tags, artist):
        return Allowed(len(self))

    def _nearest(self, question, count, allowed):
        self.asked.append(count)
        scores = self.vectors(question.space, range(len(self))) @ question.vector
        rows = np.lexsort((-np.arange(len(self)), -scores))[:count]
        return Scored(rows, scores[rows])


@pytest.fixture
def catalogue():
    of = songs(100)
    of.vectors[40:80] = of.vectors[3]
    return InMemory(of)


def test_equals_are_in_order_though_the_last_rows_come_first(catalogue):
    hits = catalogue.search(catalogue.embedding(3), weights={"mood": 2.0}, top=4, exclude=[3])
    assert [hit.row for hit in hits] == [40, 41, 42, 43]
    assert catalogue.asked == [6, 24, 96]


def test_one_of_each_artist_asks_until_there_are_enough(catalogue):
    hits = catalogue.search(catalogue.embedding(3), weights={}, top=12, exclude=[3], diverse=True)
    named = [hit.artist for hit in hits if hit.artist]
    assert len(hits) == 12
    assert len(set(named)) == len(named)


def test_a_query_that_is_dead_in_what_counts_is_refused(catalogue):
    """Song 7 is dead in genre: in other notions it has neighbours, and its cosine there is 0."""
    query = catalogue.embedding(7)
    with pytest.raises(UserError, match="nothing of genre is heard in this song: give another weight"):
        catalogue.search(query, weights={"genre": 1.0}, top=3)
    hits = catalogue.search(query, weights={"genre": 1.0, "mood": 0.1}, top=3)
    assert [hit.similarities["genre"] for hit in hits] == [0.0, 0.0, 0.0]
    assert hits[0].score > 0


def test_no_more_is_asked_for_than_one_of_each_artist(catalogue):
    """Where every artist is known and there are 7 of them, the last found ends the search."""
    catalogue.of.artists = [f"Artist {i % 7}" for i in range(100)]
    catalogue.search(catalogue.embedding(0), weights={}, top=50, exclude=[0], diverse=True)
    everything = [count for count in catalogue.asked if count >= 100]
    catalogue.asked.clear()
    catalogue._most_diverse = lambda allowed, exclude: 7
    hits = catalogue.search(catalogue.embedding(0), weights={}, top=50, exclude=[0], diverse=True)
    assert (len(hits), len({hit.artist for hit in hits})) == (7, 7)
    assert everything
    assert max(catalogue.asked) < 100


def test_a_row_is_found_by_its_id(catalogue):
    assert catalogue.row_of("album 0/0003.flac") == 3
