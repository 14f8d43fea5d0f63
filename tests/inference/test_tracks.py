import dataclasses

import numpy as np
import pytest

from tfmir.data.manifest import load_manifest
from tfmir.data.records import read_tracks
from tfmir.inference import tracks as tracks_module
from tfmir.inference.tracks import embed_tracks, stream_tracks


def stored_excerpts(uneven):
    """Of every track its log-mel's whole excerpts, cut with NumPy."""
    for track in read_tracks(uneven.path, uneven.manifest, "train"):
        count = len(track.log_mel) // 129
        yield track, track.log_mel[: count * 129].reshape(count, 129, 128).astype(np.float32)


def test_every_track_is_the_mean_of_its_own_excerpts(system, uneven, numpy_track):
    found = embed_tracks(system, uneven.path, uneven.manifest, "train")
    stored = list(stored_excerpts(uneven))
    assert tuple(len(excerpts) for _, excerpts in stored) == uneven.counts
    assert found.track_ids == tuple(track.track_id for track, _ in stored)
    expected = [numpy_track(system, excerpts) for _, excerpts in stored]
    np.testing.assert_allclose(found.embeddings, expected, atol=1e-5)
    assert found.excerpt_tracks.tolist() == np.repeat(range(6), uneven.counts).tolist()
    each = [numpy_track(system, [excerpt]) for _, excerpts in stored for excerpt in excerpts]
    np.testing.assert_allclose(found.excerpts, each, atol=1e-5)
    tags = uneven.manifest.vocabulary.multi_hot([track.tags for track, _ in stored])
    np.testing.assert_array_equal(found.labels, tags)
    assert found.truth is None


@pytest.mark.parametrize("batch", [1, 2, 3, 6, 7, 64])
def test_a_stream_gives_the_same_tracks_wherever_its_batches_end(system, uneven, monkeypatch, batch):
    """Tracks of 1, 5, 1, 2, 3 and 1 excerpts: some end with a batch, one reaches over several; none is given twice,
    torn or lost."""
    whole = embed_tracks(system, uneven.path, uneven.manifest, "train")
    monkeypatch.setattr(tracks_module, "_BATCH", batch)
    parts = list(stream_tracks(system, uneven.path, uneven.manifest, "train"))
    assert tuple(track_id for part in parts for track_id in part.track_ids) == whole.track_ids
    for name in ("labels", "embeddings", "excerpts"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_allclose(joined, getattr(whole, name), atol=1e-5)
    counts = np.concatenate([np.bincount(part.excerpt_tracks) for part in parts])
    assert tuple(counts) == uneven.counts


def test_the_truth_of_every_track_is_beside_its_labels_where_there_is_one(system, uneven, monkeypatch):
    known = dataclasses.replace(uneven.manifest, annotated={"genre": 0.5})
    stored = read_tracks(uneven.path, known, "train")
    turned = [dataclasses.replace(t, truth=tuple({0, 1} - set(t.tags))) for t in stored][::-1]
    monkeypatch.setattr(tracks_module, "read_tracks", lambda *_: turned)
    found = embed_tracks(system, uneven.path, known, "train")
    np.testing.assert_array_equal(found.truth, ~found.labels)


def test_a_stream_holds_few_tracks_at_a_time(system, uneven, monkeypatch):
    """With batches of two excerpts no part can have more than the six of a track that reaches over three batches."""
    monkeypatch.setattr(tracks_module, "_BATCH", 2)
    parts = list(stream_tracks(system, uneven.path, uneven.manifest, "train"))
    assert len(parts) > 3
    assert max(len(part.excerpts) for part in parts) <= 6


def test_the_records_are_read_in_their_order(system, records):
    """Several shards: the order of ids is that of the records, in every split."""
    manifest = load_manifest(records)
    for split in ("train", "test"):
        expected = [track.track_id for track in read_tracks(records, manifest, split)]
        assert list(embed_tracks(system, records, manifest, split).track_ids) == expected
