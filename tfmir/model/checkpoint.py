"""Weights from a file, or one line that says what is wrong with it."""

from __future__ import annotations

import keras

from tfmir import files
from tfmir.errors import UserError


def load_weights(model: keras.Model, path: files.Path, *, remedy: str) -> None:
    """Loads a model's weights, local or remote.

    Args:
      model: built.
      path: an HDF5 file that Keras has written.
      remedy: what to do where it cannot be read.

    Raises:
      UserError: the file is missing, damaged, or holds weights of another model.
    """
    try:
        with files.reading(path) as name:
            model.load_weights(name)
    except (OSError, KeyError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise UserError(f"{path}: no weights of this system can be read from it ({reason}): {remedy}") from error
