"""Pickles from strangers: only texts, numbers, lists, tuples, dicts and NumPy arrays come out of them."""

from __future__ import annotations

import importlib
import pathlib
import pickle
from typing import Any

import numpy as np

from tfmir.errors import UserError

# What Python 2 and 3 call the makers of NumPy arrays and scalars; nothing else can be named by a pickle.
_MAKERS: Any = importlib.import_module("numpy.core.multiarray")


def _encode(text: str, encoding: str) -> bytes:
    """What Python 3 writes for the bytes of an array in the protocols of Python 2."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"it asks for the encoding {encoding}")
    return text.encode("latin-1")


class _Array:
    """What a pickle gets for the name `numpy.ndarray`, which itself would make arrays of foreign memory."""

    def __new__(cls, *_: object) -> _Array:
        raise pickle.UnpicklingError("it makes an array of its own")


def _reconstruct(kind: type, shape: object, code: object) -> np.ndarray:
    """An empty array, which the pickle fills."""
    if kind is not _Array:
        raise pickle.UnpicklingError("it asks for an array of another class")
    return _MAKERS._reconstruct(np.ndarray, (0,), b"b")


def _dtype(code: str, *_: object) -> np.dtype:
    """Of numbers and texts alone."""
    found = np.dtype(code)
    if found.kind not in "biufSU":
        raise pickle.UnpicklingError(f"it asks for an array of {found}")
    return found


_ADMITTED = {
    ("_codecs", "encode"): _encode,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _dtype,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.multiarray", "scalar"): _MAKERS.scalar,
    ("numpy._core.multiarray", "scalar"): _MAKERS.scalar,
}


class _Restricted(pickle.Unpickler):
    """Finds no function but those of `_ADMITTED`: a pickle is a program, and these may call nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return _ADMITTED[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to objects outside of itself")


def load_pickle(path: str, kind: type) -> Any:
    """The value of a pickle written by Python 2 or 3; its texts are read as Latin-1, which ids are part of.

    Args:
      path: path of the file.
      kind: list or dict, what the value must be.

    Raises:
      UserError: no such file, no pickle, another kind of value, or a pickle that would run code.
    """
    try:
        with pathlib.Path(path).open("rb") as file:
            value = _Restricted(file, encoding="latin-1").load()
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path}: refused as a pickle ({error}): only texts, numbers, lists, dicts and arrays are read"
        ) from error
    except Exception as error:  # a damaged pickle fails in many ways
        raise UserError(f"{path}: not a pickle, or a damaged one ({type(error).__name__}: {error})") from error
    if not isinstance(value, kind):
        raise UserError(f"{path}: {type(value).__name__} found, expected a {kind.__name__}")
    return value
