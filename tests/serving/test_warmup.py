import builtins

import pytest

from tfmir.params import FeatureParams
from tfmir.serving.warmup import FILE, write_warmup


def test_without_tensorflow_serving_api_there_are_none_and_it_is_said(tmp_path, monkeypatch, capsys):
    real = builtins.__import__

    def missing(name, *arguments, **others):
        if name.startswith("tensorflow_serving"):
            raise ImportError(name)
        return real(name, *arguments, **others)

    monkeypatch.setattr(builtins, "__import__", missing)
    assert not write_warmup(tmp_path, "m", {"embed": ("waveform",)}, FeatureParams())
    assert "pip install 'tfmir[serving]'" in capsys.readouterr().err
    assert not (tmp_path / FILE).exists()


def test_each_signature_is_asked_for_a_short_song_and_some_for_more_than_a_chunk(tmp_path):
    """`test_bundle.py` runs all of them. One row each; silence is one value and a shape, so that the file is small."""
    prediction_log = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    import tensorflow as tf

    asked = {
        "embed": ("waveform",),
        "serving_default_num_samples": ("waveform", "num_samples"),
        "serving_default_log_mel": ("log_mel",),
        "tag_wav_bytes": ("wav_bytes",),
    }
    assert write_warmup(tmp_path, "m", asked, FeatureParams())
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(tmp_path / FILE))]
    requests = [prediction_log.PredictionLog.FromString(record).predict_log.request for record in records]
    names = [request.model_spec.signature_name for request in requests]
    assert names == ["embed", *["serving_default_num_samples"] * 2, "serving_default_log_mel", "tag_wav_bytes"]
    arrays = [{key: tf.make_ndarray(value) for key, value in request.inputs.items()} for request in requests]
    assert [of["waveform"].shape for of in arrays[:3]] == [(1, 66150), (1, 66150), (1, 66150 * 17)]
    assert [of["num_samples"].tolist() for of in arrays[1:3]] == [[66150], [66150 * 17]]
    assert arrays[3]["log_mel"].shape == (1, 129, 128)
    assert [len(value) for value in arrays[4]["wav_bytes"]] == [44 + 2 * 66150]
    assert sum(map(len, records[:4])) < 1000
