"""Which songs go together, and what a part is called."""

import dataclasses
import subprocess
import sys

import pytest

from tfmir.catalogue.parts import Job, make_parts, part_file, shard_index
from tfmir.catalogue.songs import Song
from tfmir.corpora.corpus import stable_fraction

JOB = Job("/run", "abc", "/music")
SONGS = [Song(f"{i}.mp3", i, i) for i in range(700)]


def test_every_song_is_in_one_part_in_the_order_of_the_ids_whatever_the_order_of_the_songs():
    """700 songs: eight parts, the power of two from 700 / 100 on."""
    parts = make_parts(SONGS, JOB)
    assert len(parts) == 8
    assert sorted(song for part in parts for song in part.songs) == sorted(SONGS)
    assert make_parts(SONGS[::-1], JOB) == parts
    for part in parts:
        assert list(part.songs) == sorted(part.songs)
        assert all(part.least <= stable_fraction(song.track_id) <= part.most for song in part.songs)


@pytest.mark.parametrize(("songs", "parts"), [(0, 0), (1, 1), (100, 1), (101, 2), (200, 2), (201, 4)])
def test_the_number_of_parts_by_hand(songs, parts):
    assert len(make_parts(SONGS[:songs], JOB)) == parts


def test_a_song_more_or_a_file_that_changes_makes_one_part_another():
    names = {part.file for part in make_parts(SONGS, JOB)}
    more = {part.file for part in make_parts([*SONGS, Song("new.mp3", 1, 1)], JOB)}
    touched = {part.file for part in make_parts([Song("0.mp3", 99, 0), *SONGS[1:]], JOB)}
    assert (len(names - more), len(names - touched)) == (1, 1)


def test_the_name_says_all_that_the_rows_depend_on():
    others = [dataclasses.replace(JOB, **{name: "x"}) for name in ("weights_sha256", "library")]
    others += [dataclasses.replace(JOB, excerpts=True)]
    names = {part_file(SONGS[:2], job) for job in (JOB, *others)} | {part_file(SONGS[:2], JOB, kind="again")}
    assert len(names) == 5
    assert part_file(SONGS[:2], dataclasses.replace(JOB, run="/moved")) in names


def test_shards_of_another_number_are_of_neighbouring_songs():
    """The third of five shards holds what lies between 2/5 and 3/5, so of three shards only the second."""
    third = [song.track_id for song in SONGS if shard_index(song.track_id, 5) == 2]
    assert {shard_index(track_id, 3) for track_id in third} == {1}
    assert max(shard_index(song.track_id, 3) for song in SONGS) == 2


def test_what_a_task_is_made_of_needs_no_tensorflow():
    code = "import sys, tfmir.catalogue.parts, tfmir.catalogue.build; assert 'tensorflow' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
