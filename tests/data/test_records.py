import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tfmir import files
from tfmir.corpora.corpus import Track
from tfmir.data.manifest import load_manifest, shard_paths
from tfmir.data.records import FEATURE_SPEC, parse, read_tracks, serialize


def test_a_track_survives_writing_and_reading():
    log_mel = np.random.default_rng(0).uniform(0, 1, [130, 128])
    track = Track("é/a.mp3", "/x", "train", (1, 4), "artist")
    stored = parse(serialize(track, log_mel), 128)
    assert (stored.track_id, stored.artist_id, stored.tags, stored.truth) == ("é/a.mp3", "artist", (1, 4), None)
    np.testing.assert_array_equal(stored.log_mel, log_mel.astype(np.float16))


@pytest.mark.parametrize("truth", [None, (), (0, 1, 4)])
def test_the_truth_is_there_if_it_is_known_even_if_it_is_empty(truth):
    track = Track("a", "/x", "train", (1,), truth=truth)
    serialized = serialize(track, np.zeros([1, 128]))
    assert (b"truth" in serialized) == (truth is not None)
    assert parse(serialized, 128).truth == truth
    assert tf.io.parse_example([serialized], FEATURE_SPEC)["tags"].to_list() == [[1]]


def test_tensorflow_reads_what_is_written_also_without_tags():
    tracks = [Track("a", "", "train", (2,)), Track("b", "", "train", ())]
    serialized = [serialize(track, np.full([5, 128], index)) for index, track in enumerate(tracks)]
    parsed = tf.io.parse_example(serialized, FEATURE_SPEC)
    assert parsed["tags"].to_list() == [[2], []]
    assert parsed["num_frames"].numpy().tolist() == [5, 5]
    assert tf.io.decode_raw(parsed["log_mel"], tf.float16).numpy()[1].tolist() == [1.0] * 5 * 128


def test_the_records_hold_every_track_of_the_corpus_once(records, corpus):
    manifest = load_manifest(records)
    assert manifest.licence == "CC0-1.0"
    for split in ("train", "validation", "test"):
        stored = list(read_tracks(records, manifest, split))
        expected = [track for track in corpus.tracks if track.split == split]
        assert {(t.track_id, t.tags, t.artist_id) for t in stored} == {
            (t.track_id, t.tags, t.artist_id) for t in expected
        }
        assert manifest.splits[split].tracks == len(expected)
        assert manifest.splits[split].frames == sum(len(track.log_mel) for track in stored)
        labels = manifest.vocabulary.multi_hot([track.tags for track in expected])
        assert manifest.splits[split].tag_counts == tuple(labels.sum(axis=0).tolist())
        moods = sum(any(manifest.vocabulary.tags[tag].startswith("mood/") for tag in track.tags) for track in expected)
        assert manifest.splits[split].notion_counts == (len(expected), moods)


def test_each_shard_is_sorted_and_agrees_with_its_checksum(records):
    manifest = load_manifest(records)
    assert len(shard_paths(records, manifest, "train")) == 2
    for split in manifest.splits.values():
        for shard in split.shards:
            path = pathlib.Path(records) / shard.file
            ids = [parse(raw, 128).track_id for raw in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()]
            assert ids == sorted(ids)
            assert files.sha256(path) == shard.sha256
