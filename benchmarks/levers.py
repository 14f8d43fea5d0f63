"""What might make a training step of the encoder faster: larger batches, several steps in one graph, XLA, bfloat16.

    python benchmarks/levers.py --width=1         # five interleaved repetitions, medians

Time for an excerpt over that of the plain step, batch 32, in the same run.
"""

import statistics
import time
from collections.abc import Callable

from tfmir import command

command.set_environment()

import tensorflow as tf

import frame
from tfmir.model.encoder import build_encoder
from tfmir.model.precision import computing_in, learning_step
from tfmir.params import EncoderParams, FeatureParams

REPETITIONS, PLAIN = 5, "plain"


def stepper(width: float, *, batch: int = 32, steps: int = 1, jit: bool = False) -> tuple[Callable[[], object], int]:
    """So many steps of forward, backward and Adam, and how many excerpts they take."""
    encoder = build_encoder(EncoderParams(width_multiplier=width), FeatureParams())
    excerpts = tf.random.stateless_uniform([batch, 129, 128], [0, 0])
    compiled = tf.function(learning_step(encoder, excerpts), jit_compile=jit)

    @tf.function
    def several() -> tf.Tensor:
        loss = tf.constant(0.0)
        for _ in tf.range(steps):
            loss = compiled()
        return loss

    call = several if steps > 1 else compiled
    return lambda: call().numpy(), batch * steps


def main() -> None:
    parser = frame.parser(__doc__)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--precision", default="float32", choices=frame.ARITHMETIC)
    given = parser.parse_args()
    with computing_in(given.precision):
        levers = {
            PLAIN: stepper(given.width),
            "batch 64": stepper(given.width, batch=64),
            "batch 128": stepper(given.width, batch=128),
            "4 steps in one graph": stepper(given.width, steps=4),
            "XLA": stepper(given.width, jit=True),
        }
    if given.precision == "float32":
        with computing_in("bfloat16"):
            levers["bfloat16"] = stepper(given.width)
    times: dict[str, list[float]] = {name: [] for name in levers}
    for repetition in range(REPETITIONS + 1):
        for name, (call, excerpts) in levers.items():
            start = time.perf_counter()
            call()
            if repetition:  # the first is traced and compiled
                times[name].append((time.perf_counter() - start) / excerpts)
    rate = 1 / statistics.median(times[PLAIN])
    print(f"width {given.width:g}, {given.precision}, batch 32: {rate:.1f} excerpts/s; time for an excerpt over that")
    for name, of in times.items():
        print(f"  {name:22s} {statistics.median(a / b for a, b in zip(of, times[PLAIN], strict=True)):.2f}")


if __name__ == "__main__":
    frame.run(main)
