"""Candidates of graphs: where they help, and where all rows are looked at instead."""

import numpy as np
import pytest

from tests.fixtures.embedded import songs, write_set
from tfmir.catalogue.embedded_set import open_set
from tfmir.searching import graphs
from tfmir.searching.index import open_index
from tfmir.searching.index_build import Wanted, build_index
from tfmir.searching.ranking import query_parts, weighted_query
from tfmir.searching.searchable import SUBSPACES, WHOLE, Question


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graphs")
    embedded = open_set(write_set(folder / "e", songs(1600), shard=700))
    return open_index(str(build_index(embedded, str(folder / "i"), Wanted("hnsw", "none", part_rows=512))))


def question(index, row, weights):
    query = index.embedding(row)
    parts = query_parts(query, index.vocabulary)
    vector = weighted_query(parts, weights) if weights else query
    return Question(query, weights, parts, SUBSPACES if weights else WHOLE, vector)


@pytest.mark.parametrize("weights", [{}, {"mood": 1.0}, {"mood": 1.0, "genre": 0.2}, {"genre": 1, "mood": 1, "era": 1}])
def test_the_nearest_are_among_a_few_candidates(index, weights):
    hit, kept = 0, 0
    for row in range(1, 1600, 100):
        asked = question(index, row, weights)
        near = graphs.Graphs(index.folder).candidates(asked, 10, 1600)
        vectors = index.vectors(asked.space, np.arange(1600))
        hit += len({*np.argsort(-(vectors @ asked.vector))[:10].tolist()} & {*near.tolist()})
        kept = max(kept, len(near))
    assert hit >= 0.99 * 160
    assert 10 <= kept < 1600


def test_what_is_far_or_much_is_looked_for_among_all(index):
    of = graphs.Graphs(index.folder)
    assert of.candidates(question(index, 1, {"mood": 1.0, "era": -0.1}), 10, 1600) is None
    assert of.candidates(question(index, 1, {"mood": 1.0}), 100, 1600) is None
    assert of.candidates(question(index, 1, {"mood": 1.0}), 10, 1000) is None
