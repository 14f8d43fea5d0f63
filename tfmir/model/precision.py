"""The numbers that a network computes with: float32, or half as many bits where the machine has arithmetic of them.

Variables, moments, losses, scores and embeddings are float32 in any case; what lies between is of the precision.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

from tfmir.model.arithmetic import faster_than_float32
from tfmir.model.encoder import build_encoder
from tfmir.params import NetworkParams

_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
_REPETITIONS, _BATCH = 3, 16
_WORTH_IT = 0.9  # of float32's time: less of a gain is not worth the digits


@contextlib.contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Layers that are made within the block compute in `precision`: float32, bfloat16 or float16."""
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(_POLICIES[precision])
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


def resolved(precision: str, params: NetworkParams, *, training: bool) -> str:
    """The precision itself, or for `auto` the one that is fastest on this machine, and why is printed in one line.

    The encoder alone is measured, on one device, as what the machine has says that it may be worth it: a step on 16
    excerpts in either precision in turn, the median of three.

    Args:
      precision: as a flag says it.
      params: of the network.
      training: whether a step is forward, backward and Adam, or forward without normalisation (`model/folding.py`).
    """
    if precision != "auto":
        return precision
    other = faster_than_float32()
    if not other:
        print("precision: float32, as this machine has no arithmetic of bfloat16 or float16 that is faster")
        return "float32"
    ratio = _ratio(other, params, training=training)
    chosen = other if ratio < _WORTH_IT else "float32"
    of = "training step" if training else "forward pass"
    print(f"precision: {chosen}, as a {of} in {other} takes {ratio:.2f} of float32's time here")
    return chosen


def learning_step(encoder: keras.Model, excerpts: tf.Tensor) -> Callable[[], tf.Tensor]:
    """A training step of an encoder alone, on the same excerpts each time: what is measured, here and in benchmarks.

    Args:
      encoder: as `build_encoder` gives it.
      excerpts: float32 [batch, frames, mels].

    Returns:
      Forward, backward and Adam, to be compiled: no arguments -> the loss, float32 scalar.
    """
    optimizer = keras.optimizers.Adam(1e-4)
    optimizer.build(encoder.trainable_variables)

    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(tf.cast(encoder(excerpts, training=True), tf.float32)))
        optimizer.apply(tape.gradient(loss, encoder.trainable_variables))
        return loss

    return step


def _ratio(other: str, params: NetworkParams, *, training: bool) -> float:
    """Time of a step in `other` over that in float32."""
    steps = {precision: _step(params, precision, training=training) for precision in ("float32", other)}
    times: dict[str, list[float]] = {precision: [] for precision in steps}
    for repetition in range(_REPETITIONS + 1):
        for precision, step in steps.items():
            begin = time.perf_counter()
            step()
            if repetition:  # the first is traced and compiled
                times[precision].append(time.perf_counter() - begin)
    return statistics.median(times[other]) / statistics.median(times["float32"])


def _step(params: NetworkParams, precision: str, *, training: bool) -> Callable[[], object]:
    """One step of the encoder on noise; it has ended when the function returns."""
    features = params.features
    excerpts = tf.random.stateless_uniform([_BATCH, features.excerpt_frames, features.num_mels], [0, 0])
    bare = params.encoder if training else params.encoder.without_normalisation
    with computing_in(precision):
        encoder = build_encoder(bare, features)
    step = tf.function(learning_step(encoder, excerpts) if training else lambda: encoder(excerpts, training=False))
    return lambda: step().numpy()
