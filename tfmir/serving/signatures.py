"""The functions that an exported bundle serves, as a dict of named signatures.

waveform [batch, samples], or WAV files [batch] -> excerpts, a few at a time -> embedding [batch, dim]
                                                                             -> every sub-space, tag scores
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import tensorflow as tf

from tfmir.inference.batches import embed_spans
from tfmir.model.system import System
from tfmir.params import FeatureParams
from tfmir.serving.songs import Heard, Songs, listen, songs_from_pcm, songs_from_waveforms
from tfmir.serving.wav import pcm
from tfmir.vocabulary import LOG_MEL_SUFFIX, NUM_SAMPLES_SUFFIX, WAV_BYTES_SUFFIX

Outputs = dict[str, tf.Tensor]
Signature = Callable[..., Outputs]
_FACTS = ("valid", "alive", "excerpts")


def outputs(system: System, embedding: tf.Tensor, counts: tf.Tensor) -> Outputs:
    """Everything a system says of each track.

    Args:
      system: with trained weights.
      embedding: float32 [batch, dim], of the whole space.
      counts: int32 [batch], the excerpts whose mean it is; 0 for a row without valid input.

    Returns:
      `embedding` float32 [batch, dim], `embedding_<notion>` float32 [batch, dim / notions] for a disentangled
      system, each of unit norm unless the system is not normalised, `scores` float32 [batch, tags] in [0, 1],
      `valid` bool [batch], `alive` bool [batch, notions] (one, without sub-spaces) and `excerpts` int32 [batch].
      A row that is not valid is zeros everywhere; so is a sub-space that is dead.
    """
    finite = tf.reduce_all(tf.math.is_finite(embedding), axis=1)  # a song may be so loud that it is not
    valid = (counts > 0) & finite
    embedding = tf.where(valid[:, tf.newaxis], embedding, 0.0)
    parts = tf.split(system.subspaces(embedding), system.notions, axis=-1)
    result = {"embedding": embedding}
    if system.params.system.disentangled:
        result |= {f"embedding_{n}": part for n, part in zip(system.spaces, parts, strict=True)}
    scores = tf.where(valid[:, tf.newaxis], system.scores(embedding), 0.0)
    alive = tf.stack([tf.reduce_any(part != 0.0, axis=-1) for part in parts], axis=-1)
    return result | {"scores": scores, "valid": valid, "alive": alive, "excerpts": tf.where(valid, counts, 0)}


def signatures(system: System) -> dict[str, Signature]:
    """Signature name -> tf.function with a fixed input signature.

    `serving_default` gives everything, `embed` the whole space, `embed_<notion>` one sub-space, `tag` the scores, each
    with `valid`, `alive` and `excerpts`; `excerpts` gives the embedding of every excerpt. Each takes `waveform` float32
    [batch, samples] at the features' sample rate, of any length; and under its name with a suffix

    * `_num_samples`: `waveform` and `num_samples` int32 [batch], for songs of different lengths;
    * `_wav_bytes`: `wav_bytes` string [batch], WAV files of 16-bit PCM at that rate, of any number of channels;
    * `_log_mel`: `log_mel` float32 [batch, 129, 128] before the z-score (not of `excerpts`).

    A song shorter than one excerpt is padded with silence; a longer one is averaged over its excerpts. Nothing of a row
    depends on another one.
    """
    features = system.params.features
    waveform = tf.TensorSpec([None, None], tf.float32, name="waveform")
    num_samples = tf.TensorSpec([None], tf.int32, name="num_samples")
    wav_bytes = tf.TensorSpec([None], tf.string, name="wav_bytes")
    log_mel = tf.TensorSpec([None, features.excerpt_frames, features.num_mels], tf.float32, name="log_mel")
    sources = {
        "": ([waveform], functools.partial(_whole_rows, features=features)),
        NUM_SAMPLES_SUFFIX: ([waveform, num_samples], functools.partial(_parts_of_rows, features=features)),
        WAV_BYTES_SUFFIX: ([wav_bytes], functools.partial(_wav_files, features=features)),
    }
    embed = tf.function(system.excerpt_embeddings, input_signature=[log_mel])
    hear = functools.partial(
        listen, encode=_encoder(embed, features), dim=system.params.encoder.embedding_dim, features=features
    )
    served: dict[str, Signature] = {}
    for suffix, (specs, songs_of) in sources.items():
        everything = tf.function(_composed(_tracks(system), hear, songs_of), input_signature=specs)
        served |= {name + suffix: _choosing(everything, keys, specs) for name, keys in _endpoints(system).items()}
        served["excerpts" + suffix] = tf.function(_composed(_each_excerpt, hear, songs_of), input_signature=specs)
    everything = tf.function(_excerpt(system, embed), input_signature=[log_mel])
    for name, keys in _endpoints(system).items():
        served[name + LOG_MEL_SUFFIX] = _choosing(everything, keys, [log_mel])
    return served


def model_info(card: str) -> Signature:
    """The signature that gives `card` string [batch], the same for every row of `request` string [batch].

    TensorFlow Serving asks for an input with a batch dimension.
    """
    return tf.function(
        lambda request: {"card": tf.fill(tf.shape(request), card)},
        input_signature=[tf.TensorSpec([None], tf.string, name="request")],
    )


def _whole_rows(waveform: tf.Tensor, *, features: FeatureParams) -> Songs:
    waveform = _of_rank(waveform, 2, "waveform")
    shape = tf.shape(waveform)
    return songs_from_waveforms(waveform, tf.fill(shape[:1], shape[1]), features)


def _parts_of_rows(waveform: tf.Tensor, num_samples: tf.Tensor, *, features: FeatureParams) -> Songs:
    waveform, num_samples = _of_rank(waveform, 2, "waveform"), _of_rank(num_samples, 1, "num_samples")
    said = "num_samples: one for each row of waveform is expected; found"
    check = tf.debugging.assert_equal(tf.shape(num_samples)[0], tf.shape(waveform)[0], message=said)
    with tf.control_dependencies([check]):
        return songs_from_waveforms(waveform, tf.identity(num_samples), features)


def _wav_files(wav_bytes: tf.Tensor, *, features: FeatureParams) -> Songs:
    return songs_from_pcm(*pcm(_of_rank(wav_bytes, 1, "wav_bytes"), features), features)


def _of_rank(value: tf.Tensor, rank: int, name: str) -> tf.Tensor:
    """The value, after its rank was checked: TensorFlow Serving lets any pass.

    What the signature promises is hidden from the graph, or else the check would be taken out of it.
    """
    hidden = tf.raw_ops.PlaceholderWithDefault(input=value, shape=tf.TensorShape(None))
    axes = {1: "[batch]", 2: "[batch, samples]", 3: "[batch, frames, mels]"}[rank]
    said = f"{name}: {rank} dimensions are expected, {axes}"
    with tf.control_dependencies([tf.debugging.assert_equal(tf.rank(hidden), rank, message=said)]):
        # Where TensorFlow knows the fed shape it takes the check out, and fails here: the name is in its message.
        return tf.ensure_shape(tf.identity(hidden), [None] * rank, name=f"{name}_is_of_{rank}_dimensions")


def _encoder(embed: Callable[[tf.Tensor], tf.Tensor], features: FeatureParams) -> Callable[..., tf.Tensor]:
    """From samples, as `songs.listen` has them; frames that are not in the song are silent, as the records pad them."""

    def encode(samples: tf.Tensor, frames: tf.Tensor) -> tf.Tensor:
        return embed_spans(embed, samples, frames, features)

    specs = [tf.TensorSpec([None, features.span_samples], tf.float32), tf.TensorSpec([None], tf.int32)]
    return tf.function(encode, input_signature=specs)


def _tracks(system: System) -> Callable[[Heard], Outputs]:
    """The mean over each song's excerpts, as `System.track_embeddings` has it; a song may have none."""

    def of(heard: Heard) -> Outputs:
        sums = tf.math.unsorted_segment_sum(heard.excerpts, heard.row, tf.size(heard.counts))
        counts = tf.cast(tf.maximum(heard.counts, 1), tf.float32)
        return outputs(system, system.normalise(sums / counts[:, tf.newaxis]), heard.counts)

    return of


def _each_excerpt(heard: Heard) -> Outputs:
    """`embedding` float32 [batch, k, dim] and `mask` bool [batch, k]; k: the most that a song of the batch has."""
    embedding = tf.RaggedTensor.from_row_lengths(heard.excerpts, heard.counts, validate=False).to_tensor()
    finite = tf.reduce_all(tf.math.is_finite(embedding), axis=[1, 2])
    mask = tf.sequence_mask(heard.counts, tf.shape(embedding)[1]) & finite[:, tf.newaxis]
    valid = (heard.counts > 0) & finite
    return {
        "embedding": tf.where(mask[:, :, tf.newaxis], embedding, 0.0),
        "mask": mask,
        "valid": valid,
        "excerpts": tf.where(valid, heard.counts, 0),
    }


def _excerpt(system: System, embed: Callable[[tf.Tensor], tf.Tensor]) -> Signature:
    """Every row is a track of one excerpt."""

    def of(log_mel: tf.Tensor) -> Outputs:
        log_mel = tf.ensure_shape(_of_rank(log_mel, 3, "log_mel"), log_mel.shape)
        counts = tf.cast(tf.reduce_all(tf.math.is_finite(log_mel), axis=[1, 2]), tf.int32)
        clean = tf.where(counts[:, tf.newaxis, tf.newaxis] > 0, log_mel, 0.0)
        return outputs(system, system.normalise(embed(clean)), counts)

    return of


def _endpoints(system: System) -> dict[str, dict[str, str] | None]:
    """Signature -> {output name: key in `outputs`}; None stands for all of them under their own names."""
    notions = system.vocabulary.notions if system.params.system.disentangled else ()
    each = {f"embed_{notion}": {"embedding": f"embedding_{notion}"} for notion in notions}
    return {"serving_default": None, "embed": {"embedding": "embedding"}, **each, "tag": {"scores": "scores"}}


def _composed(
    say: Callable[[Heard], Outputs], hear: Callable[[Songs], Heard], songs_of: Callable[..., Songs]
) -> Signature:
    return lambda *inputs: say(hear(songs_of(*inputs)))


def _choosing(everything: Signature, keys: dict[str, str] | None, specs: list[tf.TensorSpec]) -> Signature:
    """A signature of some of the outputs; the function that computes them stands once in the bundle."""

    def chosen(*inputs: tf.Tensor) -> Outputs:
        found = everything(*inputs)
        return (
            found if keys is None else {name: found[key] for name, key in keys.items()} | {f: found[f] for f in _FACTS}
        )

    return tf.function(chosen, input_signature=specs)
