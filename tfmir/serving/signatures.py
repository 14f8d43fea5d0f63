"""The functions that an exported bundle serves, as a dict of named signatures.

waveform [batch, samples] -> log-mel -> excerpts [batch, k, 129, 128] -> embedding [batch, dim]
                                                                      -> every sub-space, tag scores
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tfmir.inference.audio import embed_waveforms
from tfmir.model.system import System
from tfmir.vocabulary import LOG_MEL_SUFFIX

Outputs = dict[str, tf.Tensor]


def outputs(system: System, embedding: tf.Tensor) -> Outputs:
    """Everything a system says of each track.

    Args:
      system: with trained weights.
      embedding: float32 [batch, dim], of the whole space.

    Returns:
      `embedding` float32 [batch, dim], `embedding_<notion>` float32 [batch, dim / notions] for a disentangled
      system, each of unit norm unless the system is not normalised, and `scores` float32 [batch, tags] in [0, 1].
    """
    served = unit_or_even(embedding) if system.params.system.normalized else embedding
    result = {"embedding": served}
    if system.params.system.disentangled:
        parts = tf.split(system.subspaces(embedding), system.notions, axis=-1)
        result |= {f"embedding_{n}": unit_or_even(p) for n, p in zip(system.vocabulary.notions, parts, strict=True)}
    return result | {"scores": system.scores(embedding)}


def signatures(system: System) -> dict[str, Callable[[tf.Tensor], Outputs]]:
    """Signature name -> tf.function with a fixed input signature.

    `serving_default` gives everything, `embed` the whole space, `embed_<notion>` one sub-space, `tag` the scores;
    each from `waveform` float32 [batch, samples] at the features' sample rate, any length, and under the same
    name with `_log_mel` from `log_mel` float32 [batch, 129, 128] before the z-score. A waveform shorter than one
    excerpt is padded with silence; a longer one is averaged over its excerpts.
    """
    features = system.params.features

    def from_waveform(waveform: tf.Tensor) -> Outputs:
        return outputs(system, embed_waveforms(system, waveform))

    def from_log_mel(log_mel: tf.Tensor) -> Outputs:
        return outputs(system, system.embed(log_mel[:, tf.newaxis]))

    waveform_spec = tf.TensorSpec([None, None], tf.float32, name="waveform")
    log_mel_spec = tf.TensorSpec([None, features.excerpt_frames, features.num_mels], tf.float32, name="log_mel")
    served: dict[str, Callable[[tf.Tensor], Outputs]] = {}
    for name, keys in _endpoints(system).items():
        served[name] = tf.function(_choosing(from_waveform, keys), input_signature=[waveform_spec])
        served[name + LOG_MEL_SUFFIX] = tf.function(_choosing(from_log_mel, keys), input_signature=[log_mel_spec])
    return served


def unit_or_even(x: tf.Tensor) -> tf.Tensor:
    """Replaces a zero vector (a dead sub-space) by the even one of unit norm: a served vector is always unit."""
    even = tf.ones_like(x) * tf.math.rsqrt(tf.cast(tf.shape(x)[-1], x.dtype))
    return tf.where(tf.reduce_any(x != 0.0, axis=-1, keepdims=True), x, even)


def _endpoints(system: System) -> dict[str, dict[str, str] | None]:
    """Signature -> {output name: key in `outputs`}; None stands for all of them under their own names."""
    notions = system.vocabulary.notions if system.params.system.disentangled else ()
    each = {f"embed_{notion}": {"embedding": f"embedding_{notion}"} for notion in notions}
    return {"serving_default": None, "embed": {"embedding": "embedding"}, **each, "tag": {"scores": "scores"}}


def _choosing(function: Callable[[tf.Tensor], Outputs], keys: dict[str, str] | None) -> Callable[[tf.Tensor], Outputs]:
    def chosen(inputs: tf.Tensor) -> Outputs:
        everything = function(inputs)
        return everything if keys is None else {name: everything[key] for name, key in keys.items()}

    return chosen
