import ast
import dataclasses
import os
import pathlib
import subprocess
import sys
import types

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfmir.model.build import build_system
from tfmir.model.folding import for_inference
from tfmir.params import EncoderParams, NetworkParams, SystemParams
from tfmir.serving import check_bundle
from tfmir.serving.bundle import _expectations, _tolerances
from tfmir.serving.signatures import signatures
from tfmir.vocabulary import Vocabulary

PROBE = {
    "waveform": np.zeros([2, 5], np.float32),
    "log_mel": np.zeros([2, 129, 128], np.float32),
    "embedding": np.array([[0.6, 0.8, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]], np.float32),
    "subspaces": np.array([[0.6, 0.8, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]], np.float32),
    "scores": np.array([[0.1], [0.9]], np.float32),
    "embedding_log_mel": np.array([[0.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 0.0]], np.float32),
}
PROBE |= {"num_samples": np.full(2, 5), "excerpts": np.array([2, 2]), "excerpts_log_mel": np.array([1, 1])}
PROBE |= {"subspaces_log_mel": PROBE["subspaces"], "scores_log_mel": PROBE["scores"]}
PROBE["each_excerpt"] = np.stack([PROBE["embedding"]] * 2, axis=1)
PROBE["wav_bytes"] = np.array([[65, 0], [66, 0]], np.uint8)
PROBE |= {f"{name}~": np.full([2, 1], 1e-4) for name in ("embedding", "embedding_log_mel", "scores", "scores_log_mel")}
PROBE |= {f"{name}~": np.full([2, 2], 1e-4) for name in ("subspaces", "subspaces_log_mel")}
PROBE["each_excerpt~"] = np.full([2, 2, 1], 1e-4)
CARD = {"notions": {"genre": ["a"], "mood": ["x"]}, "system": {"normalized": True, "disentangled": True}}
GENRE = np.array([[0.6, 0.8], [0.0, 0.0]], np.float32)  # the second is dead
MOOD = np.array([[0.0, 0.0], [1.0, 0.0]], np.float32)  # and here the first


class Signature:
    """Serves the same whatever is asked, and keeps what was."""

    def __init__(self, served, inputs=("waveform",)):
        self.served, self.structured_input_signature = served, ((), dict.fromkeys(inputs))

    def __call__(self, **given):
        self.given = given
        return {key: tf.constant(value) for key, value in self.served.items()}


class Loaded:
    """A function as a bundle gives it, with inputs by name."""

    def __init__(self, function, names):
        self.function, self.names = function, names
        self.structured_input_signature = ((), dict.fromkeys(names))

    def __call__(self, **given):
        return self.function(*(given[name] for name in self.names))


def check(name, card=CARD, **served):
    check_bundle._check_signature(name, Signature(served), PROBE, card)


@pytest.mark.parametrize(
    ("name", "served"),
    [
        ("embed", {"embedding": PROBE["embedding"]}),
        ("embed_log_mel", {"embedding": PROBE["embedding_log_mel"]}),
        ("embed_genre", {"embedding": GENRE}),
        ("embed_mood", {"embedding": MOOD}),
        ("tag", {"scores": PROBE["scores"]}),
        ("serving_default", {"embedding": PROBE["embedding"], "embedding_genre": GENRE, "embedding_mood": MOOD}),
        ("embed_mood_num_samples", {"embedding": MOOD, "valid": [True, True], "excerpts": [2, 2]}),
        ("embed_mood_wav_bytes", {"embedding": MOOD, "alive": [[True, False], [False, True]]}),
        ("embed_mood_log_mel", {"embedding": MOOD, "excerpts": [1, 1]}),
        ("excerpts_wav_bytes", {"embedding": PROBE["each_excerpt"], "mask": [[True] * 2] * 2, "excerpts": [2, 2]}),
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
        ("embed_genre", {"embedding": np.array([[0.6, 0.8], [0.7, 0.7]])}, "embed_genre: embedding differs"),
        ("embed", {"valid": [True, False]}, r"embed: valid is \[True, False\], expected \[True, True\]"),
        ("embed", {"alive": [[True, True], [False, True]]}, "embed: alive is"),
        ("excerpts", {"embedding": PROBE["embedding"]}, r"excerpts: embedding is \(2, 4\), expected \(2, 2, 4\)"),
        ("tag", {"scores": PROBE["scores"] + 2e-4}, "tag: scores differs from the training model by 0.0002"),
        ("serving_default", {"embedding_mood": GENRE}, "serving_default: embedding_mood differs"),
    ],
)
def test_what_differs_is_named(name, served, message):
    with pytest.raises(check_bundle.CheckError, match=message):
        check(name, **served)


def test_what_is_allowed_to_differ_may():
    """Each row, sub-space and score by itself; of a vector it is the norm of the difference."""
    loose = {**PROBE, "subspaces~": np.array([[1e-4, 1e-4], [1e-4, 0.2]]), "scores~": np.array([[1e-4], [0.2]])}
    near = Signature({"embedding": MOOD + np.array([[0.0, 0.0], [-0.0004, 0.03]])})
    check_bundle._check_signature("embed_mood", near, loose, CARD)
    check_bundle._check_signature("tag", Signature({"scores": PROBE["scores"] - [[0.0], [0.19]]}), loose, CARD)
    for name, served in (
        ("embed_mood", {"embedding": MOOD + np.array([[0.1, 0.0], [0.0, 0.0]])}),
        ("tag", {"scores": PROBE["scores"] - [[0.1], [0.0]]}),
    ):
        with pytest.raises(check_bundle.CheckError, match=r"by 0\.1, 0\.0001 is allowed"):
            check_bundle._check_signature(name, Signature(served), loose, CARD)


def test_a_system_without_norms_may_serve_any():
    raw = {**CARD, "system": {"normalized": False, "disentangled": True}}
    loud = {**PROBE, "embedding": PROBE["embedding"] * 3}
    signature = Signature({"embedding": loud["embedding"]})
    check_bundle._check_signature("embed", signature, loud, raw)
    with pytest.raises(check_bundle.CheckError, match="norms"):
        check_bundle._check_signature("embed", signature, loud, CARD)


def test_a_signature_is_given_what_it_takes():
    signature = Signature({"embedding": PROBE["embedding"]}, ("waveform", "num_samples"))
    check_bundle._check_signature("embed_num_samples", signature, PROBE, CARD)
    assert set(signature.given) == {"waveform", "num_samples"}
    signature = Signature({"embedding": PROBE["embedding"]}, ("wav_bytes",))
    check_bundle._check_signature("embed_wav_bytes", signature, PROBE, CARD)
    assert signature.given["wav_bytes"].numpy().tolist() == [b"A\0", b"B\0"]  # with the zeros at their ends


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


def test_a_good_bundle_fails_in_a_process_that_knows_tfmir_only_for_that(bundle, system, tmp_path, monkeypatch):
    """All else has passed by then: strangers are looked for last. (That all of it passes is seen at the export.)"""
    arrays = {key: value for key, value in _expectations(system, "float32").items() if key.startswith("noise_1/")}
    np.savez(tmp_path / "probes.npz", **arrays)
    served = tf.saved_model.load(str(bundle)).signatures
    few = {name: served[name] for name in ("embed_mood", "tag", "model_info")}
    monkeypatch.setattr(tf.saved_model, "load", lambda _: types.SimpleNamespace(signatures=few))
    with pytest.raises(check_bundle.CheckError, match="the check itself imported .*tfmir"):
        check_bundle.main(str(bundle), str(tmp_path / "probes.npz"))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "switches",
    [
        SystemParams("triplet", disentangled=False),
        SystemParams("classification", disentangled=False, normalized=False),
        SystemParams("classification"),
    ],
)
def test_every_kind_of_system_and_precision_passes_its_own_check(switches, precision, tmp_path):
    """In this process; `alive` of a system with one space is one column. The embedding is dead for one of the songs."""
    encoder = EncoderParams(encoder="statistics", width_multiplier=0.0625, embedding_dim=16)
    system = build_system(NetworkParams(encoder, switches), Vocabulary.from_dict({"genre": ["a", "b"], "mood": ["x"]}))
    if switches.system == "triplet":
        system.prototypes.vectors.assign(np.random.default_rng(0).random([3, 16]))
    served = signatures(for_inference(system, precision))
    arrays = _expectations(system, precision)
    probe = {key.split("/")[1]: value for key, value in arrays.items() if key.startswith("sine_3/")}
    card = {"notions": {"genre": ["a", "b"], "mood": ["x"]}, "system": dataclasses.asdict(switches)}
    for name in ("serving_default", "tag_log_mel", "excerpts"):
        (inputs, _), call = served[name].get_concrete_function().structured_input_signature, served[name]
        check_bundle._check_signature(name, Loaded(call, [spec.name for spec in inputs]), probe, card)
    dead = _tolerances(system, tf.zeros([2, 16]), precision)
    assert all((value.numpy() == np.float32(1e-4)).all() for value in dead.values())


def test_wrong_probes_end_the_script_with_an_error_also_where_python_leaves_asserts_out(bundle, system, tmp_path):
    arrays = {key: value for key, value in _expectations(system, "float32").items() if key.startswith("noise_1/")}
    arrays["noise_1/embedding"] = arrays["noise_1/embedding"] + 0.5  # what the first signature gives
    np.savez(tmp_path / "probes.npz", **arrays)
    result = optimised(bundle, tmp_path / "probes.npz")
    assert result.returncode == 1
    assert "embedding differs from the training model by 2, 0.0001 is allowed" in result.stderr  # 0.5 in 16 places
    assert "Traceback" not in result.stderr
    assert not result.stdout


def test_the_script_neither_asserts_nor_imports_tfmir():
    tree = ast.parse(pathlib.Path(check_bundle.__file__).read_text())
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not [name for name in names if name.startswith("tfmir")]
