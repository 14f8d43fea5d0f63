"""What triplets cost: training steps on the same number of excerpts, interleaved, as ratios to classification.

Track regularisation encodes a second excerpt of every track: twice as many, for as many triplets of tags.

    python benchmarks/triplets.py         # 9 interleaved repetitions, medians

"explicit" is the way of the paper: anchor, positive and negative of every triplet are encoded, so that a triplet costs
three encodings (five with track regularisation). It is compared per anchor: one excerpt of classification, one triplet.
"""

import statistics
import time
from typing import Any

from tfmir import command

command.set_environment()

import keras
import tensorflow as tf

from tfmir.model.build import build_system
from tfmir.model.system import System
from tfmir.params import EncoderParams, NetworkParams, SystemParams
from tfmir.vocabulary import Vocabulary

REPETITIONS, STEPS, BATCH, WIDTH = 9, 3, 32, 0.25
VOCABULARY = Vocabulary.from_dict({n: ["a", "b", "c", "d", "e", "f"] for n in ("genre", "mood", "instrument", "era")})
SYSTEMS = {
    "classification": SystemParams("classification", disentangled=False),
    "proxy, disentangled": SystemParams("proxy"),
    "triplet, disentangled": SystemParams("triplet"),
    "triplet, disentangled, all triplets": SystemParams("triplet", negatives="all"),
    "triplet, disentangled, track": SystemParams("triplet", track_weight=0.5),
    "joint": SystemParams("joint"),
}
EXPLICIT = {"explicit triplets (3 encodings)": 3, "explicit triplets and track triplets (5 encodings)": 5}


class ExplicitTriplets(keras.Model):
    """Encodes every member of every triplet: [batch, members, frames, mels], members 0, 1, 2 a triplet."""

    def __init__(self, system: System):
        super().__init__()
        self.system = system

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One step on triplets, whose members are all encoded."""
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            f = self.system.encode(tf.reshape(x, [-1, *x.shape[2:]]), training=True)
            parts = tf.reshape(self.system.subspaces(f), [-1, x.shape[1], f.shape[-1]])
            loss = tf.reduce_mean(_hinge(parts[:, 0], parts[:, 1], parts[:, 2]))
            if x.shape[1] == 5:
                loss += 0.5 * tf.reduce_mean(_hinge(parts[:, 0], parts[:, 3], parts[:, 4]))
        variables = self.system.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return {"loss": loss}


def _hinge(anchor: tf.Tensor, positive: tf.Tensor, negative: tf.Tensor) -> tf.Tensor:
    return tf.nn.relu(tf.reduce_sum(anchor * (negative - positive), axis=-1) + 0.1)


def main() -> None:
    steps = {name: _step(switches) for name, switches in SYSTEMS.items()}
    steps |= {name: _explicit_step(members) for name, members in EXPLICIT.items()}
    times: dict[str, list[float]] = {name: [] for name in steps}
    for repetition in range(REPETITIONS + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            for _ in range(STEPS):
                step()
            if repetition:  # the first traces and warms up
                times[name].append(time.perf_counter() - start)
    base = times["classification"]
    rate = STEPS * BATCH / statistics.median(base)
    print(
        f"width {WIDTH:g}, {BATCH} excerpts or triplets a step; classification {rate:.0f} excerpts/s; seconds over its:"
    )
    for name, values in times.items():
        ratio = statistics.median(b / a for a, b in zip(base, values, strict=True))
        print(f"  {ratio:.2f}  {name}")


def _step(switches: SystemParams) -> Any:
    system = _system(switches)
    x, y = tf.random.normal([BATCH, 129, 128]), tf.cast(tf.random.uniform([BATCH, 24]) < 0.2, tf.float32)
    if not switches.uses_triplets:
        targets = {"labels": y, "track": tf.range(BATCH, dtype=tf.int64)}
        return lambda: system.train_on_batch(x, targets)
    k, pairs = switches.group, BATCH // 2
    tag = tf.range(pairs, dtype=tf.int64) % 24
    labels = tf.maximum(tf.reshape(y[: 2 * pairs], [pairs, 2, 24]), tf.one_hot(tag, 24)[:, tf.newaxis])
    track = tf.reshape(tf.range(2 * pairs, dtype=tf.int64), [pairs, 2])
    targets = {"labels": labels, "tag": tag, "track": track, "apart": tf.ones([pairs, 2])}
    grouped = tf.repeat(tf.reshape(x, [pairs, 2, 1, 129, 128]), k, axis=2)
    return lambda: system.train_on_batch(grouped, targets)


def _explicit_step(members: int) -> Any:
    model = ExplicitTriplets(_system(SystemParams("triplet")))
    model.compile(optimizer=keras.optimizers.Adam(0.005), jit_compile=False)
    x = tf.random.normal([BATCH, members, 129, 128])
    return lambda: model.train_on_batch(x)


def _system(switches: SystemParams) -> System:
    system = build_system(NetworkParams(encoder=EncoderParams(width_multiplier=WIDTH), system=switches), VOCABULARY)
    system.compile(optimizer=keras.optimizers.Adam(0.005), jit_compile=False)
    return system


if __name__ == "__main__":
    main()
