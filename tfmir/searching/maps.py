"""Maps: spaces in two dimensions, for eyes. A sample of the catalogue, chosen by the tracks' ids, computed once."""

from __future__ import annotations

import hashlib
import heapq
import importlib.util
from collections.abc import Iterable, Mapping

import numpy as np
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from tfmir.errors import UserError

LEAST_POINTS = 4  # of a t-SNE: its perplexity, a third of the other points, is no less than 1


def sample(track_ids: Iterable[str], count: int) -> np.ndarray:
    """int64 [k], ascending: the rows of at most `count` tracks, which do not depend on the order of the others.

    >>> sample(["a", "b", "c"], 5).tolist()
    [0, 1, 2]
    """
    numbered = (
        (hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), row)
        for row, name in enumerate(track_ids)
    )
    return np.sort(np.array([row for _, row in heapq.nsmallest(count, numbered)], np.int64))


def check_method(method: str) -> None:
    """Refuses a method whose library is not there.

    Raises:
      UserError: names the package.
    """
    if method == "umap" and importlib.util.find_spec("umap") is None:
        raise UserError("--maps=umap needs umap-learn: pip install umap-learn, or take --maps=tsne")


def make_maps(spaces: Mapping[str, np.ndarray], rows: np.ndarray, total: int, *, method: str) -> dict[str, np.ndarray]:
    """A map of every space that has enough living points.

    Args:
      spaces: name -> float32 [k, dim], the vectors of the sample; a dead one is zeros and has no place on the map.
      rows: int64 [k], the sample.
      total: how many tracks there are.
      method: tsne or umap.

    Returns:
      name -> float32 [total, 2], NaN for what is not on the map.
    """
    maps = {}
    for name, points in tqdm(spaces.items(), unit="map", desc=f"maps of {len(rows)} tracks", disable=not spaces):
        alive = np.any(points != 0, axis=1)
        if alive.sum() < LEAST_POINTS:
            tqdm.write(f"no map of {name}: it needs {LEAST_POINTS} tracks, there are {alive.sum()}")
            continue
        maps[name] = np.full([total, 2], np.nan, np.float32)
        maps[name][rows[alive]] = _METHODS[method](points[alive], 0)
    return maps


def project(points: np.ndarray, seed: int) -> np.ndarray:
    """float32 [tracks, 2]: t-SNE of [tracks, dim] by cosine (van der Maaten and Hinton, 2008).

    On one thread: an iteration over a thousand points takes less time than threads that wait for a busy core.
    """
    perplexity = min(30.0, (len(points) - 1) / 3)
    model = TSNE(2, metric="cosine", init="random", perplexity=perplexity, random_state=seed)
    with threadpool_limits(1, user_api="openmp"):
        return model.fit_transform(points)


def _umap(points: np.ndarray, seed: int) -> np.ndarray:
    import umap

    neighbours = min(15, len(points) - 1)
    return umap.UMAP(n_neighbors=neighbours, metric="cosine", init="random", random_state=seed).fit_transform(points)


_METHODS = {"tsne": project, "umap": _umap}
