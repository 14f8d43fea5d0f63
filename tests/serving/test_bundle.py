import hashlib
import json

import numpy as np
import pytest
import tensorflow as tf

from tfmir import files
from tfmir.data.audio import decode
from tfmir.data.manifest import load_manifest
from tfmir.data.records import read_tracks
from tfmir.errors import UserError
from tfmir.inference.audio import embed_file, embed_waveforms
from tfmir.inference.tracks import embed_tracks
from tfmir.model.arithmetic import largest_difference
from tfmir.serving import bundle as bundle_module
from tfmir.serving.bundle import write_bundle

NAMES = ["serving_default", "embed", "embed_genre", "embed_mood", "tag"]
SUFFIXES = {"": {"waveform"}, "_num_samples": {"waveform", "num_samples"}, "_wav_bytes": {"wav_bytes"}}
FACTS = {"valid", "alive", "excerpts"}


@pytest.fixture(scope="module")
def served(bundle):
    return tf.saved_model.load(str(bundle)).signatures


def test_there_is_a_signature_per_notion_from_every_input(served):
    inputs = {name: set(signature.structured_input_signature[1]) for name, signature in served.items()}
    songs = {name + suffix: given for name in [*NAMES, "excerpts"] for suffix, given in SUFFIXES.items()}
    excerpts = {f"{name}_log_mel": {"log_mel"} for name in NAMES}
    assert inputs == {**songs, **excerpts, "model_info": {"request"}}
    keys = {name: set(served[name].structured_outputs) for name in served}
    for suffix in (*SUFFIXES, "_log_mel"):
        every = {"embedding", "embedding_genre", "embedding_mood", "scores"}
        assert keys[f"serving_default{suffix}"] == every | FACTS
        assert keys[f"embed{suffix}"] == keys[f"embed_mood{suffix}"] == {"embedding"} | FACTS
        assert keys[f"tag{suffix}"] == {"scores"} | FACTS
    assert keys["excerpts"] == {"embedding", "mask", "valid", "excerpts"}


def test_every_weight_is_stored_once(bundle, system):
    stored = tf.train.load_checkpoint(str(bundle / "variables/variables")).get_variable_to_shape_map()
    sizes = sorted(int(np.prod(shape)) for name, shape in stored.items() if name.endswith("VARIABLE_VALUE"))
    weights = {id(weight): weight for weight in (*system.encoder.weights, *system.embedding_layer.weights)}
    assert sizes == sorted([*(int(np.prod(w.shape)) for w in weights.values()), system.proxies.vectors.numpy().size])


def test_warm_up_requests_are_there_for_every_signature_and_run(bundle, served):
    """As TensorFlow Serving reads them, in its own messages; `serving_default` with more than a chunk as well."""
    prediction_log = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    path = bundle / "assets.extra/tf_serving_warmup_requests"
    asked = []
    for record in tf.data.TFRecordDataset(str(path)):
        request = prediction_log.PredictionLog.FromString(record.numpy()).predict_log.request
        inputs = {key: tf.constant(tf.make_ndarray(value)) for key, value in request.inputs.items()}
        found = served[request.model_spec.signature_name](**inputs)
        asked.append(request.model_spec.signature_name)
        assert request.model_spec.name == "m"
        assert found.get("valid", np.ones(1)).numpy().all() if "valid" in found else found["card"]
    assert sorted(asked) == sorted(
        [*served, "serving_default", "serving_default_num_samples", "serving_default_wav_bytes"]
    )


@pytest.mark.parametrize("samples", [1, 500, 66150, 22050 * 10])
@pytest.mark.parametrize("batch", [1, 3])
def test_any_length_and_batch_gives_unit_vectors_and_probabilities(served, batch, samples):
    for wave in (np.zeros([batch, samples]), np.random.default_rng(0).uniform(-1, 1, [batch, samples])):
        found = served["serving_default"](waveform=tf.constant(wave, tf.float32))
        assert found["valid"].numpy().all()
        for name, value in found.items():
            assert value.shape[0] == batch
            if name in FACTS:
                continue
            if name == "scores":
                assert ((value.numpy() >= 0) & (value.numpy() <= 1)).all()
            else:
                alive = np.abs(value).max(axis=1) > 0
                np.testing.assert_allclose(tf.norm(value, axis=1), alive, atol=1e-4)


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


def test_a_bundle_in_bfloat16_serves_what_float32_would_up_to_its_rounding(run, system, tmp_path, monkeypatch):
    """Inputs and outputs stay float32. (Its own check is in tests/serving/test_check_bundle.py.)"""
    monkeypatch.setattr(bundle_module, "_check", lambda *_: None)
    path = write_bundle(system, run, output=str(tmp_path), name="half", version=0, precision="bfloat16")
    assert json.loads((path / "assets/tfmir.json").read_text())["precision"] == "bfloat16"
    wave = tf.constant(np.random.default_rng(0).uniform(-0.5, 0.5, [2, 66150]), tf.float32)
    found = tf.saved_model.load(str(path)).signatures["embed"](waveform=wave)["embedding"]
    assert found.dtype == tf.float32
    allowed = largest_difference("bfloat16", system.params.encoder.depth + 1)
    assert (tf.norm(found - embed_waveforms(system, wave), axis=1) <= allowed).numpy().all()


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
    assert card["features"]["sample_rate"] == card["sample_rate"] == 22050
    assert card["weights_sha256"] == hashlib.sha256(run.best_weights.read_bytes()).hexdigest()
    assert (card["name"], card["version"]) == ("m", 1)
    assert card["inputs"] == {"waveform": ["float32", [None, None]]}
    assert card["signatures"]["embed_mood_num_samples"]["outputs"]["embedding"] == ["float32", [None, 8]]
    text = (bundle / "assets/README.md").read_text()
    assert "| embed_mood_wav_bytes | wav_bytes string [?] |" in text
    assert card["weights_sha256"] in text


def test_the_bundle_gives_its_card(bundle, served):
    (said,) = served["model_info"](request=tf.constant([b""]))["card"].numpy()
    assert json.loads(said) == json.loads((bundle / "assets/tfmir.json").read_text())


def test_a_session_of_tensorflow_1_serves_it(bundle):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(bundle))
        signature = loaded.signature_def["embed_mood"]
        feed = {signature.inputs["waveform"].name: np.zeros([2, 30000], np.float32)}
        assert session.run(signature.outputs["embedding"].name, feed).shape == (2, 8)


def test_versions_count_up_and_an_existing_one_is_refused(run, system, tmp_path, monkeypatch):
    monkeypatch.setattr(bundle_module, "_check", lambda *_: None)
    monkeypatch.setattr(bundle_module, "_save", lambda _, path, card: files.write_json(path / "card", card))
    asked = {"output": str(tmp_path), "name": "m"}
    first = write_bundle(system, run, **asked, version=0)
    assert first == tmp_path / "m/1"
    before = (first / "card").stat().st_mtime_ns
    with pytest.raises(UserError, match="exists already"):
        write_bundle(system, run, **asked, version=1)
    assert write_bundle(system, run, **asked, version=0).name == "2"
    assert before == (first / "card").stat().st_mtime_ns
    assert files.read_json(tmp_path / "m/2/card")["version"] == 2


def test_a_bundle_that_does_not_pass_its_check_is_not_published(run, system, tmp_path, monkeypatch):
    """What the check finds is told; `test_check_bundle.py` has what it finds."""
    check = tmp_path / "check.py"
    check.write_text("import sys; sys.exit('embed_mood differs from the training model by 0.3')")
    monkeypatch.setattr(bundle_module, "_CHECK_SCRIPT", check)
    monkeypatch.setattr(bundle_module, "_save", lambda _, path, card: files.write_json(path / "card", card))
    with pytest.raises(UserError, match="does not serve what the training model computes:\nembed_mood differs"):
        write_bundle(system, run, output=str(tmp_path), name="m", version=0)
    assert [path.name for path in (tmp_path / "m").iterdir()] == [".lock"]


def test_probes_are_short_and_long_loud_and_silent_one_and_three():
    """Shorter than an excerpt of 3 s, longer than two of them, and of each the first alone."""
    probes = bundle_module.probe_waveforms(22050)
    assert set(probes) == {f"{name}_{batch}" for name in ("noise", "sine", "silence") for batch in (1, 3)}
    seconds = {name: probes[f"{name}_3"].shape[1] / 22050 for name in ("noise", "sine", "silence")}
    assert seconds == {"noise": 4, "sine": 7, "silence": 1}
    assert not probes["silence_3"].any()
    for name in ("noise", "sine"):
        np.testing.assert_array_equal(probes[f"{name}_1"], probes[f"{name}_3"][:1])
        assert probes[f"{name}_3"].std(axis=1).min() > 0.1
