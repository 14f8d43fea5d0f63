import ast
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfmir.serving import check_bundle
from tfmir.serving.bundle import _expectations

PROBE = {
    "waveform": np.zeros([2, 5], np.float32),
    "log_mel": np.zeros([2, 129, 128], np.float32),
    "embedding": np.array([[0.6, 0.8, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]], np.float32),
    "subspaces": np.array([[0.6, 0.8, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]], np.float32),
    "scores": np.array([[0.1], [0.9]], np.float32),
    "embedding_log_mel": np.array([[0.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 0.0]], np.float32),
}
CARD = {"notions": {"genre": ["a"], "mood": ["x"]}, "system": {"normalized": True}}
GENRE = np.array([[0.6, 0.8], [np.sqrt(0.5), np.sqrt(0.5)]], np.float32)  # the second is dead, and served even
MOOD = np.array([[np.sqrt(0.5), np.sqrt(0.5)], [1.0, 0.0]], np.float32)  # and here the first


def check(name, card=CARD, **served):
    """Serves the same whatever is asked."""
    signature = lambda **_: {key: tf.constant(value, tf.float32) for key, value in served.items()}  # noqa: E731
    check_bundle._check_signature(name, signature, PROBE, card)


@pytest.mark.parametrize(
    ("name", "served"),
    [
        ("embed", {"embedding": PROBE["embedding"]}),
        ("embed_log_mel", {"embedding": PROBE["embedding_log_mel"]}),
        ("embed_genre", {"embedding": GENRE}),
        ("embed_mood", {"embedding": MOOD}),
        ("tag", {"scores": PROBE["scores"]}),
        ("serving_default", {"embedding": PROBE["embedding"], "embedding_genre": GENRE, "embedding_mood": MOOD}),
    ],
)
def test_what_the_training_model_computes_is_accepted(name, served):
    check(name, **served)


@pytest.mark.parametrize(
    ("name", "served", "message"),
    [
        ("embed", {"embedding": PROBE["embedding"][:1]}, r"embed: embedding is \(1, 4\), expected \(2, 4\)"),
        ("embed", {"embedding": PROBE["embedding"] * np.nan}, "embed: embedding is not finite"),
        ("embed", {"embedding": PROBE["embedding"][::-1]}, "differs from the training model by 1"),
        ("embed_log_mel", {"embedding": PROBE["embedding"]}, "embed_log_mel: embedding differs"),
        ("embed_mood", {"embedding": GENRE}, "embed_mood: embedding differs"),
        ("embed_genre", {"embedding": PROBE["subspaces"][:, :2]}, "embed_genre: embedding has norms"),
        ("tag", {"scores": PROBE["scores"] + 2e-4}, "tag: scores differs from the training model by 0.0002"),
        ("serving_default", {"embedding_mood": GENRE}, "serving_default: embedding_mood differs"),
    ],
)
def test_what_differs_is_named(name, served, message):
    with pytest.raises(check_bundle.CheckError, match=message):
        check(name, **served)


def test_a_system_without_norms_may_serve_any():
    raw = {**CARD, "system": {"normalized": False}}
    dead = {**PROBE, "embedding": np.zeros([2, 4], np.float32)}
    signature = lambda **_: {"embedding": tf.zeros([2, 4])}  # noqa: E731
    check_bundle._check_signature("embed", signature, dead, raw)
    with pytest.raises(check_bundle.CheckError, match="norms"):
        check_bundle._check_signature("embed", signature, dead, CARD)


def graph_of(folder, *operations):
    """A bundle whose graph has a function of its own, with these operations in it, and calls it."""
    model = saved_model_pb2.SavedModel()
    graph = model.meta_graphs.add().graph_def
    function = graph.library.function.add()
    function.signature.name = "__inference_embed_7"
    graph.node.add(name="x", op="Identity")
    graph.node.add(name="y", op="__inference_embed_7")
    for index, operation in enumerate(operations):
        function.node_def.add(name=f"z{index}", op=operation)
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())
    (folder / "assets").mkdir()
    (folder / "assets/tfmir.json").write_text('{"notions": {}, "system": {"normalized": true}}')
    return str(folder)


def optimised(*arguments):
    """The script as `python -O` runs it, which leaves `assert` out; a child inherits PYTHONOPTIMIZE."""
    command = [sys.executable, check_bundle.__file__, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONOPTIMIZE": "1"})


def test_a_function_of_the_graph_is_no_strange_operation(tmp_path):
    """Identity and Relu: two kinds; the call of the function is none."""
    assert check_bundle._check_operations(graph_of(tmp_path, "Relu", "Relu")) == 2


def test_an_unknown_operation_inside_a_function_is_found(tmp_path):
    with pytest.raises(check_bundle.CheckError, match=r"TensorFlow Serving does not have: \['IO>Nothing'\]"):
        check_bundle._check_operations(graph_of(tmp_path, "Relu", "IO>Nothing"))


def test_an_operation_from_outside_tensorflow_is_found(tmp_path):
    """As tensorflow-io would leave behind. In a process of its own: this one may have loaded tensorflow-io."""
    result = optimised(graph_of(tmp_path, "IO>AudioResample"), "none")
    assert result.returncode == 1
    assert "IO>AudioResample" in result.stderr


def test_a_good_bundle_fails_in_a_process_that_knows_tfmir_only_for_that(bundle, system, tmp_path):
    """Everything else has passed by then: strangers are looked for last."""
    np.savez(tmp_path / "probes.npz", **_expectations(system))
    with pytest.raises(check_bundle.CheckError, match="the check itself imported .*tfmir"):
        check_bundle.main(str(bundle), str(tmp_path / "probes.npz"))


def test_wrong_probes_end_the_script_with_an_error_also_where_python_leaves_asserts_out(bundle, system, tmp_path):
    arrays = {key: value for key, value in _expectations(system).items() if key.startswith("noise_1/")}
    arrays["noise_1/scores"] = arrays["noise_1/scores"] + 0.5
    np.savez(tmp_path / "probes.npz", **arrays)
    result = optimised(bundle, tmp_path / "probes.npz")
    assert result.returncode == 1
    assert "scores differs from the training model by 0.5" in result.stderr
    assert "Traceback" not in result.stderr
    assert not result.stdout


def test_the_script_neither_asserts_nor_imports_tfmir():
    tree = ast.parse(pathlib.Path(check_bundle.__file__).read_text())
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not [name for name in names if name.startswith("tfmir")]
