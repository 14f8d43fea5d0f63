import pytest

from tfmir.data.records import load_manifest
from tfmir.inference.weights import load_system
from tfmir.params import EncoderParams, PipelineParams, RunParams, TrainParams
from tfmir.run_directory import open_run
from tfmir.serving.bundle import write_bundle
from tfmir.training.loop import train

TINY = RunParams(
    encoder=EncoderParams(width_multiplier=0.0625, blocks=1, embedding_dim=16),
    pipeline=PipelineParams(batch_size=4, excerpts_per_read=2, shuffle_buffer=8),
    training=TrainParams(epochs=1),
)


@pytest.fixture(scope="session")
def run(records, tmp_path_factory):
    manifest = load_manifest(records)
    opened = open_run(str(tmp_path_factory.mktemp("runs") / "tiny"), TINY, manifest, records=records)
    train(opened, manifest)
    return opened


@pytest.fixture(scope="session")
def system(run):
    return load_system(run)


@pytest.fixture(scope="session")
def bundle(run, system, tmp_path_factory):
    return write_bundle(system, run, output=str(tmp_path_factory.mktemp("models")), name="m", version=0)
