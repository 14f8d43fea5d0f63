import pickle

import numpy as np
import pytest

from tfmir.corpora.msd import load, read_ids
from tfmir.errors import UserError

IDS = [f"TRAAA{'ABCDEFGH'[i]}A128F000000{i}" for i in range(8)]
TAGS = ["rock", "Mellow", "guitar", "80s"]
GROUPING = "tag\tnotion\n80s\tera\nrock\tgenre\nMellow\tmood\n"


@pytest.fixture
def folder(tmp_path):
    """Six training ids, of which a list of its own names two as validation, and two test ids, as published."""
    path = tmp_path / "msd"
    path.mkdir()
    (path / "filtered_list_train.cP").write_bytes(pickle.dumps(IDS[:4], protocol=0))
    (path / "filtered_list_valid.txt").write_text("\n".join(IDS[4:6]))
    (path / "filtered_list_test.cP").write_bytes(pickle.dumps([i.encode() for i in IDS[6:]], protocol=2))
    (path / "50tagList.txt").write_text("\n".join(TAGS) + "\n")
    vectors = {track_id: np.array([[i % 2], [1], [1], [i // 4]], bool) for i, track_id in enumerate(IDS)}
    (path / "msd_id_to_tag_vector.cP").write_bytes(pickle.dumps(vectors, protocol=2))
    (path / "grouping.tsv").write_text(GROUPING)
    return path


def corpus(folder, audio_dir=""):
    return load(str(audio_dir), str(folder), grouping=str(folder / "grouping.tsv"))


def test_splits_and_tags_by_the_vocabulary_file(folder):
    loaded = corpus(folder)
    assert loaded.vocabulary.to_dict() == {"era": ["80s"], "genre": ["rock"], "mood": ["Mellow"]}
    assert [(track.track_id, track.split) for track in loaded.tracks] == [
        *((i, "train") for i in IDS[:4]), *((i, "validation") for i in IDS[4:6]), *((i, "test") for i in IDS[6:])
    ]  # fmt: skip
    assert [track.tags for track in loaded.tracks[3:5]] == [(1, 2), (0, 2)]


def test_the_text_form_says_the_same(folder):
    expected = corpus(folder)
    for name in ("filtered_list_train", "filtered_list_test"):
        ids = read_ids(str(folder / f"{name}.cP"))
        (folder / f"{name}.cP").unlink()
        (folder / f"{name}.txt").write_bytes("\r\n".join(ids).encode())
    (folder / "msd_id_to_tag_vector.cP").unlink()
    rows = [f"{track_id}\t[{i % 2}, 1, 1, {i // 4}]" for i, track_id in enumerate(IDS)]
    (folder / "msd_id_to_tag_vector.txt").write_text("\n".join(rows) + "\n")
    assert corpus(folder) == expected


def test_audio_by_the_tables_of_7digital_or_by_id(folder, tmp_path):
    (tmp_path / "audio/A/A").mkdir(parents=True)
    (tmp_path / f"audio/A/A/{IDS[0]}.clip.mp3").touch()
    by_id = corpus(folder, tmp_path / "audio").tracks
    assert by_id[0].path == f"{tmp_path}/audio/A/A/{IDS[0]}.clip.mp3"
    assert by_id[1].path == f"{tmp_path}/audio/{IDS[1]}.mp3"
    (folder / "MSD_id_to_7D_id.pkl").write_bytes(pickle.dumps({IDS[0]: "8947470", IDS[1]: "1"}, protocol=0))
    (folder / "7D_id_to_path.pkl").write_bytes(pickle.dumps({"8947470": "8/9/8947470.clip.mp3"}, protocol=0))
    assert corpus(folder, tmp_path / "audio").tracks[0].path == f"{tmp_path}/audio/8/9/8947470.clip.mp3"
    (folder / "7D_id_to_path.pkl").write_bytes(pickle.dumps({"8947470": "../../etc/passwd"}))
    with pytest.raises(UserError, match=r"id 1: path '../../etc/passwd' leads out"):
        corpus(folder, tmp_path / "audio")


def test_the_published_train_list_must_be_whole(folder):
    (folder / "filtered_list_valid.txt").unlink()
    with pytest.raises(UserError, match="4 ids, expected 213454.*filtered_list_valid.txt"):
        corpus(folder)


def change(name, text):
    return lambda folder: (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


MALFORMED = {
    "train.cP': 'x' is no": change("filtered_list_train.cP", pickle.dumps(["x"])),
    "id 2: 7 is no MSD id": change("filtered_list_train.cP", pickle.dumps([IDS[0], 7])),
    "it asks for posix.system": change("filtered_list_train.cP", b"cposix\nsystem\n(S'true'\ntR."),
    f"{IDS[0]} stands twice": change("filtered_list_train.cP", pickle.dumps([IDS[0], IDS[0]])),
    "TRZZZAA128F0000000 has no tags": change("filtered_list_valid.txt", "TRZZZAA128F0000000"),
    "has 4 values, expected 5": change("50tagList.txt", "rock\nMellow\nguitar\n80s\n90s\n"),
    "has 1 values, expected 4": change("msd_id_to_tag_vector.cP", pickle.dumps({IDS[0]: 7})),
    "1 tags of the vocabulary are not in the labels, the first is 'roock'": change(
        "grouping.tsv", GROUPING + "roock\tgenre\n"
    ),
    "tag '80s' stands twice": change("grouping.tsv", GROUPING + "80s\tgenre\n"),
    "tag 'guitar', notion '': both are needed": change("grouping.tsv", GROUPING + "guitar\n"),
    "not UTF-8 at byte 0": change("50tagList.txt", b"\xff"),
}


@pytest.mark.parametrize("message", MALFORMED)
def test_what_is_malformed_is_named(folder, message):
    MALFORMED[message](folder)
    with pytest.raises(UserError, match=message.replace("train.cP': ", "")):
        corpus(folder)


def test_missing_label_files_are_named(folder, tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        load("", str(tmp_path / "nowhere"))
    for name in ("msd_id_to_tag_vector.cP", "50tagList.txt"):
        (folder / name).rename(folder / "away")
        with pytest.raises(UserError, match=name.split(".")[0]):
            corpus(folder)
        (folder / "away").rename(folder / name)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no list of ids"):
        load("", str(tmp_path / "empty"))


def test_the_real_test_ids_and_tags(tmp_path, shared_labels):
    """28 435 ids and 50 tags in the published order; the tags' vectors are made up."""
    ids = read_ids(str(shared_labels / "msd/filtered_list_test.txt"))
    assert (len(ids), len(set(ids)), ids[0]) == (28435, 28435, "TRAADIN128F931D672")
    for name in ("filtered_list_test.txt", "50tagList.txt"):
        (tmp_path / name).write_bytes((shared_labels / "msd" / name).read_bytes())
    vectors = {track_id: np.eye(50, dtype=bool)[i % 50] for i, track_id in enumerate(ids)}
    (tmp_path / "msd_id_to_tag_vector.cP").write_bytes(pickle.dumps(vectors, protocol=2))
    loaded = load("", str(tmp_path))
    assert {split: sum(t.split == split for t in loaded.tracks) for split in ("train", "validation", "test")} == {
        "train": 0, "validation": 0, "test": 28435
    }  # fmt: skip
    groups = loaded.vocabulary.to_dict()
    assert {notion: len(tags) for notion, tags in groups.items()} == {
        "genre": 28, "mood": 12, "instrument": 5, "era": 5
    }  # fmt: skip
    inferred = (shared_labels / "msd/tag_groups_inferred.tsv").read_text().splitlines()[1:]
    assert {tuple(line.split("\t")[1:]) for line in inferred} == {(t, n) for n, tags in groups.items() for t in tags}
    assert loaded.vocabulary.tags[loaded.tracks[1].tags[0]] == "genre/pop"
