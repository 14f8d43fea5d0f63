"""Serves every signature of a bundle as a stranger would: TensorFlow and NumPy only.

    python check_bundle.py export/models/tfmir/1 probes.npz

Run as a script in its own process; it must not import tfmir. Prints the name of each signature that has passed,
then what was checked; exits with 1 and says what differs.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import sys
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry


class CheckError(Exception):
    """What a bundle does not serve as it should."""


def main(bundle: str, probes_file: str) -> None:
    """Checks operations, signatures, shapes, norms and values."""
    operations = _check_operations(bundle)
    card = json.loads(pathlib.Path(bundle, "assets", "tfmir.json").read_text())
    served = tf.saved_model.load(bundle).signatures
    arrays = np.load(probes_file)
    probes = [
        {key.split("/")[1]: arrays[key] for key in arrays if key.startswith(f"{probe}/")}
        for probe in sorted({key.split("/")[0] for key in arrays.files})
    ]
    said = served["model_info"](request=tf.constant([b"", b""]))["card"].numpy()
    _require([json.loads(text) for text in said] == [card, card], "model_info does not give the card")
    for name, signature in served.items():
        for probe in probes if name != "model_info" else ():
            _check_signature(name, signature, probe, card)
        print(name, flush=True)
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


def _check_signature(name: str, signature: Any, probe: dict[str, np.ndarray], card: dict[str, Any]) -> None:
    results = {key: value.numpy() for key, value in signature(**_inputs(signature, probe)).items()}
    notions = list(card["notions"]) if card["system"]["disentangled"] else []
    tolerances = {key.removesuffix("~"): value for key, value in probe.items() if key.endswith("~")}
    suffix = "_log_mel" if name.endswith("_log_mel") else ""
    for key, found in results.items():
        expected = _expected(name, key, probe, suffix, notions)
        _require(found.shape == expected.shape, f"{name}: {key} is {found.shape}, expected {expected.shape}")
        if found.dtype.kind != "f":
            _require((found == expected).all(), f"{name}: {key} is {found.tolist()}, expected {expected.tolist()}")
            continue
        _require(np.isfinite(found).all(), f"{name}: {key} is not finite")
        allowed = _expected(name, key, tolerances, suffix, notions)
        error = (
            np.abs(found - expected) if key == "scores" else np.linalg.norm(found - expected, axis=-1, keepdims=True)
        )
        worst = np.argmax(error - allowed)
        said = f"{error.flat[worst]:.2g}, {np.broadcast_to(allowed, error.shape).flat[worst]:.2g} is allowed"
        _require((error <= allowed).all(), f"{name}: {key} differs from the training model by {said}")
        if key != "scores" and card["system"]["normalized"]:
            norms = np.linalg.norm(found, axis=-1)[np.abs(expected).max(axis=-1) > 0]  # a dead sub-space is zeros
            _require(np.allclose(norms, 1.0, atol=1e-3), f"{name}: {key} has norms {norms}")


def _inputs(signature: Any, probe: dict[str, np.ndarray]) -> dict[str, tf.Tensor]:
    """What a signature takes, of the probe."""
    given = {key: probe[key] for key in signature.structured_input_signature[1] if key in probe}
    if "wav_bytes" in given:
        given["wav_bytes"] = np.array([row.tobytes() for row in given["wav_bytes"]], object)
    return {key: tf.constant(value) for key, value in given.items()}


def _expected(name: str, key: str, probe: dict[str, np.ndarray], suffix: str, notions: list[str]) -> np.ndarray:
    """What the training model says: of `embedding` that of the space that the signature's name names."""
    of_excerpts = name.startswith("excerpts")
    if key in ("valid", "mask"):
        return np.ones(probe["each_excerpt"].shape[: 2 if key == "mask" else 1], bool)
    if key in ("scores", "excerpts"):
        return probe[f"{key}{suffix}"]
    parts = np.split(probe[f"subspaces{suffix}"], max(1, len(notions)), axis=-1)
    if key == "alive":
        return np.stack([np.abs(part).max(axis=-1) > 0 for part in parts], axis=-1)
    space = re.sub("_(log_mel|num_samples|wav_bytes)$", "", name).removeprefix("embed_") if key == "embedding" else key
    space = space.removeprefix("embedding_")
    if space in notions and not of_excerpts:
        return parts[notions.index(space)]
    return probe["each_excerpt"] if of_excerpts else probe[f"embedding{suffix}"]


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except CheckError as failure:
        sys.exit(f"{failure}")
