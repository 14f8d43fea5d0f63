"""Writes a versioned SavedModel bundle, and trusts it only after a fresh process has served from it."""

from __future__ import annotations

import itertools
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfmir import files
from tfmir.data.features import excerpts, log_mel
from tfmir.errors import UserError
from tfmir.inference.audio import embed_waveforms
from tfmir.model.arithmetic import largest_difference
from tfmir.model.folding import for_inference
from tfmir.model.subspaces import subspace_norms
from tfmir.model.system import System
from tfmir.run_directory import Run
from tfmir.serving.card import bundle_card, card_text, run_card
from tfmir.serving.signatures import Signature, model_info, signatures
from tfmir.serving.warmup import write_warmup
from tfmir.serving.wav_file import wav_bytes

CARD = "tfmir.json"
_NAME = re.compile(r"[\w-][\w.-]*", re.ASCII)
_FLOAT32_TOLERANCE = 1e-4  # sums of thousands of products, in another order
_CHECK_SCRIPT = pathlib.Path(__file__).with_name("check_bundle.py")


def write_bundle(
    system: System, run: Run, *, output: str, name: str, version: int, precision: str = "float32"
) -> pathlib.Path:
    """Exports `system` to `<output>/<name>/<version>/`.

    The bundle is written under a hidden name, which TensorFlow Serving does not load, checked by
    `check_bundle.py` in a process of its own, and renamed.

    Args:
      system: with its trained weights, in float32.
      run: where parameters, vocabulary and licence come from.
      output: folder of all models.
      name: name of the model, as TensorFlow Serving will call it.
      version: a positive number, or 0 for the next one.
      precision: of the served encoder's arithmetic; in another one than float32 it has no normalisation.

    Returns:
      The bundle's directory.

    Raises:
      UserError: the name cannot be a folder's, the version exists, or the bundle does not serve what the training model
        computes.
    """
    if not _NAME.fullmatch(name):
        raise UserError(f"--name={name}: a model's name is one word of letters, digits, '_', '-' and '.'")
    folder = pathlib.Path(output) / name
    if version and (folder / str(version)).exists():
        there = folder / str(version)
        raise UserError(f"--version={version}: {there} exists already: leave --version out for the next one")
    busy = f"--output={output} --name={name}: another export is writing there: wait for it, or end it"
    with files.locked(folder / ".lock", busy=busy):
        final = folder / str(version or _next_version(folder))
        temporary = folder / f".{final.name}.tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            card = run_card(run, precision=precision)
            card |= {"name": name, "version": int(final.name)}
            count = _save(for_inference(system, precision), temporary, card)
            _check(system, temporary, precision, count)
            temporary.rename(final)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return final


def probe_waveforms(sample_rate: int) -> dict[str, np.ndarray]:
    """Waveforms [batch, samples] at batch 1 and 3 of noise, a sine and silence, shorter and longer than 3 s.

    Their samples are whole numbers of 16 bits, so that a WAV file holds the same.
    """
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, [3, 4 * sample_rate])
    seconds = np.arange(7 * sample_rate) / sample_rate
    sine = np.sin(2 * np.pi * np.outer([220.0, 440.0, 1760.0], seconds)) / 2
    waves = {"noise": noise, "sine": sine, "silence": np.zeros([3, sample_rate])}
    whole = {name: (np.round(wave * 32768) / 32768).astype(np.float32) for name, wave in waves.items()}
    return {f"{name}_{batch}": wave[:batch] for name, wave in whole.items() for batch in (1, 3)}


def _next_version(folder: pathlib.Path) -> int:
    return max((int(path.name) for path in folder.glob("*") if path.name.isdigit()), default=0) + 1


def _save(system: System, path: pathlib.Path, card: dict[str, Any]) -> int:
    """The SavedModel, its card, and its warm-up requests; returns how many signatures it has.

    The archive tracks the weights that its functions use by itself; `track` would store each of them twice.
    """
    served = signatures(system)
    tensors = {name: _tensors(function) for name, function in tqdm(served.items(), desc="trace", unit="signature")}
    card = bundle_card(card, tensors)
    served["model_info"] = model_info(json.dumps(card))
    archive = keras.export.ExportArchive()
    for name, function in served.items():
        archive.add_endpoint(name, function)
    archive.write_out(str(path), verbose=False)
    files.write_json(path / "assets" / CARD, card)
    files.write_text(path / "assets/README.md", card_text(card))
    inputs = {name: tuple(_tensors(function)["inputs"]) for name, function in served.items()}
    write_warmup(path, card["name"], inputs, system.params.features)
    return len(served)


def _tensors(function: Signature) -> dict[str, dict[str, list[Any]]]:
    """Inputs and outputs of a signature: name -> [dtype, shape]; null is a size that varies."""
    concrete = function.get_concrete_function()  # type: ignore[attr-defined]
    _, inputs = concrete.structured_input_signature
    specs = [*concrete.structured_input_signature[0], *inputs.values()]
    return {
        "inputs": {spec.name: _tensor(spec) for spec in specs},
        "outputs": {name: _tensor(spec) for name, spec in concrete.structured_outputs.items()},
    }


def _tensor(spec: tf.TensorSpec) -> list[Any]:
    return [spec.dtype.name, spec.shape.as_list()]


def _check(system: System, bundle: pathlib.Path, precision: str, count: int) -> None:
    """Serves the probes from so many signatures in a fresh process that knows neither tfmir nor tensorflow-io."""
    with tempfile.TemporaryDirectory() as folder:
        probes = f"{folder}/probes.npz"
        np.savez(probes, **_expectations(system, precision))
        command = [sys.executable, str(_CHECK_SCRIPT), str(bundle), probes]
        with (
            open(f"{folder}/errors", "w+") as errors,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
        ):
            try:
                lines = iter(process.stdout or ())
                for _ in tqdm(itertools.islice(lines, count), total=count, desc="check", unit="signature"):
                    pass
                said = next(lines, "").strip()
                if process.wait():
                    errors.seek(0)
                    found = errors.read()[-2000:]
                    raise UserError(f"the bundle does not serve what the training model computes:\n{found}")
            finally:
                process.kill()
    print(said)


def _expectations(system: System, precision: str) -> dict[str, Any]:
    """Inputs and the training model's own outputs, of the first excerpt and of every one: keys `<probe>/<what>`.

    `<probe>/<what>~` is how far a bundle of a precision may be from them.
    """
    features = system.params.features
    arrays: dict[str, Any] = {}
    spec = tf.TensorSpec([None, system.params.encoder.embedding_dim])
    allowed = tf.function(lambda embedding: _tolerances(system, embedding, precision), input_signature=[spec])
    for name, wave in probe_waveforms(features.sample_rate).items():
        heard = excerpts(log_mel(tf.constant(wave), features), features)  # [batch, k, frames, mels]
        first = heard[:, :1]
        for suffix, embedding in (("", embed_waveforms(system, tf.constant(wave))), ("_log_mel", system.embed(first))):
            arrays[f"{name}/embedding{suffix}"] = embedding.numpy()
            arrays[f"{name}/subspaces{suffix}"] = system.subspaces(embedding).numpy()
            arrays[f"{name}/scores{suffix}"] = system.scores(embedding).numpy()
            arrays |= {f"{name}/{what}{suffix}~": of.numpy() for what, of in allowed(embedding).items()}
            arrays[f"{name}/excerpts{suffix}"] = np.full(len(wave), first.shape[1] if suffix else heard.shape[1])
        each = [system.excerpt_embeddings(heard[:, k]).numpy() for k in range(heard.shape[1])]
        arrays[f"{name}/each_excerpt"] = np.stack(each, axis=1)
        arrays[f"{name}/each_excerpt~"] = np.stack([allowed(of)["embedding"].numpy() for of in each], axis=1)
        arrays[f"{name}/waveform"] = wave
        arrays[f"{name}/num_samples"] = np.full(len(wave), wave.shape[1], np.int32)
        # As numbers: NumPy's strings lose the zeros at their ends.
        arrays[f"{name}/wav_bytes"] = np.stack(
            [np.frombuffer(wav_bytes(row, sample_rate=features.sample_rate), np.uint8) for row in wave]
        )
        arrays[f"{name}/log_mel"] = first[:, 0].numpy()
    return arrays


def _tolerances(system: System, embedding: tf.Tensor, precision: str) -> dict[str, tf.Tensor]:
    """How far embeddings [batch, dim] in another precision may be from these, and what becomes of that: of vectors the
    norm of the difference, [batch, 1] and, of sub-spaces, [batch, notions]; of scores [batch, tags], each. What is dead
    is to stay dead."""
    if precision == "float32":
        columns = {"embedding": 1, "subspaces": system.notions, "scores": len(system.vocabulary.tags)}
        return {what: tf.fill([tf.shape(embedding)[0], of], _FLOAT32_TOLERANCE) for what, of in columns.items()}
    share = largest_difference(precision, system.params.encoder.depth + 1)
    apart = share * tf.norm(embedding, axis=-1, keepdims=True)
    of_parts = tf.math.divide_no_nan(apart, subspace_norms(embedding, system.notions))
    with tf.GradientTape() as tape:
        tape.watch(embedding)
        scores = system.scores(embedding)
    slopes = tf.norm(tape.batch_jacobian(scores, embedding), axis=-1)
    found = {"embedding": apart, "subspaces": of_parts, "scores": slopes * apart}
    return {what: value + _FLOAT32_TOLERANCE for what, value in found.items()}
