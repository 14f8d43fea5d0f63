import pytest

from tfmir.corpora.votes import CLIP_SECS, Clip, load_comparisons, load_dimsim, load_triplets
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
    clean, raw = load_dimsim(write(tmp_path, ROW.format(0, 1), ROW.format(4, 9)))
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
        load_dimsim(write(tmp_path, *rows, header=header))


def test_what_is_no_text_or_missing_is_refused(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00rubbish\xff")
    for name in ("x.csv", "nowhere.csv"):
        with pytest.raises(UserError, match=name):
            load_dimsim(str(tmp_path / name))


VOTES = "\t".join(
    ["clip1_id", "clip2_id", "clip3_id", *(f"clip{i}_{w}" for w in ("numvotes", "mp3_path") for i in (1, 2, 3))]
)


def test_an_odd_one_out_is_a_triplet_for_each_of_the_other_two(tmp_path):
    """Votes 3, 1, 0 that a, b, c are odd. Anchor a: b is odd 1 (so c is nearer), c 0. Anchor b: a odd 3, c 0.
    Anchor c: a odd 3 (b is nearer), b odd 1. A row without votes says nothing."""
    path = tmp_path / "comparisons_final.csv"
    path.write_text(
        "\r\n".join([VOTES, *(f"1\t2\t3\t{votes}\t0/a.mp3\t1/b.mp3\t2/c.mp3" for votes in ("3\t1\t0", "0\t0\t0"))])
        + "\r\n"
    )
    a, b, c = (Clip(name, 0.0, CLIP_SECS) for name in "abc")
    found = [(t.anchor, t.songs, t.votes) for t in load_comparisons(str(path))]
    assert found == [(a, (b, c), (0, 1)), (b, (a, c), (0, 3)), (c, (a, b), (1, 3))]


def test_a_vote_that_is_no_number_is_named(tmp_path):
    (tmp_path / "x.csv").write_text("\r\n".join([VOTES, "1\t2\t3\t3\tmany\t0\t0/a.mp3\t1/b.mp3\t2/c.mp3"]) + "\r\n")
    with pytest.raises(UserError, match="row 2: clip2_numvotes is 'many'"):
        load_comparisons(str(tmp_path / "x.csv"))


def test_the_header_tells_the_two_forms_apart(tmp_path):
    dim_sim = write(tmp_path, ROW.format(0, 1))
    (tmp_path / "x.csv").write_text(f"{VOTES}\n1\t2\t3\t3\t1\t0\t0/a.mp3\t1/b.mp3\t2/c.mp3\n")
    assert [triplet.triplet_id for triplet in load_triplets(dim_sim)] == ["7"]
    assert [triplet.triplet_id for triplet in load_triplets(str(tmp_path / "x.csv"))] == ["2-1", "2-2", "2-3"]
