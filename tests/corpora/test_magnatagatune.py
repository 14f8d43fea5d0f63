import pickle

import pytest

from tfmir.corpora.grouping import load_grouping
from tfmir.corpora.magnatagatune import load
from tfmir.errors import UserError

TAGS = ["no voice", "guitar", "classical", "slow", "clasical"]
CLIPS = ["0/a-0-29.mp3", "b/b-0-29.mp3", "c/c-0-29.mp3", "f/d-29-58.mp3"]
GROUPING = (
    "tag\tnotion\tname\nclassical\tgenre\t\nclasical\tgenre\tclassical\nguitar\tinstrument\t\nno voice\tvocals\t\n"
)


def quoted(*cells):
    return "\t".join(f'"{cell}"' for cell in cells)


def write(path, *rows):
    path.write_bytes(("\r\n".join(rows) + "\r\n").encode())


def annotations(folder, rows=None, tags=TAGS):
    rows = rows or [quoted(10 + i, i % 2, 1, i // 2, 0, 1 - i // 2, clip) for i, clip in enumerate(CLIPS)]
    write(folder / "annotations_final.csv", quoted("clip_id", *tags, "mp3_path"), *rows)
    (folder / "grouping.tsv").write_text(GROUPING)


def corpus(folder):
    return load("music", str(folder), grouping=str(folder / "grouping.tsv"))


def test_tags_folder_split_artists_and_a_merged_misspelling(tmp_path):
    annotations(tmp_path)
    info = ["clip_id\ttrack_number\tartist\tmp3_path", quoted(12, 1, "C. Artist", ""), quoted(99, 1, "Nobody", "x")]
    write(tmp_path / "clip_info_final.csv", *info)
    loaded = corpus(tmp_path)
    assert loaded.vocabulary.to_dict() == {"genre": ["classical"], "instrument": ["guitar"], "vocals": ["no voice"]}
    assert [(track.track_id, track.split) for track in loaded.tracks] == list(
        zip(CLIPS, ("train", "train", "validation", "test"), strict=True)
    )
    assert [track.tags for track in loaded.tracks] == [(0, 1), (0, 1, 2), (0, 1), (0, 1, 2)]
    assert loaded.tracks[2].artist_id == "C. Artist"
    assert (loaded.tracks[0].path, loaded.tracks[0].secs) == ("music/0/a-0-29.mp3", 29.0)


def lists(folder, train=("f/d-29-58.npy",), valid=("0/a-0-29.npy",), test=("b/b-0-29.npy",)):
    for name, items in (("train", train), ("valid", valid), ("test", test)):
        (folder / f"{name}_list_pub.cP").write_bytes(pickle.dumps(list(items), protocol=0))


def test_the_cleaned_lists_decide_where_they_are(tmp_path):
    annotations(tmp_path)
    lists(tmp_path)
    found = {track.track_id: track.split for track in corpus(tmp_path).tracks}
    assert found == {"0/a-0-29.mp3": "validation", "b/b-0-29.mp3": "test", "f/d-29-58.mp3": "train"}
    lists(tmp_path, train=["0/absent.npy"])
    with pytest.raises(UserError, match="has 2 of the 3 clips"):
        corpus(tmp_path)
    lists(tmp_path, train=["0/a-0-29.npy"])
    with pytest.raises(UserError, match="valid_list_pub.cP: 0/a-0-29 stands twice, before in the train split"):
        corpus(tmp_path)
    (tmp_path / "test_list_pub.cP").unlink()
    with pytest.raises(UserError, match="has the list of train, validation only"):
        corpus(tmp_path)


MALFORMED = {
    "row 2: tag 'guitar' is 'x', expected 0 or 1": [quoted(1, 0, "x", 0, 0, 0, CLIPS[0])],
    "row 2: 'z/a.mp3' lies in none of the folders": [quoted(1, 0, 0, 0, 0, 0, "z/a.mp3")],
    "row 2: path '../a.mp3' leads out": [quoted(1, 0, 0, 0, 0, 0, "../a.mp3")],
    "row 3: 0/a-0-29.mp3 stands twice": [quoted(1, 0, 0, 0, 0, 0, CLIPS[0])] * 2,
    "row 2: more fields than the header": [quoted(1, 0, 0, 0, 0, 0, CLIPS[0], "more")],
}


@pytest.mark.parametrize("message", MALFORMED)
def test_what_is_malformed_is_named(tmp_path, message):
    annotations(tmp_path, MALFORMED[message])
    with pytest.raises(UserError, match=message):
        corpus(tmp_path)


def test_missing_columns_tags_and_files_are_named(tmp_path):
    annotations(tmp_path, [quoted(1, 0, CLIPS[0])], tags=["guitar"])
    with pytest.raises(UserError, match="3 tags of the vocabulary are not in the labels, the first is 'classical'"):
        corpus(tmp_path)
    write(tmp_path / "annotations_final.csv", quoted("clip_id", "guitar"), quoted(1, 0))
    with pytest.raises(UserError, match="expected a column 'mp3_path'"):
        corpus(tmp_path)
    (tmp_path / "annotations_final.csv").unlink()
    with pytest.raises(UserError, match="no such file: expected annotations_final.csv"):
        corpus(tmp_path)


def test_the_vocabulary_that_comes_with_tfmir_groups_the_50_most_frequent_tags(tmp_path):
    names = list(load_grouping("", default="magnatagatune"))
    annotations(tmp_path, [quoted(1, *[0] * len(names), CLIPS[0])], tags=names)
    groups = load("", str(tmp_path)).vocabulary.to_dict()
    assert {notion: len(tags) for notion, tags in groups.items()} == {
        "genre": 13, "mood": 6, "instrument": 14, "vocals": 17
    }  # fmt: skip
