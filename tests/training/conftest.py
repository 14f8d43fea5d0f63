import keras
import pytest

from tfmir.data.manifest import load_manifest
from tfmir.model.build import build_system
from tfmir.params import EncoderParams, PipelineParams, RunParams, SystemParams, TrainParams
from tfmir.run_directory import Run, open_run


@pytest.fixture(scope="session")
def untrained(records):
    """A run directory with weights as training begins with, in a moment: what comes after training asks for no more."""

    def make(path, system=None):
        params = RunParams(
            encoder=EncoderParams(encoder="statistics", width_multiplier=0.0625, embedding_dim=16),
            system=system or SystemParams(),
            pipeline=PipelineParams(batch_size=8, excerpts_per_read=2, shuffle_buffer=8),
            training=TrainParams(epochs=1),
        )
        manifest = load_manifest(records)
        run = Run(path, params, manifest.vocabulary, records, manifest.corpus, manifest.licence)
        open_run(run)
        keras.utils.set_random_seed(3)
        build_system(params.network, run.vocabulary).save_weights(run.best_weights)
        return run

    return make
