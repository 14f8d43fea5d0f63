"""Writes a versioned SavedModel bundle, and trusts it only after a fresh process has served from it."""

from __future__ import annotations

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

from tfmir import files
from tfmir.data.features import excerpts, log_mel
from tfmir.errors import UserError
from tfmir.inference.audio import embed_waveforms
from tfmir.model.system import System
from tfmir.params import to_dict
from tfmir.run_directory import Run
from tfmir.serving.signatures import signatures

CARD = "tfmir.json"
_NAME = re.compile(r"[\w-][\w.-]*", re.ASCII)
_CHECK_SCRIPT = pathlib.Path(__file__).with_name("check_bundle.py")


def write_bundle(system: System, run: Run, *, output: str, name: str, version: int) -> pathlib.Path:
    """Exports `system` to `<output>/<name>/<version>/`.

    The bundle is written under a hidden name, which TensorFlow Serving does not load, checked by
    `check_bundle.py` in a process of its own, and renamed.

    Args:
      system: with its trained weights.
      run: where parameters, vocabulary and licence come from.
      output: folder of all models.
      name: name of the model, as TensorFlow Serving will call it.
      version: a positive number, or 0 for the next one.

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
            _save(system, temporary)
            files.write_json(temporary / "assets" / CARD, card(run))
            _check(system, temporary)
            temporary.rename(final)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return final


def card(run: Run) -> dict[str, object]:
    """What a client must know of a bundle: tags in the order of the scores, notions, features, licence."""
    return {
        "system": to_dict(run.params.system),
        "notions": run.vocabulary.to_dict(),
        "tags": list(run.vocabulary.tags),
        "embedding_dim": run.params.encoder.embedding_dim,
        "features": to_dict(run.params.features),
        "corpus": run.corpus,
        "licence": run.licence,
    }


def probe_waveforms(sample_rate: int) -> dict[str, np.ndarray]:
    """Waveforms [batch, samples] at batch 1 and 3 of noise, a sine and silence, shorter and longer than 3 s."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, [3, 4 * sample_rate]).astype(np.float32)
    seconds = np.arange(7 * sample_rate) / sample_rate
    sine = np.sin(2 * np.pi * np.outer([220.0, 440.0, 1760.0], seconds)).astype(np.float32)
    silence = np.zeros([3, sample_rate], np.float32)
    waves = {"noise": noise, "sine": sine, "silence": silence}
    return {f"{name}_{batch}": wave[:batch] for name, wave in waves.items() for batch in (1, 3)}


def _next_version(folder: pathlib.Path) -> int:
    return max((int(path.name) for path in folder.glob("*") if path.name.isdigit()), default=0) + 1


def _save(system: System, path: pathlib.Path) -> None:
    archive = keras.export.ExportArchive()
    archive.track(system)
    for name, function in signatures(system).items():
        archive.add_endpoint(name, function)
    archive.write_out(str(path), verbose=False)


def _check(system: System, bundle: pathlib.Path) -> None:
    """Serves the probes in a fresh process that knows neither tfmir nor tensorflow-io."""
    with tempfile.TemporaryDirectory() as folder:
        probes = f"{folder}/probes.npz"
        np.savez(probes, **_expectations(system))
        command = [sys.executable, str(_CHECK_SCRIPT), str(bundle), probes]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise UserError(f"the bundle does not serve what the training model computes:\n{result.stderr[-2000:]}")
    print(result.stdout.strip())


def _expectations(system: System) -> dict[str, Any]:
    """Inputs and the training model's own outputs; keys `<probe>/<what>`."""
    features = system.params.features
    arrays: dict[str, Any] = {}
    for name, wave in probe_waveforms(features.sample_rate).items():
        first = excerpts(log_mel(tf.constant(wave), features), features)[:, :1]
        for suffix, embedding in (("", embed_waveforms(system, tf.constant(wave))), ("_log_mel", system.embed(first))):
            arrays[f"{name}/embedding{suffix}"] = embedding.numpy()
            arrays[f"{name}/subspaces{suffix}"] = system.subspaces(embedding).numpy()
            arrays[f"{name}/scores{suffix}"] = system.scores(embedding).numpy()
        arrays[f"{name}/waveform"] = wave
        arrays[f"{name}/log_mel"] = first[:, 0].numpy()
    return arrays
