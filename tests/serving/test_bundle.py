import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmir.data.audio import decode
from tfmir.data.records import load_manifest, read_tracks
from tfmir.errors import UserError
from tfmir.inference.audio import embed_file
from tfmir.inference.tracks import embed_tracks
from tfmir.model.build import build_system
from tfmir.serving import bundle as bundle_module
from tfmir.serving.bundle import write_bundle
from tfmir.serving.signatures import unit_or_even

NAMES = ["serving_default", "embed", "embed_genre", "embed_mood", "tag"]


@pytest.fixture(scope="module")
def served(bundle):
    return tf.saved_model.load(str(bundle)).signatures


def test_there_is_a_signature_per_notion_from_waveform_and_from_log_mel(served):
    assert set(served) == {*NAMES, *(f"{name}_log_mel" for name in NAMES)}
    assert list(served["tag"].structured_input_signature[1]) == ["waveform"]
    assert list(served["tag_log_mel"].structured_input_signature[1]) == ["log_mel"]
    keys = {name: set(served[name].structured_outputs) for name in NAMES}
    assert keys["serving_default"] == {"embedding", "embedding_genre", "embedding_mood", "scores"}
    assert keys["embed"] == keys["embed_mood"] == {"embedding"}
    assert keys["tag"] == {"scores"}


@pytest.mark.parametrize("samples", [0, 500, 66150, 22050 * 10])
@pytest.mark.parametrize("batch", [1, 3])
def test_any_length_and_batch_gives_unit_vectors_and_probabilities(served, batch, samples):
    for wave in (np.zeros([batch, samples]), np.random.default_rng(0).uniform(-1, 1, [batch, samples])):
        found = served["serving_default"](waveform=tf.constant(wave, tf.float32))
        for name, value in found.items():
            assert value.shape[0] == batch
            if name == "scores":
                assert ((value.numpy() >= 0) & (value.numpy() <= 1)).all()
            else:
                np.testing.assert_allclose(tf.norm(value, axis=1), np.ones(batch), atol=1e-4)


def test_a_waveform_through_the_bundle_is_the_tracks_embedding_of_the_records(served, system, run, audio_folder):
    """The records keep the log-mel in float16; nothing else differs."""
    embedded = embed_tracks(system, run.records, load_manifest(run.records), "test")
    for track_id, expected in zip(embedded.track_ids, embedded.embeddings, strict=True):
        wave = decode(str(audio_folder / track_id), sample_rate=22050)
        found = served["embed"](waveform=tf.constant(wave[np.newaxis]))["embedding"].numpy()[0]
        assert found @ expected > 0.999
        np.testing.assert_allclose(embed_file(system, str(audio_folder / track_id)), found, atol=1e-4)


def test_real_clips_through_the_bundle(served, system, clips):
    for path in sorted(clips.iterdir()):
        wave = decode(str(path), sample_rate=22050, max_secs=20.0)
        found = served["embed_mood"](waveform=tf.constant(wave[np.newaxis]))["embedding"].numpy()[0]
        assert np.isfinite(found).all()
        assert np.linalg.norm(found) == pytest.approx(1.0, abs=1e-4)


def test_log_mel_signatures_take_excerpts_before_the_z_score(served, system, run):
    track = next(read_tracks(run.records, load_manifest(run.records), "test"))
    excerpt = track.log_mel[np.newaxis, :129].astype(np.float32)
    found = served["embed_log_mel"](log_mel=tf.constant(excerpt))["embedding"]
    np.testing.assert_allclose(found, system.embed(excerpt[:, np.newaxis]), atol=1e-5)


def test_the_card_holds_what_a_client_needs(bundle, run):
    card = json.loads((bundle / "assets/tfmir.json").read_text())
    assert card["tags"] == list(run.vocabulary.tags)
    assert card["notions"] == run.vocabulary.to_dict()
    assert card["licence"] == "CC0-1.0"
    assert card["features"]["sample_rate"] == 22050


def test_a_session_of_tensorflow_1_serves_it(bundle):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(bundle))
        signature = loaded.signature_def["embed_mood"]
        feed = {signature.inputs["waveform"].name: np.zeros([2, 30000], np.float32)}
        assert session.run(signature.outputs["embedding"].name, feed).shape == (2, 8)


def test_versions_count_up_and_an_existing_one_is_refused(bundle, run, system, monkeypatch):
    monkeypatch.setattr(bundle_module, "_check", lambda *_: None)
    output = str(bundle.parent.parent)
    assert bundle.name == "1"
    before = {path: path.stat().st_mtime_ns for path in bundle.rglob("*")}
    with pytest.raises(UserError, match="exists already"):
        write_bundle(system, run, output=output, name="m", version=1)
    assert write_bundle(system, run, output=output, name="m", version=0).name == "2"
    assert before == {path: path.stat().st_mtime_ns for path in bundle.rglob("*")}


def test_a_bundle_that_serves_other_numbers_is_not_published(run, system, tmp_path, monkeypatch):
    keras.utils.set_random_seed(77)
    other = build_system(run.params.network, run.vocabulary)
    expectations = bundle_module._expectations(other)
    monkeypatch.setattr(bundle_module, "_expectations", lambda _: expectations)
    with pytest.raises(UserError, match="differs from the training model"):
        write_bundle(system, run, output=str(tmp_path), name="m", version=0)
    assert not list((tmp_path / "m").iterdir())


def test_an_operation_from_outside_tensorflow_is_found(tmp_path):
    """A graph with one node of an unknown kind, as tensorflow-io would leave behind."""
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    model.meta_graphs.add().graph_def.node.add(name="x", op="IO>AudioResample")
    (tmp_path / "saved_model.pb").write_bytes(model.SerializeToString())
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets/tfmir.json").write_text('{"notions": {}, "system": {"normalized": true}}')
    result = subprocess.run(
        [sys.executable, bundle_module._CHECK_SCRIPT, tmp_path, "none"], capture_output=True, text=True
    )
    assert result.returncode == 1
    assert "IO>AudioResample" in result.stderr


def test_a_dead_vector_is_served_as_the_even_one():
    found = unit_or_even(tf.constant([[0.0, 0.0, 0.0, 0.0], [0.6, 0.8, 0.0, 0.0]]))
    np.testing.assert_allclose(found, [[0.5] * 4, [0.6, 0.8, 0, 0]])
