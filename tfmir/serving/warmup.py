"""Requests that TensorFlow Serving runs when it has loaded a bundle, so that no caller waits for the first one.

In TensorFlow Serving's own messages, which the extra `serving` brings. `assets.extra/tf_serving_warmup_requests` is
where it looks (tensorflow_serving/servables/tensorflow/saved_model_warmup_util.cc).
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfmir.params import FeatureParams
from tfmir.serving.songs import CHUNK
from tfmir.serving.wav_file import wav_bytes

FILE = "assets.extra/tf_serving_warmup_requests"
# The first call of a signature optimises its graph, which takes seconds; a song of more than a chunk brings no more
# than the shapes of a whole one, which signatures share: it is asked of one signature for each kind of input.
_SHORT_SECS, _LONG_SECS, _ALSO_LONG = 3, 3 * (CHUNK + 1), "serving_default"


def write_warmup(
    bundle: pathlib.Path, name: str, signatures: Mapping[str, Iterable[str]], features: FeatureParams
) -> bool:
    """Writes a request for every signature, of silence: a few MB for all.

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
            also_long = signature.startswith(_ALSO_LONG) and "log_mel" not in inputs
            for secs in (_SHORT_SECS, _LONG_SECS) if also_long else (_SHORT_SECS,):
                request = predict_pb2.PredictRequest()
                request.model_spec.name, request.model_spec.signature_name = name, signature
                for key, value in _inputs(secs, features).items():
                    if key in inputs:
                        request.inputs[key].CopyFrom(value)
                log = prediction_log_pb2.PredictLog(request=request)
                writer.write(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString())
    return True


def _inputs(secs: int, features: FeatureParams) -> dict[str, Any]:
    """TensorProtos of one silent song of so many seconds, or of one excerpt, as every input can take it.

    One row: with batching, TensorFlow Serving would not load a bundle whose warm-up is larger than its largest batch.
    One value and a shape stand for as many of it, so that 17 excerpts are not 4.5 MB in each of twenty signatures.
    """
    samples = secs * features.sample_rate
    silence = wav_bytes(np.zeros(samples, np.float32), sample_rate=features.sample_rate)
    return {
        "waveform": tf.make_tensor_proto(0.0, tf.float32, [1, samples]),
        "num_samples": tf.make_tensor_proto([samples], tf.int32),
        "wav_bytes": tf.make_tensor_proto([silence]),
        "log_mel": tf.make_tensor_proto(0.0, tf.float32, [1, features.excerpt_frames, features.num_mels]),
        "request": tf.make_tensor_proto([b""]),
    }
