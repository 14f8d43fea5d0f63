"""Folders that flags name, looked at before long work begins: no TensorFlow is imported for it."""

from __future__ import annotations

import os

from tfmir import files
from tfmir.errors import UserError


def can_be_written(folder: str) -> bool:
    """Whether a local folder, or the nearest that there is above it, is a place for files.

    >>> can_be_written("/dev/null/x")
    False
    """
    folder = os.path.abspath(folder)
    while not os.path.lexists(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return os.path.isdir(folder) and os.access(folder, os.W_OK)


def require_folder(flag: str, folder: str) -> None:
    """Refuses a folder that is not there.

    Raises:
      UserError: names the flag.
    """
    if not files.to_path(folder).is_dir():
        raise UserError(f"--{flag}={folder}: no such folder")


def require_writable(flag: str, folder: str) -> None:
    """Refuses a local folder that nothing can be written to; a store says so itself, when it is written to.

    Raises:
      UserError: names the flag.
    """
    if folder and not files.is_remote(folder) and not can_be_written(folder):
        raise UserError(f"--{flag}={folder}: nothing can be written there: name a folder that you may write to")
