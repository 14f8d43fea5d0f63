"""Where the time of a training step of the encoder goes, by TensorFlow's profiler: kinds of operation, on one thread.

python benchmarks/step.py --width=1 --batch=16
python benchmarks/step.py --width=1 --batch=16 --precision=bfloat16
"""

import collections
import os
import pathlib
import tempfile

os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}

from tfmir import command

command.set_environment()

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

import frame
from tfmir.model.encoder import build_encoder
from tfmir.model.precision import computing_in, learning_step
from tfmir.params import EncoderParams, FeatureParams

STEPS, SHOWN = 5, 12


def main() -> None:
    parser = frame.parser(__doc__)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--batch", type=frame.positive, default=16)
    parser.add_argument("--precision", default="float32", choices=frame.ARITHMETIC)
    given = parser.parse_args()
    with computing_in(given.precision):
        encoder = build_encoder(EncoderParams(width_multiplier=given.width), FeatureParams())
    excerpts = tf.random.stateless_uniform([given.batch, 129, 128], [0, 0])
    learn = tf.function(learning_step(encoder, excerpts))
    learn()
    learn()
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            for _ in range(STEPS):
                learn().numpy()
        millis = by_kind(pathlib.Path(folder))
    total = sum(millis.values())
    print(f"width {given.width:g}, batch {given.batch}, {given.precision}: {total / STEPS:.0f} ms a step in operations")
    for kind, of in millis.most_common(SHOWN):
        print(f"  {kind:40s} {of / STEPS:8.1f} ms {of / total:6.1%}")


def by_kind(folder: pathlib.Path) -> collections.Counter[str]:
    """Milliseconds of every kind of operation; each is an event `name:Kind` on one line of the host."""
    (path,) = folder.rglob("*.xplane.pb")
    space = xplane_pb2.XSpace()
    space.ParseFromString(path.read_bytes())
    found: collections.Counter[str] = collections.Counter()
    for plane in (plane for plane in space.planes if plane.name == "/host:CPU"):
        names = {key: of.name for key, of in plane.event_metadata.items()}
        for event in (event for line in plane.lines for event in line.events):
            name, _, kind = names[event.metadata_id].rpartition(":")
            if name and kind.isidentifier() and "::" not in names[event.metadata_id]:
                found[kind] += event.duration_ps / 1e9
    return found


if __name__ == "__main__":
    frame.run(main)
