"""What an epoch of each system takes, reading and validation included: interleaved, CPU time over the first one's.

    python benchmarks/epochs.py --records=tfrecords/demo_sparse --settings=launch/statistics.flags
    python benchmarks/epochs.py --records=tfrecords/demo --settings=launch/demo.flags --repetitions=3

One epoch of every system in turn, the first of which is traced and does not count; medians.
"""

import argparse
import statistics
import time
import warnings

from tfmir import command

command.set_environment()

import frame
from tfmir.data.pipeline import training_set, validation_set
from tfmir.errors import UserError
from tfmir.flags import parse
from tfmir.train import TrainCommand
from tfmir.training.asked import asked_run
from tfmir.training.loop import _compiled, steps_per_epoch


class Trained:
    """A system that learns an epoch at a time."""

    def __init__(self, name: str, given: argparse.Namespace):
        words = ["tfmir.train", f"--flagfile={given.settings}", f"--flagfile=launch/{name}.flags"]
        settings = parse([*words, f"--records={given.records}"], TrainCommand).settings
        if settings.training.precision == "auto":
            raise UserError(f"{given.settings}: --precision=auto is another one on another machine: say which")
        self.run, self.manifest = asked_run(f"runs/epochs-{name}", settings, given.records)
        self.steps = steps_per_epoch(self.run.params, self.manifest.splits["train"].tracks)
        self.system, self.epochs = _compiled(self.run, self.manifest), 0

    def epoch(self) -> float:
        """Seconds of CPU."""
        data = training_set(self.run.records, self.manifest, self.run.params, first_batch=self.epochs * self.steps)
        validation = validation_set(self.run.records, self.manifest, self.run.params)
        start = time.process_time()
        self.system.fit(data, validation_data=validation, steps_per_epoch=self.steps, verbose=0, shuffle=False)
        self.epochs += 1
        return time.process_time() - start


def main() -> None:
    parser = frame.parser(__doc__)
    parser.add_argument("--records", default="tfrecords/demo")
    parser.add_argument("--settings", default="launch/demo.flags", help="a flag file that all systems share")
    parser.add_argument("--systems", default="classification,proxy,joint", help="flag files in launch/")
    parser.add_argument("--repetitions", type=frame.positive, default=5)
    given = parser.parse_args()
    if frame.is_missing(given.records, "make demo makes the demo's, or name others with --records"):
        return
    warnings.filterwarnings("ignore", message="Your input ran out of data")  # as in training
    systems = {name: Trained(name, given) for name in given.systems.split(",")}
    times: dict[str, list[float]] = {name: [] for name in systems}
    for repetition in range(given.repetitions + 1):
        for name, trained in systems.items():
            secs = trained.epoch()
            if repetition:
                times[name].append(secs)
    first = next(iter(times.values()))
    for name, of in times.items():
        ratio = statistics.median(a / b for a, b in zip(of, first, strict=True))
        print(f"{name:24s} {statistics.median(of):6.1f} s of CPU an epoch, {ratio:.2f}")


if __name__ == "__main__":
    frame.run(main)
