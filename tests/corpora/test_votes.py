import pytest
from tfmir.corpora.dimsim import load

from tfmir.corpora.votes import Clip
from tfmir.errors import UserError

HEADER = (
    "triplet_id, anchor_id, anchor_start_seconds, anchor_start_samples, song1_id, song1_start_seconds, "
    "song1_start_samples, song2_id, song2_start_seconds, song2_start_samples, sampling_rate, clip_lengths_seconds, "
    "clip_lengths_samples, song1_vote, song2_vote"
)
ROW = "7,TRA,10.5,231525,TRB,0,0,TRC,2.25,49612,22050,3,66150,{},{}"


def write(tmp_path, *rows, header=HEADER):
    path = tmp_path / "dim-sim.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return str(path)


def test_clean_votes_and_raw_counts_of_the_documented_columns(tmp_path):
    clean, raw = load(write(tmp_path, ROW.format(0, 1), ROW.format(4, 9)))
    assert clean.triplet_id == "7"
    assert clean.anchor == Clip("TRA", 10.5, 3.0)
    assert clean.songs == (Clip("TRB", 0.0, 3.0), Clip("TRC", 2.25, 3.0))
    assert (clean.votes, raw.votes) == ((0, 1), (4, 9))


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        ([ROW.format(0, 1)], HEADER.replace("song2_vote", "vote2"), "expected a column 'song2_vote'"),
        ([ROW.format("many", 1)], HEADER, "row 2: .*expected numbers"),
        ([ROW.format(0, 1), ROW.format(0, -1)], HEADER, "row 3: a negative vote"),
        (["7,TRA,10.5"], HEADER, "row 2"),
        ([], HEADER, "no rows under the header"),
    ],
)
def test_what_is_malformed_is_named(tmp_path, rows, header, message):
    with pytest.raises(UserError, match=message):
        load(write(tmp_path, *rows, header=header))


def test_what_is_no_text_or_missing_is_refused(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00rubbish\xff")
    for name in ("x.csv", "nowhere.csv"):
        with pytest.raises(UserError, match=name):
            load(str(tmp_path / name))
