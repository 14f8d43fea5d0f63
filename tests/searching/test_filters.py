"""Filters on columns in several chunks, as a mapped table has them."""

import numpy as np
import pyarrow as pa
import pytest

from tfmir.errors import UserError
from tfmir.searching import filters


def test_tags_are_found_in_every_chunk_and_empty_and_missing_lists_carry_none():
    lists = [["a", "b"], [], ["b"], None, ["c", "a"], ["b"], []]
    column = pa.chunked_array([pa.array(lists[:3], pa.list_(pa.string())), pa.array(lists[3:], pa.list_(pa.string()))])
    for tag in "abcd":
        np.testing.assert_array_equal(filters.tagged(column, tag), [tag in (carried or ()) for carried in lists])
    sliced = pa.chunked_array([column.chunk(1).slice(1)])
    np.testing.assert_array_equal(filters.tagged(sliced, "a"), [True, False, False])


def test_an_artist_has_one_name_if_it_is_there_and_all_spellings_if_not():
    column = pa.chunked_array([["Björk", "björk", ""], ["Bjork", "BJÖRK "]])
    np.testing.assert_array_equal(filters.by_artist(column, "björk"), [False, True, False, False, False])
    np.testing.assert_array_equal(filters.by_artist(column, "bjÖrk"), [True, True, False, False, True])
    with pytest.raises(UserError, match="--artist=Bjorg: no such artist: did you mean"):
        filters.by_artist(column, "Bjorg")


def test_names_are_near_whatever_their_case():
    assert filters.nearest("RADIOHED", ["Radiohead", "Air"]) == ["Radiohead"]
    assert filters.nearest("zzz", ["Radiohead", "Air"]) == []
