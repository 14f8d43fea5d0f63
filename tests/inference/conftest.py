import dataclasses

import numpy as np
import pytest
import soundfile

from tests.fixtures.cluster import no_cluster
from tfmir.corpora import folder
from tfmir.data.manifest import load_manifest
from tfmir.preparation.build import build_records

RATE = 22050


@pytest.fixture(scope="session")
def numpy_track():
    """A track's embedding from its excerpts, written anew: encode, normalise, mean, normalise, in NumPy."""

    def numpy_unit(x):
        return x / np.linalg.norm(x, axis=-1, keepdims=True)

    def embed(system, excerpts):
        f = system.encode(np.asarray(excerpts, np.float32)).numpy().astype(np.float64)
        return numpy_unit(numpy_unit(f).mean(axis=0))

    return embed


@dataclasses.dataclass(frozen=True)
class Uneven:
    """Records of tracks with other numbers of excerpts, which are not in the order of their lengths."""

    path: str
    counts: tuple[int, ...]

    @property
    def manifest(self):
        return load_manifest(self.path)


@pytest.fixture(scope="session")
def uneven(tmp_path_factory):
    """Tracks of 1, 5, 1, 2, 3 and 1 excerpts."""
    directory, rng, counts = tmp_path_factory.mktemp("uneven"), np.random.default_rng(7), (1, 5, 1, 2, 3, 1)
    rows = ["path,split,genre"]
    for index, count in enumerate(counts):
        wave = rng.uniform(-0.3, 0.3, round(RATE * (3 * count + 1))) * np.linspace(
            0.05, 1.0, round(RATE * (3 * count + 1))
        )
        soundfile.write(directory / f"{index}.wav", wave.astype(np.float32), RATE)
        rows.append(f"{index}.wav,train,{('rock', 'jazz')[index % 2]}")
    (directory / "annotations.csv").write_text("\n".join(rows) + "\n")
    corpus = folder.load(str(directory), str(directory / "annotations.csv"), name="uneven", licence="CC0-1.0")
    path = str(directory / "records")
    with no_cluster():
        build_records(corpus, path, num_shards=1, max_rejected_fraction=0.0)
    return Uneven(path, counts)
