"""A run that embeds a file which an index does not have; TensorFlow is imported when it has to, and not before."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tfmir import files
from tfmir.corpora.spelling import one_line
from tfmir.errors import UserError
from tfmir.run_directory import Run, trained_run

Embed = Callable[[str], np.ndarray]


def run_embedder(run: str, weights_sha256: str, precision: str) -> Embed:
    """A path -> float32 [dim]; TensorFlow is imported when a file is embedded, not before.

    Args:
      run: run directory.
      weights_sha256: of the weights that the index was made with.
      precision: that its songs were embedded in, as the file is.

    Raises:
      UserError: no such run, or one of other weights.
    """
    found = trained_run(run)
    sha256 = files.sha256(found.best_weights)
    if sha256 != weights_sha256:
        raise UserError(
            f"--run={run} has the weights {sha256[:12]}…, the index was made with {weights_sha256[:12]}…: name the run "
            "that made it, or embed and index the library anew"
        )
    return lambda path: _with_run(path, found, precision)


def _with_run(path: str, run: Run, precision: str) -> np.ndarray:
    from tfmir.data.audio import AudioError
    from tfmir.inference.audio import embed_file
    from tfmir.inference.weights import load_system

    try:
        return embed_file(load_system(run, tagging=False, precision=precision), path)
    except AudioError as error:
        raise UserError(f"--like={one_line(path)}: {one_line(str(error))}") from error
