"""Serves every signature of a bundle as a stranger would: TensorFlow and NumPy only.

    python check_bundle.py export/models/tfmir/1 probes.npz

Run as a script in its own process; it must not import tfmir. Exits with 1 and says what differs.
"""

from __future__ import annotations

import json
import os
import pathlib
import sys
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

_TOLERANCE = 1e-4


class CheckError(Exception):
    """What a bundle does not serve as it should."""


def main(bundle: str, probes: str) -> None:
    """Checks operations, signatures, shapes, norms and values."""
    operations = _check_operations(bundle)
    card = json.loads(pathlib.Path(bundle, "assets", "tfmir.json").read_text())
    served = tf.saved_model.load(bundle).signatures
    arrays = np.load(probes)
    for probe in sorted({key.split("/")[0] for key in arrays.files}):
        for name, signature in served.items():
            _check_signature(
                name, signature, {k.split("/")[1]: arrays[k] for k in arrays if k.startswith(f"{probe}/")}, card
            )
    strangers = {"tfmir", "tensorflow_io"} & set(sys.modules)
    _require(not strangers, f"the check itself imported {strangers}")
    print(f"checked {len(served)} signatures and {operations} kinds of operation: {', '.join(sorted(served))}")


def _require(holds: object, otherwise: str) -> None:
    """As `assert`, which Python leaves out when it is told to optimise."""
    if not holds:
        raise CheckError(otherwise)


def _check_operations(bundle: str) -> int:
    """Every operation of the graph is TensorFlow's own: TensorFlow Serving knows no others."""
    model = saved_model_pb2.SavedModel()
    model.ParseFromString(pathlib.Path(bundle, "saved_model.pb").read_bytes())
    graph = model.meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    functions = {function.signature.name for function in graph.library.function}
    operations = {node.op for node in nodes} - functions
    foreign = sorted(op for op in operations if op_def_registry.get(op) is None)
    _require(not foreign, f"operations that TensorFlow Serving does not have: {foreign}")
    return len(operations)


def _check_signature(name: str, signature: object, probe: dict[str, np.ndarray], card: dict[str, Any]) -> None:
    suffix = "_log_mel" if name.endswith("_log_mel") else ""
    source = "log_mel" if suffix else "waveform"
    results = signature(**{source: tf.constant(probe[source])})  # type: ignore[operator]
    for key, value in results.items():
        found = value.numpy()
        what = (
            name.removesuffix("_log_mel").removeprefix("embed_")
            if key == "embedding"
            else key.removeprefix("embedding_")
        )
        expected = _expected(what, probe, suffix, list(card["notions"]))
        _require(found.shape == expected.shape, f"{name}: {key} is {found.shape}, expected {expected.shape}")
        _require(np.isfinite(found).all(), f"{name}: {key} is not finite")
        alive = np.abs(expected).max(axis=-1) > 0  # a dead sub-space is served as the even unit vector
        error = np.abs(found - expected)[alive].max(initial=0.0)
        _require(error < _TOLERANCE, f"{name}: {key} differs from the training model by {error:.2g}")
        if key != "scores" and card["system"]["normalized"]:
            norms = np.linalg.norm(found, axis=-1)
            _require(np.allclose(norms, 1.0, atol=1e-3), f"{name}: {key} has norms {norms}")


def _expected(what: str, probe: dict[str, np.ndarray], suffix: str, notions: list[str]) -> np.ndarray:
    if what == "scores":
        return probe[f"scores{suffix}"]
    if what in notions:
        return np.split(probe[f"subspaces{suffix}"], len(notions), axis=-1)[notions.index(what)]
    return probe[f"embedding{suffix}"]


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except CheckError as failure:
        sys.exit(f"{failure}")
