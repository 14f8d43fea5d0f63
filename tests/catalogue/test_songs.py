import os

from tests.catalogue.test_embeddings import row
from tfmir.catalogue.embeddings import to_table
from tfmir.catalogue.songs import Song, stamped, unchanged


def test_a_song_is_known_by_its_name_its_time_and_its_size(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    os.utime(tmp_path / "a", ns=(1, 1_700_000_000_123_456_789))
    assert stamped(tmp_path, ["a", "gone"]) == {
        "a": Song("a", 1_700_000_000_123_456_789, 3),
        "gone": Song("gone", 0, 0),
    }


def test_a_row_counts_while_its_file_is_what_it_was():
    rows = [row(name, [1, 0, 0, 0], mtime_ns=1, size=2) for name in ("same", "touched", "grown", "gone")]
    songs = {"same": Song("same", 1, 2), "touched": Song("touched", 9, 2), "grown": Song("grown", 1, 9)}
    assert unchanged(to_table(rows, dim=4), songs).tolist() == [True, False, False, False]
    assert unchanged(to_table([], dim=4), songs).tolist() == []
