"""Requests that TensorFlow Serving runs when it has loaded a bundle, so that no caller waits for the first one.

In TensorFlow Serving's own messages, which the extra `serving` brings. `assets.extra/tf_serving_warmup_requests` is
where it looks (tensorflow_serving/servables/tensorflow/saved_model_warmup_util.cc).
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Iterable, Mapping

import numpy as np
import tensorflow as tf

from tfmir.params import FeatureParams
from tfmir.serving.songs import CHUNK
from tfmir.serving.wav_file import wav_bytes

FILE = "assets.extra/tf_serving_warmup_requests"
# Of one song and of several: the first compiles the shapes of a loop's last turn, the second those of a whole chunk.
_SONGS_SECS = (3, 3 * (CHUNK + 1))


def write_warmup(
    bundle: pathlib.Path, name: str, signatures: Mapping[str, Iterable[str]], features: FeatureParams
) -> bool:
    """Writes two requests for every signature.

    Args:
      bundle: the SavedModel's directory.
      name: of the model, as TensorFlow Serving will call it.
      signatures: name -> names of its inputs.
      features: of the log-mel.

    Returns:
      Whether they were written: False without tensorflow-serving-api, which is said on standard error.
    """
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError:
        print("no warm-up requests in the bundle: pip install 'tfmir[serving]' for them", file=sys.stderr)
        return False
    path = bundle / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in signatures.items():
            for secs in _SONGS_SECS:
                request = predict_pb2.PredictRequest()
                request.model_spec.name, request.model_spec.signature_name = name, signature
                for key, value in _inputs(secs, features).items():
                    if key in inputs:
                        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
                log = prediction_log_pb2.PredictLog(request=request)
                writer.write(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString())
    return True


def _inputs(secs: int, features: FeatureParams) -> dict[str, np.ndarray]:
    """A song of so many seconds, as every input can take it."""
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, secs * features.sample_rate).astype(np.float32)
    excerpts = max(1, secs // round(features.excerpt_secs))
    return {
        "waveform": samples[np.newaxis],
        "num_samples": np.array([len(samples)], np.int32),
        "wav_bytes": np.array([wav_bytes(samples, sample_rate=features.sample_rate)], object),
        "log_mel": np.zeros([excerpts, features.excerpt_frames, features.num_mels], np.float32),
        "request": np.array([b""], object),
    }
