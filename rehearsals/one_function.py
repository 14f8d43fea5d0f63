"""Draws that the disentangled proxy and the disentangled classification system are one function, also when trained.

    python rehearsals/one_function.py --steps=600 --output=docs/comparison/figures/one_function.png

The proxy system's initial weights are mapped onto the classification system, and Adam trains both on the same batches.
A third run says what rounding alone may do: the proxy system again, with every initial weight moved to the next number.
"""

import argparse
import itertools
import pathlib

from tfmir import command

command.set_environment()

import keras
import numpy as np
from tqdm import tqdm

from tfmir.data.manifest import Manifest, load_manifest
from tfmir.data.pipeline import training_set
from tfmir.figures import COLOURS, legend, log_ticks, plt, save
from tfmir.model.build import build_system
from tfmir.model.equivalence import map_weights
from tfmir.model.system import System
from tfmir.params import EncoderParams, PipelineParams, RunParams, SystemParams, TrainParams
from tfmir.training.loop import prevalence

PROXY, CLASSIFICATION, MOVED = "proxy", "classification_disentangled", "proxy, initial weights moved by a rounding"


def main() -> None:
    given = _arguments()
    manifest = load_manifest(given.records)
    params = RunParams(
        encoder=EncoderParams(encoder=given.encoder, width_multiplier=given.width_multiplier),
        pipeline=PipelineParams(batch_size=given.batch_size),
        training=TrainParams(learning_rate=given.learning_rate, seed=given.seed),
    )
    systems = _systems(params, manifest)
    losses = {name: np.empty(given.steps) for name in systems}
    batches = itertools.islice(training_set(given.records, manifest, params), given.steps)
    for step, batch in enumerate(tqdm(batches, total=given.steps, unit="step", desc="train both", mininterval=1.0)):
        for name, system in systems.items():
            system.reset_metrics()
            losses[name][step] = system.train_on_batch(*batch, return_dict=True)["loss"]
    differences = {name: np.abs(losses[name] - losses[PROXY]) for name in (CLASSIFICATION, MOVED)}
    for name, values in differences.items():
        print(f"{name}: differs from proxy by {values.mean():.2g} nats on the average, {values.max():.2g} at most")
    _draw(losses, differences, pathlib.Path(given.output), f"{given.encoder} encoder, batch {given.batch_size}")
    print(f"figure: {given.output}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", default="tfrecords/demo")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--output", default="one_function.png")
    parser.add_argument("--encoder", default="statistics", choices=("inception", "statistics"))
    parser.add_argument("--width_multiplier", type=float, default=1.0)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--learning_rate", type=float, default=TrainParams.learning_rate)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _systems(params: RunParams, manifest: Manifest) -> dict[str, System]:
    """Of one seed, ready to be trained."""
    share = prevalence(manifest.splits["train"])
    systems = {}
    for name in (PROXY, CLASSIFICATION, MOVED):
        keras.utils.set_random_seed(params.training.seed)
        kind = SystemParams("classification" if name == CLASSIFICATION else "proxy")
        network = RunParams(encoder=params.encoder, system=kind).network
        systems[name] = build_system(network, manifest.vocabulary, prevalence=share)
        systems[name].compile(keras.optimizers.Adam(params.training.learning_rate), jit_compile=False)
    map_weights(systems[PROXY], systems[CLASSIFICATION])
    systems[MOVED].set_weights([np.nextafter(w, np.float32(np.inf)) for w in systems[PROXY].get_weights()])
    return systems


def _draw(losses: dict[str, np.ndarray], differences: dict[str, np.ndarray], path: pathlib.Path, title: str) -> None:
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(7, 5), sharex=True, layout="constrained")
    steps = np.arange(1, len(losses[PROXY]) + 1)
    (wide,) = top.plot(steps, losses[PROXY], color=COLOURS[4], linewidth=3, label=PROXY)
    (thin,) = top.plot(steps, losses[CLASSIFICATION], color="black", linewidth=0.7, label=CLASSIFICATION)
    top.set(ylabel="training loss (nats)", title=f"One function, one stream: {title}")
    legend(top, [wide, thin])
    lines = [
        bottom.plot(steps, np.maximum(values, 1e-9), color=colour, linewidth=0.8, label=f"{name} − {PROXY}")[0]
        for (name, values), colour in zip(differences.items(), ("black", COLOURS[1]), strict=True)
    ]
    bottom.set(yscale="log", xlabel="step", ylabel="|difference| (nats)")
    log_ticks(bottom.yaxis)
    legend(bottom, lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    save(figure, path)


if __name__ == "__main__":
    main()
