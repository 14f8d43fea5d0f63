"""The encoder at full width against the machine's own float32 matrix product, and batch normalisation's cost.

python benchmarks/encoder.py         # 5 interleaved repetitions, medians
"""

import functools
import statistics
import time
from collections.abc import Callable
from unittest import mock

from tfmir import command

command.set_environment()

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2_as_graph

from tfmir.model.encoder import build_encoder
from tfmir.params import EncoderParams, FeatureParams

REPETITIONS, BATCH, SIZE = 5, 32, 2048


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def floating_point_operations(model: keras.Model) -> float:
    """Of one forward pass of one excerpt, by TensorFlow's profiler."""
    spec = tf.TensorSpec([1, *model.input_shape[1:]], tf.float32)
    concrete = tf.function(model).get_concrete_function(spec)
    _, graph_def = convert_variables_to_constants_v2_as_graph(concrete)
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(graph_def, name="")
        options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
        options["output"] = "none"
        return tf.compat.v1.profiler.profile(graph, options=options).total_float_ops


def forward() -> None:
    encoder = build_encoder(EncoderParams(batch_norm=False), FeatureParams())
    operations = floating_point_operations(encoder)
    run = tf.function(lambda x: encoder(x, training=False))
    product = tf.function(tf.matmul)
    x, a = tf.random.normal([BATCH, 129, 128]), tf.random.normal([SIZE, SIZE])
    run(x)
    product(a, a)
    shares, rates = [], []
    for _ in range(REPETITIONS):
        encoder_secs, product_secs = seconds(lambda: run(x).numpy()), seconds(lambda: product(a, a).numpy())
        rates.append(BATCH / encoder_secs)
        shares.append(operations * rates[-1] / (2 * SIZE**3 / product_secs))
    print(f"forward, width 1: {operations / 1e9:.2f} GFLOP per excerpt, {statistics.median(rates):.1f} excerpts/s,")
    print(f"  {statistics.median(shares):.2f} of the machine's {SIZE} x {SIZE} float32 matrix product")


def training(width: float) -> None:
    """Seconds per training step with our normalisation and with Keras', as a ratio to none."""
    models = {"none": _trainable(width, batch_norm=False), "ours": _trainable(width, batch_norm=True)}
    with mock.patch("tfmir.model.encoder.BatchNorm", keras.layers.BatchNormalization):
        models["Keras 3"] = _trainable(width, batch_norm=True)
    x, y = tf.random.normal([BATCH, 129, 128]), tf.random.normal([BATCH, 24])
    for model in models.values():
        model.train_on_batch(x, y)
    times: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(REPETITIONS):
        for name, model in models.items():
            times[name].append(seconds(functools.partial(model.train_on_batch, x, y)))
    base = statistics.median(times["none"])
    print(f"training, width {width:g}: {BATCH / base:.0f} excerpts/s without normalisation; seconds as a ratio to it:")
    for name in ("ours", "Keras 3"):
        print(f"  {name} {statistics.median(b / a for a, b in zip(times['none'], times[name], strict=True)):.2f}")


def _trainable(width: float, *, batch_norm: bool) -> keras.Model:
    encoder = build_encoder(EncoderParams(width_multiplier=width, batch_norm=batch_norm), FeatureParams())
    model = keras.Sequential([encoder, keras.layers.Dense(24)])
    model.compile("adam", "mse", jit_compile=False)
    return model


if __name__ == "__main__":
    forward()
    training(0.25)
